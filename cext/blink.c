/* SPDX-License-Identifier: Apache-2.0 */
#include "blink.h"

#include <errno.h>

#define MS 1000000LL

int qx_blink_check(const struct qx_blink *blink, int64_t now) {
    if (blink->count > QX_BLINK_STEPS || (blink->count > 1 && blink->count % 2) || blink->began > now)
        return -EINVAL;
    for (int i = 0; i < blink->count; i++)
        if (blink->ms[i] == 0)
            return -EINVAL;
    return 0;
}

bool qx_blink_level(const struct qx_blink *blink, int64_t now, int64_t *until) {
    int64_t period = 0;
    *until = 0;
    if (blink->count < 2)
        return blink->count == 1;
    for (int i = 0; i < blink->count; i++)
        period += blink->ms[i] * MS;
    int64_t place = (now - blink->began) % period, step = 0;
    int at = 0;
    while (at < blink->count - 1 && place >= (step = blink->ms[at] * MS)) {
        place -= step;
        at++;
    }
    *until = now + blink->ms[at] * MS - place;
    return at % 2 == 0;
}
