/* SPDX-License-Identifier: Apache-2.0 */
#include "priority.h"

#define STEP (30LL * 1000000000LL)

uint8_t qx_priority(int seat, int64_t age) {
    if (seat == QX_SEAT_NONE)
        return QX_PRIORITY_LISTENER;
    if (seat == QX_SEAT_CONFIRMED)
        return QX_PRIORITY_CONFIRMED;
    if (seat == QX_SEAT_TAKEOVER)
        return QX_PRIORITY_TAKEOVER;
    int priority = seat == QX_SEAT_RETURNED ? QX_PRIORITY_RETURNED : QX_PRIORITY_STARTUP;
    for (int64_t reached = STEP; age >= reached && priority < QX_PRIORITY_STARTUP_MAX; reached *= 2)
        priority++;
    return (uint8_t)priority;
}
