/* SPDX-License-Identifier: Apache-2.0 */
/* inquiry: is the Master alive whose advertisements are missing? The question and the answer between the two
 * engines, as octets. Pure.
 *
 * Multicast is lost where unicast is not: IGMP snooping without a querier, storm control, a port that takes
 * one direction. So in the last interval that it waits a Backup asks its peer's engine, from Virtual IP to
 * Virtual IP and with a key that both have of their session; only "Master" keeps it from taking over. An
 * answer is of its question alone (the nonce), so one that was recorded proves nothing later.
 *
 * Layout, network order, 44 octets, on hello's port: magic "QXA1"; kind; state (enum qx_state; 0 in a
 * question); virtual router id; 0; the sender's Virtual IP (4); nonce (16); SipHash-2-4-128 of all before
 * (16).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "siphash.h"

#define QX_INQUIRY_SIZE  44
#define QX_INQUIRY_NONCE 16

enum qx_inquiry_kind { QX_INQUIRY_QUESTION = 1, QX_INQUIRY_ANSWER = 2 };

struct qx_inquiry {
    uint8_t kind;  /* enum qx_inquiry_kind */
    uint8_t state; /* enum qx_state, of an answer */
    uint8_t vrid;
    uint32_t from; /* host order */
    uint8_t nonce[QX_INQUIRY_NONCE];
};

/* Writes QX_INQUIRY_SIZE octets. `key` has QX_SIPHASH_KEY. */
void qx_inquiry_write(uint8_t *bytes, const struct qx_inquiry *inquiry, const uint8_t *key);
/* True where the octets claim to be one: whether it is sound is asked of `read`. */
bool qx_inquiry_is(const uint8_t *bytes, size_t length);
/* False where they are none: wrong length, magic, code (compared in constant time), kind or state. */
bool qx_inquiry_read(const uint8_t *bytes, size_t length, const uint8_t *key, struct qx_inquiry *inquiry);
