/* SPDX-License-Identifier: Apache-2.0 */
/* R3, R17: no octets harm the engine's other readers: inquiry, hello and ARP (libFuzzer, ASan, UBSan).
 *
 * The first octet chooses the reader. What is read says the same when it is written and read again; an
 * inquiry counts with the pair's code and not with one bit of it changed.
 */
#include "frame.h"
#include "fsm.h"
#include "fuzz.h"
#include "hello.h"
#include "inquiry.h"

#include <string.h>

static const uint8_t KEY[QX_SIPHASH_KEY] = {1, 2, 3, 4, 5, 6, 7, 8};

static bool same_inquiry(const struct qx_inquiry *a, const struct qx_inquiry *b) {
    return a->kind == b->kind && a->state == b->state && a->vrid == b->vrid && a->from == b->from &&
           memcmp(a->nonce, b->nonce, sizeof a->nonce) == 0;
}

static void inquiry(const uint8_t *data, size_t size) {
    struct qx_inquiry read, again;
    uint8_t bytes[QX_INQUIRY_SIZE] = {'Q', 'X', 'A', '1'};
    REQUIRE(!qx_inquiry_read(data, size, KEY, &read) || qx_inquiry_is(data, size));
    /* The same as one who has the key would send it. */
    const size_t body = QX_INQUIRY_SIZE - QX_SIPHASH_CODE;
    size_t length = size < body - 4 ? size : body - 4;
    memcpy(bytes + 4, data, length);
    qx_siphash(bytes + body, bytes, body, KEY);
    if (!qx_inquiry_read(bytes, sizeof bytes, KEY, &read))
        return;
    REQUIRE(read.state <= QX_MASTER && (read.kind == QX_INQUIRY_QUESTION || read.kind == QX_INQUIRY_ANSWER));
    uint8_t written[QX_INQUIRY_SIZE];
    qx_inquiry_write(written, &read, KEY);
    REQUIRE(memcmp(written, bytes, sizeof bytes) == 0);
    REQUIRE(qx_inquiry_read(written, sizeof written, KEY, &again) && same_inquiry(&read, &again));
    size_t bit = size > length ? data[length] * 8u % (8 * sizeof bytes) : read.vrid % (8 * sizeof bytes);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    REQUIRE(!qx_inquiry_read(bytes, sizeof bytes, KEY, &again));
}

static void hello(const uint8_t *data, size_t size) {
    struct qx_hello read, again;
    uint8_t bytes[QX_HELLO_SIZE], twice[QX_HELLO_SIZE];
    if (!qx_hello_read(data, size, &read))
        return;
    REQUIRE(size == QX_HELLO_SIZE && read.state <= QX_MASTER);
    REQUIRE(strnlen(read.serial, sizeof read.serial) < sizeof read.serial);
    REQUIRE(strnlen(read.model, sizeof read.model) < sizeof read.model);
    REQUIRE(strnlen(read.firmware, sizeof read.firmware) < sizeof read.firmware);
    qx_hello_write(bytes, &read);
    REQUIRE(qx_hello_read(bytes, sizeof bytes, &again));
    qx_hello_write(twice, &again);
    REQUIRE(memcmp(bytes, twice, sizeof bytes) == 0);
}

static void arp(const uint8_t *data, size_t size) {
    struct qx_arp read;
    if (qx_frame_read_arp(data, size, &read))
        REQUIRE(size >= QX_ARP_FRAME - QX_ETHERNET_HEADER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const readers[])(const uint8_t *, size_t) = {inquiry, hello, arp};
    if (size)
        readers[data[0] % 3](data + 1, size - 1);
    return 0;
}
