/* SPDX-License-Identifier: Apache-2.0 */
/* gpio: lights on lines of a GPIO chip, blinking without Python (character device, uAPI version 2).
 *
 * All lines are one request, and each step is one masked write. A thread of its own waits on an absolute
 * timer, so steps do not drift and a Python that is held for seconds does not hold a light. There is one chip
 * a process. Functions return 0 or a negative errno, and put a sentence into `error` (QX_ERROR octets) where
 * they take one.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "blink.h"

#define QX_GPIO_LINES 8

struct qx_gpio_lines {
    char chip[64]; /* path of the character device */
    uint8_t count;
    uint32_t offset[QX_GPIO_LINES];
    bool active_low[QX_GPIO_LINES];
};

/* Requests the lines as outputs, all off, and starts the thread. */
int qx_gpio_open(const struct qx_gpio_lines *lines, char *error);
/* What each of the lines shows from now on, `count` as opened. Any thread; posts a word and does not wait. */
int qx_gpio_show(const struct qx_blink *blinks, uint8_t count);
/* Writes that the kernel refused since it was opened, and the worst lateness of a step in ns. */
void qx_gpio_trouble(uint32_t *refused, int64_t *latest_ns);
/* Lights off, lines given back. Harmless where nothing is open. */
void qx_gpio_close(void);
