/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <string.h>

#define MS 1000000LL

enum { PROBES = 3 };
#define PROBE_INTERVAL (200 * MS)
#define ANNOUNCE_WAIT  (400 * MS)
#define ATTEMPT_AGAIN  (10000 * MS)

void qx_probe_start(struct qx_probe *probe, uint32_t address, bool shared, int64_t now, int64_t spread) {
    *probe = (struct qx_probe){.address = address, .shared = shared, .state = QX_PROBE_RUNNING};
    probe->due = now + spread;
}

void qx_probe_stop(struct qx_probe *probe) {
    *probe = (struct qx_probe){.state = QX_PROBE_IDLE};
}

bool qx_probe_timer(struct qx_probe *probe, int64_t now) {
    if (!probe->due || now < probe->due)
        return false;
    if (probe->state == QX_PROBE_CONFLICT) {
        probe->state = QX_PROBE_RUNNING;
        probe->sent = 0;
    }
    if (probe->sent < PROBES) {
        probe->sent++;
        probe->due = now + (probe->sent < PROBES ? PROBE_INTERVAL : ANNOUNCE_WAIT);
        return true;
    }
    probe->state = QX_PROBE_CLEAR;
    probe->due = 0;
    return false;
}

bool qx_probe_heard(struct qx_probe *probe, int64_t now, uint32_t sender, uint32_t target,
                    const uint8_t mac[6]) {
    if (probe->state == QX_PROBE_IDLE)
        return false;
    bool claimed = sender == probe->address;
    bool probed =
        sender == 0 && target == probe->address && !probe->shared && probe->state == QX_PROBE_RUNNING;
    if (!claimed && !probed)
        return false;
    probe->state = QX_PROBE_CONFLICT;
    /* Two stations that probed in step meet different addresses, so they do not try again in step. */
    probe->due = now + ATTEMPT_AGAIN + mac[5] * 10 * MS;
    memcpy(probe->holder, mac, sizeof probe->holder);
    return true;
}
