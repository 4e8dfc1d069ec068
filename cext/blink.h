/* SPDX-License-Identifier: Apache-2.0 */
/* blink: how a light blinks: milliseconds on, off, on, off …, over and over. Pure: time goes in.
 *
 * The same as panel/pattern.py, which says more; tests hold the two together.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define QX_BLINK_STEPS 16

struct qx_blink {
    int64_t began; /* CLOCK_MONOTONIC ns: when the pattern began */
    uint8_t count; /* 0: off; 1: on for good; else even */
    uint16_t ms[QX_BLINK_STEPS];
};

/* 0, or -EINVAL where the count is not one of those above, a step is 0 or it would begin in the future. */
int qx_blink_check(const struct qx_blink *blink, int64_t now);
/* Is the light on at `now`? `*until` is when that changes, in ns; 0 for never. Checked patterns only. */
bool qx_blink_level(const struct qx_blink *blink, int64_t now, int64_t *until);
