/* SPDX-License-Identifier: Apache-2.0 */
/* clock: CLOCK_MONOTONIC in ns, the one clock of the engine. */
#pragma once
#include <stdint.h>
#include <time.h>

#define QX_MS     1000000LL
#define QX_SECOND (1000 * QX_MS)

static inline int64_t qx_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * QX_SECOND + now.tv_nsec;
}
