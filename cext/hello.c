/* SPDX-License-Identifier: Apache-2.0 */
#include "hello.h"

#include <string.h>

#include "fsm.h"

enum { FLAG_VIRTUAL_MAC = 1, FLAG_ARMED = 2, FLAG_PASSIVE = 4, FLAG_WAN_LINK = 8 };
enum { FLAG_MASTER_BEFORE = 16, FLAG_STOOD_DOWN = 32, FLAG_DEAF = 64 };
enum { SERIAL = 24, MODEL = 12, FIRMWARE = 24, HEADER = 12, WORDS = 16, PREFIXES = 4 };

static const uint8_t magic[4] = {'Q', 'X', 'H', '1'};

_Static_assert(sizeof magic + HEADER + WORDS + PREFIXES + SERIAL + MODEL + FIRMWARE + 16 == QX_HELLO_SIZE,
               "the fields and 16 octets kept for an authentication code fill the datagram");

static uint8_t *put32(uint8_t *at, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(value >> shift);
    return at;
}

static uint32_t get32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint8_t *put_text(uint8_t *at, const char *text, size_t width) {
    memcpy(at, text, strnlen(text, width));
    return at + width;
}

static bool get_text(const uint8_t *at, char *text, size_t width) {
    size_t length = strnlen((const char *)at, width);
    for (size_t i = 0; i < length; i++)
        if (at[i] < 0x21 || at[i] > 0x7e)
            return false;
    memcpy(text, at, length);
    text[length] = 0;
    return true;
}

void qx_hello_write(uint8_t *bytes, const struct qx_hello *hello) {
    memset(bytes, 0, QX_HELLO_SIZE);
    memcpy(bytes, magic, sizeof magic);
    uint8_t *at = bytes + sizeof magic;
    *at++ = hello->state;
    *at++ = hello->priority;
    *at++ = hello->vrid;
    *at++ = hello->version;
    *at++ = (uint8_t)((hello->virtual_mac ? FLAG_VIRTUAL_MAC : 0) | (hello->armed ? FLAG_ARMED : 0) |
                      (hello->passive ? FLAG_PASSIVE : 0) | (hello->wan_link ? FLAG_WAN_LINK : 0) |
                      (hello->master_before ? FLAG_MASTER_BEFORE : 0) |
                      (hello->stood_down ? FLAG_STOOD_DOWN : 0) | (hello->deaf ? FLAG_DEAF : 0));
    *at++ = 0;
    *at++ = (uint8_t)(hello->interval_cs >> 8);
    *at++ = (uint8_t)hello->interval_cs;
    at = bytes + sizeof magic + HEADER;
    at = put32(at, hello->term);
    at = put32(at, hello->uptime_s);
    at = put32(at, hello->lan_service);
    at = put32(at, hello->wan_service);
    at[0] = hello->lan_prefix;
    at[1] = hello->wan_prefix;
    at += PREFIXES;
    at = put_text(at, hello->serial, SERIAL);
    at = put_text(at, hello->model, MODEL);
    put_text(at, hello->firmware, FIRMWARE);
}

bool qx_hello_read(const uint8_t *bytes, size_t length, struct qx_hello *hello) {
    memset(hello, 0, sizeof *hello);
    if (length != QX_HELLO_SIZE || memcmp(bytes, magic, sizeof magic) != 0)
        return false;
    const uint8_t *at = bytes + sizeof magic;
    if (at[0] > QX_MASTER)
        return false;
    hello->state = at[0];
    hello->priority = at[1];
    hello->vrid = at[2];
    hello->version = at[3];
    hello->virtual_mac = at[4] & FLAG_VIRTUAL_MAC;
    hello->armed = at[4] & FLAG_ARMED;
    hello->passive = at[4] & FLAG_PASSIVE;
    hello->wan_link = at[4] & FLAG_WAN_LINK;
    hello->master_before = at[4] & FLAG_MASTER_BEFORE;
    hello->stood_down = at[4] & FLAG_STOOD_DOWN;
    hello->deaf = at[4] & FLAG_DEAF;
    hello->interval_cs = (uint16_t)(at[6] << 8 | at[7]);
    at += HEADER;
    hello->term = get32(at);
    hello->uptime_s = get32(at + 4);
    hello->lan_service = get32(at + 8);
    hello->wan_service = get32(at + 12);
    at += WORDS;
    hello->lan_prefix = at[0];
    hello->wan_prefix = at[1];
    at += PREFIXES;
    return get_text(at, hello->serial, SERIAL) && get_text(at + SERIAL, hello->model, MODEL) &&
           get_text(at + SERIAL + MODEL, hello->firmware, FIRMWARE);
}
