/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: what the libFuzzer targets share: a broken promise, and octets taken one after the other. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            __builtin_trap();                                                                                \
    } while (0)

/* What is left of an input. */
struct feed {
    const uint8_t *at;
    size_t left;
};

/* 0 where there is nothing left. */
static inline uint8_t take(struct feed *feed) {
    if (feed->left == 0)
        return 0;
    feed->left--;
    return *feed->at++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
