/* SPDX-License-Identifier: Apache-2.0 */
#include "inquiry.h"

#include <string.h>

#include "fsm.h"

enum { KIND = 4, STATE, VRID, SPARE, FROM, NONCE = FROM + 4, CODE = NONCE + QX_INQUIRY_NONCE };

_Static_assert(CODE + QX_SIPHASH_CODE == QX_INQUIRY_SIZE, "the fields and the code fill the datagram");

static const uint8_t magic[KIND] = {'Q', 'X', 'A', '1'};

void qx_inquiry_write(uint8_t *bytes, const struct qx_inquiry *inquiry, const uint8_t *key) {
    memset(bytes, 0, QX_INQUIRY_SIZE);
    memcpy(bytes, magic, sizeof magic);
    bytes[KIND] = inquiry->kind;
    bytes[STATE] = inquiry->state;
    bytes[VRID] = inquiry->vrid;
    for (int i = 0; i < 4; i++)
        bytes[FROM + i] = (uint8_t)(inquiry->from >> (24 - 8 * i));
    memcpy(bytes + NONCE, inquiry->nonce, sizeof inquiry->nonce);
    qx_siphash(bytes + CODE, bytes, CODE, key);
}

bool qx_inquiry_is(const uint8_t *bytes, size_t length) {
    return length >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

bool qx_inquiry_read(const uint8_t *bytes, size_t length, const uint8_t *key, struct qx_inquiry *inquiry) {
    uint8_t code[QX_SIPHASH_CODE], differs = 0;
    memset(inquiry, 0, sizeof *inquiry);
    if (length != QX_INQUIRY_SIZE || !qx_inquiry_is(bytes, length))
        return false;
    qx_siphash(code, bytes, CODE, key);
    for (int i = 0; i < QX_SIPHASH_CODE; i++)
        differs |= code[i] ^ bytes[CODE + i];
    if (differs || bytes[SPARE] || bytes[STATE] > QX_MASTER ||
        (bytes[KIND] != QX_INQUIRY_QUESTION && bytes[KIND] != QX_INQUIRY_ANSWER))
        return false;
    inquiry->kind = bytes[KIND];
    inquiry->state = bytes[STATE];
    inquiry->vrid = bytes[VRID];
    for (int i = 0; i < 4; i++)
        inquiry->from = inquiry->from << 8 | bytes[FROM + i];
    memcpy(inquiry->nonce, bytes + NONCE, sizeof inquiry->nonce);
    return true;
}
