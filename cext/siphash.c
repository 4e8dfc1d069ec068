/* SPDX-License-Identifier: Apache-2.0 */
#include "siphash.h"

enum { ROUNDS = 2, FINAL_ROUNDS = 4, WORD = 8 };

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t get64(const uint8_t *at, size_t octets) {
    uint64_t word = 0;
    for (size_t i = 0; i < octets; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

static void put64(uint8_t *at, uint64_t word) {
    for (int i = 0; i < WORD; i++)
        at[i] = (uint8_t)(word >> (8 * i));
}

static uint64_t rotated(uint64_t word, int bits) {
    return word << bits | word >> (64 - bits);
}

static void rounds(struct state *s, int count) {
    for (int i = 0; i < count; i++) {
        s->v0 += s->v1;
        s->v1 = rotated(s->v1, 13) ^ s->v0;
        s->v0 = rotated(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotated(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotated(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotated(s->v1, 17) ^ s->v2;
        s->v2 = rotated(s->v2, 32);
    }
}

static void take(struct state *s, uint64_t word) {
    s->v3 ^= word;
    rounds(s, ROUNDS);
    s->v0 ^= word;
}

static uint64_t folded(const struct state *s) {
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

void qx_siphash(uint8_t *code, const uint8_t *bytes, size_t length, const uint8_t *key) {
    uint64_t k0 = get64(key, WORD), k1 = get64(key + WORD, WORD);
    /* "somepseudorandomlygeneratedbytes"; 0xee tells the 128-bit form from the other. */
    struct state s = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du ^ 0xee, k0 ^ 0x6c7967656e657261u,
                      k1 ^ 0x7465646279746573u};
    size_t whole = length - length % WORD;
    for (size_t at = 0; at < whole; at += WORD)
        take(&s, get64(bytes + at, WORD));
    take(&s, get64(bytes + whole, length % WORD) | (uint64_t)length << 56);
    s.v2 ^= 0xee;
    rounds(&s, FINAL_ROUNDS);
    put64(code, folded(&s));
    s.v1 ^= 0xdd;
    rounds(&s, FINAL_ROUNDS);
    put64(code + WORD, folded(&s));
}
