/* SPDX-License-Identifier: Apache-2.0 */
/* hello: what one unit's engine tells the other's, twice a second, at every change of state and on
 * finding a Master.
 *
 * VRRP lets a Backup say nothing. A pair needs to know more: whether somebody would take over (then a unit
 * in trouble lets go at once, otherwise it keeps its addresses), whether the peer's WAN has link, and which
 * parameter differs when the two do not hear each other's advertisements. One UDP datagram between the two
 * Virtual IP addresses; it never makes a Master by itself.
 *
 * Layout, network order: magic "QXH1", then the fields below in their order, 112 octets in all.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QX_HELLO_PORT 7778
#define QX_HELLO_SIZE 112
#define QX_STOOD_DOWN 3000000000LL /* ns for which a former Master says so */

struct qx_hello {
    uint8_t state; /* enum qx_state */
    uint8_t priority;
    uint8_t vrid;
    uint8_t version; /* of VRRP */
    bool virtual_mac;
    bool armed; /* would take over */
    bool passive;
    bool wan_link;
    bool master_before; /* was Master when its link was lost */
    bool stood_down;    /* was Master within the last QX_STOOD_DOWN */
    bool deaf;          /* a Backup that knows its Master alive and does not hear its advertisements */
    uint16_t interval_cs;
    uint32_t term;
    uint32_t uptime_s;
    uint32_t lan_service; /* host order */
    uint32_t wan_service;
    uint8_t lan_prefix;
    uint8_t wan_prefix;
    char serial[25]; /* zero-ended text */
    char model[13];
    char firmware[25];
};

/* Writes QX_HELLO_SIZE octets. */
void qx_hello_write(uint8_t *bytes, const struct qx_hello *hello);
/* False where the bytes are none: wrong length, magic, state, or text that is not printable ASCII. */
bool qx_hello_read(const uint8_t *bytes, size_t length, struct qx_hello *hello);
