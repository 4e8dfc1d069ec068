/* SPDX-License-Identifier: Apache-2.0 */
#include "announce.h"

#define MS     1000000LL
#define SECOND (1000 * MS)

/* After becoming Master, from its moment on. Then once a minute. */
static const int64_t steps[] = {20 * MS, 200 * MS, SECOND, 5 * SECOND, 20 * SECOND};
enum { AT_A_SECOND = 2, STEPS = sizeof steps / sizeof steps[0] };

static int64_t scheduled(const struct qx_announce *announce, int64_t now) {
    if (announce->step >= STEPS)
        return now + 60 * SECOND;
    int64_t due = announce->since + steps[announce->step];
    /* After the first second a set may have been brought forward: a second lies between any two. */
    return announce->step > AT_A_SECOND && due < now + SECOND ? now + SECOND : due;
}

void qx_announce_start(struct qx_announce *announce, int64_t now) {
    announce->since = now;
    announce->sent = now;
    announce->step = 0;
    announce->due = scheduled(announce, now);
}

void qx_announce_stop(struct qx_announce *announce) {
    *announce = (struct qx_announce){0};
}

void qx_announce_again(struct qx_announce *announce, int64_t now) {
    if (!announce->since)
        return;
    int64_t earliest = announce->sent + SECOND;
    int64_t wanted = now > earliest ? now : earliest;
    if (wanted < announce->due)
        announce->due = wanted;
    /* The loser of a split announces until it yields: a second set follows (keepalived issue 277). */
    if (announce->step >= STEPS) {
        announce->since = wanted;
        announce->step = AT_A_SECOND;
    }
}

bool qx_announce_due(struct qx_announce *announce, int64_t now) {
    if (!announce->due || now < announce->due)
        return false;
    announce->sent = now;
    while (announce->step < STEPS && announce->since + steps[announce->step] <= now)
        announce->step++;
    announce->due = scheduled(announce, now);
    return true;
}
