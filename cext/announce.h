/* SPDX-License-Identifier: Apache-2.0 */
/* announce: when a Master sends its gratuitous ARP set again. Pure: time goes in.
 *
 * One set is lost easily (a switch port that still blocks, a host that was busy), and a Master that came
 * back from a pause has to correct neighbours that followed the other one. So a set is repeated after
 * becoming Master, once a minute for ever, and when a lower Master was heard, which is never more than
 * one set a second.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct qx_announce {
    int64_t since; /* when the sequence began; 0: none runs */
    int64_t due;   /* the next set; 0: none */
    int64_t sent;  /* the last set */
    uint8_t step;
};

/* Becoming Master: the first set goes out now, by the caller. */
void qx_announce_start(struct qx_announce *announce, int64_t now);
void qx_announce_stop(struct qx_announce *announce);
/* Somebody else may have announced our address: schedules a set now and one a second later, rate-limited. */
void qx_announce_again(struct qx_announce *announce, int64_t now);
/* True where a set is due; it counts as sent. */
bool qx_announce_due(struct qx_announce *announce, int64_t now);
