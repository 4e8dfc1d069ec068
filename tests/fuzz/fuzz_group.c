/* SPDX-License-Identifier: Apache-2.0 */
/* R3, R7, R9, R11: one unit's state machine (group.h around fsm.h) under any events at any times (libFuzzer,
 * ASan, UBSan).
 *
 * The octets are a schedule: how long to wait, and what happens then. The address is where the actions put
 * it, and the promises are asked of that. In the end everything that holds the unit back is taken away and
 * nobody speaks: then it becomes Master, and advertises once an interval.
 */
#include "fuzz.h"
#include "group.h"

#include <string.h>

#define MS       1000000LL
#define SECOND   (1000 * MS)
#define LONG     (3600 * SECOND)
#define PATIENCE (3000 * SECOND) /* longer than any wait: Master_Down_Interval of 255 s, twice, and some */

enum { PEER = 0x0a4d0002, OURS = 0x0a4d0001, STRANGER = 0x0a4d00fe };

struct unit {
    struct qx_group group;
    struct qx_actions actions;
    int64_t now;
    bool holds; /* the service address is on the interface */
};

enum event {
    TIMER,
    START,
    RESUME,
    STOP,
    LINK,
    WAN,
    READY,
    SERVICE,
    LEASE,
    PASSIVE,
    RELEASE,
    PROMOTE,
    ADVERT,
    REFUSED,
    HELLO,
    KEYED,
    ANSWERED,
    EVENTS
};

static void carry_out(struct unit *unit) {
    struct qx_group *group = &unit->group;
    REQUIRE(unit->actions.count < QX_ACTIONS_MAX); /* or one may have been dropped */
    for (int i = 0; i < unit->actions.count; i++) {
        switch (unit->actions.kind[i]) {
        case QX_SEND_ADVERT:
            if (group->link)
                qx_group_sent(group, unit->now);
            break;
        case QX_SEND_RELEASE:
            REQUIRE(!unit->holds); /* it is gone before it is said to be free */
            break;
        case QX_ADDRESSES_UP:
            REQUIRE(!unit->holds);
            unit->holds = true;
            break;
        case QX_ADDRESSES_DOWN:
            REQUIRE(unit->holds);
            unit->holds = false;
            break;
        case QX_ANNOUNCE:
            REQUIRE(unit->holds);
            break;
        case QX_INQUIRE:
            REQUIRE(group->fsm.state == QX_BACKUP && group->keyed && group->armed);
            break;
        default:
            REQUIRE(false);
        }
    }
    unit->actions.count = 0;
}

static void hold_together(const struct unit *unit) {
    const struct qx_group *group = &unit->group;
    REQUIRE(group->fsm.state <= QX_MASTER && group->block <= QX_BLOCK_ALIVE && group->cause <= QX_CAUSE_STOP);
    REQUIRE(unit->holds == (group->fsm.state == QX_MASTER));
    REQUIRE((group->seat == QX_SEAT_NONE) == (group->fsm.state != QX_MASTER));
    REQUIRE((group->fsm.deadline == 0) == (group->fsm.state == QX_INITIALIZE));
    REQUIRE(qx_group_priority(group, unit->now) >= QX_PRIORITY_RETURNED);
    if (group->fsm.state == QX_INITIALIZE)
        return;
    REQUIRE(group->running && !group->passive);
    REQUIRE(group->link || (group->fsm.state == QX_MASTER && group->link_lost));
}

/* What is due. By itself a unit becomes Master only where nothing speaks against it. */
static void turn(struct unit *unit) {
    struct qx_group *group = &unit->group;
    const struct qx_group before = *group;
    qx_group_timer(group, unit->now, &unit->actions);
    if (before.fsm.state != QX_MASTER && group->fsm.state == QX_MASTER) {
        REQUIRE(before.fsm.state == QX_BACKUP && unit->now >= before.fsm.deadline);
        REQUIRE(before.armed && unit->now < before.lease_until && before.ready && !before.alive);
        REQUIRE(before.heard || before.service == QX_SERVICE_FREE);
        REQUIRE(before.parameter == QX_SAME || unit->now >= before.parameter_until);
    }
    carry_out(unit);
    hold_together(unit);
}

/* The engine rests after it, or after one turn more: where the Master's interval is longer than ours, the
 * wait after a block may be shorter than the time in which to ask. */
static void let_it_act(struct unit *unit) {
    turn(unit);
    if (qx_group_deadline(&unit->group, unit->now) <= unit->now)
        turn(unit);
    REQUIRE(qx_group_deadline(&unit->group, unit->now) > unit->now);
}

static void wait(struct unit *unit, struct feed *feed) {
    uint8_t how = take(feed);
    int64_t due = qx_group_deadline(&unit->group, unit->now);
    int64_t until = unit->now;
    switch (how % 8) {
    case 0:
        break;
    case 1:
        until = due == INT64_MAX ? unit->now : due;
        break;
    case 2:
        until = due == INT64_MAX ? unit->now : due - 1;
        break;
    case 3:
        until += (how >> 3) * MS;
        break;
    case 4:
        until += (how >> 3) * 33 * MS;
        break;
    case 5:
        until += (how >> 3) * SECOND;
        break;
    case 6:
        until = due == INT64_MAX ? unit->now : due + (how >> 3) * SECOND;
        break;
    default:
        until += (how >> 3) * 1009;
    }
    unit->now = until > unit->now ? until : unit->now;
    qx_group_wake(&unit->group, unit->now);
}

static int64_t interval_of(struct unit *unit, struct feed *feed) {
    static const int64_t some[] = {10 * MS, 100 * MS, SECOND, 3 * SECOND, 40950 * MS, 255 * SECOND};
    uint8_t which = take(feed);
    return which < sizeof some / sizeof some[0] ? some[which] : unit->group.fsm.interval;
}

/* The peer's advertisement with another parameter: what it sends this often holds a unit back for three times
 * as long, and no more than seconds of it, or a schedule would be nothing but its looking again. */
static void refused(struct unit *unit, struct feed *feed, uint8_t which) {
    uint8_t priority = take(feed);
    int64_t interval = interval_of(unit, feed);
    qx_group_refused(&unit->group, unit->now, (enum qx_parameter)(1 + which % 3), 7, priority,
                     interval < 3 * SECOND ? interval : 3 * SECOND, &unit->actions);
}

static void advert(struct unit *unit, struct feed *feed) {
    static const uint32_t senders[] = {PEER, STRANGER, OURS - 1, UINT32_MAX};
    uint8_t priority = take(feed), sender = take(feed);
    int64_t interval = interval_of(unit, feed);
    /* Version 2 has refused another interval before (packet.h), version 3 has no longer one than this. */
    if (unit->group.fsm.version == 2)
        interval = unit->group.fsm.interval;
    else if (interval > 40950 * MS)
        interval = 40950 * MS;
    unit->group.fsm.answer_lower = unit->group.fsm.version == 3 && (sender & 4);
    qx_group_advert(&unit->group, unit->now, priority, senders[sender % 4], interval, &unit->actions);
}

static void hello(struct unit *unit, struct feed *feed) {
    uint8_t flags = take(feed), priority = take(feed), differs = take(feed);
    struct qx_hello said = {.state = (uint8_t)(flags % 3),
                            .armed = flags & 4,
                            .passive = flags & 8,
                            .wan_link = flags & 16,
                            .master_before = flags & 32,
                            .stood_down = flags & 64,
                            .deaf = flags & 128,
                            .priority = priority,
                            .vrid = (uint8_t)(18 + (differs & 1)),
                            .version = (uint8_t)(2 + ((unit->group.fsm.version == 3) ^ (differs >> 1 & 1))),
                            .interval_cs = (uint16_t)(unit->group.fsm.interval / (10 * MS) + (differs >> 2))};
    qx_group_hello(&unit->group, unit->now, &said, &unit->actions);
}

static void happen(struct unit *unit, struct feed *feed) {
    struct qx_group *group = &unit->group;
    uint8_t what = take(feed), flag = what / EVENTS & 1;
    bool could;
    switch (what % EVENTS) {
    case TIMER:
        break;
    case START:
        qx_group_start(group, unit->now, false, &unit->actions);
        break;
    case RESUME:
        qx_group_start(group, unit->now, true, &unit->actions);
        break;
    case STOP:
        qx_group_stop(group, unit->now, &unit->actions);
        REQUIRE(group->fsm.state == QX_INITIALIZE);
        break;
    case LINK:
        qx_group_link(group, unit->now, flag, &unit->actions);
        break;
    case WAN:
        qx_group_wan(group, unit->now, flag);
        break;
    case READY:
        qx_group_ready(group, flag);
        break;
    case SERVICE:
        qx_group_service(group, unit->now, (enum qx_service_probe)(take(feed) % 3));
        break;
    case LEASE:
        qx_group_lease(group, unit->now + take(feed) * SECOND / 10, flag);
        break;
    case PASSIVE:
        qx_group_passive(group, unit->now, flag, &unit->actions);
        break;
    case RELEASE:
        could = group->fsm.state == QX_MASTER;
        REQUIRE(qx_group_release(group, unit->now, QX_CAUSE_ORDER, &unit->actions) == could);
        REQUIRE(group->fsm.state != QX_MASTER);
        break;
    case PROMOTE:
        could = group->running && group->link && group->ready;
        REQUIRE(qx_group_promote(group, unit->now, &unit->actions) == could);
        REQUIRE(!could || group->fsm.state == QX_MASTER);
        break;
    case ADVERT:
        could = group->fsm.state == QX_MASTER;
        advert(unit, feed);
        REQUIRE(could || group->fsm.state != QX_MASTER); /* nothing that is heard makes a Master at once */
        break;
    case REFUSED:
        refused(unit, feed, what / EVENTS);
        break;
    case HELLO:
        could = group->fsm.state == QX_MASTER;
        hello(unit, feed);
        REQUIRE(could || group->fsm.state != QX_MASTER);
        break;
    case KEYED:
        qx_group_keyed(group, true); /* a key stays until there is another (inquiry.py) */
        break;
    default:
        qx_group_answered(group, (enum qx_state)(take(feed) % 3));
    }
    carry_out(unit);
    hold_together(unit);
}

/* R9: nobody is there, and nothing holds it back. */
static void left_alone(struct unit *unit) {
    struct qx_group *group = &unit->group;
    const int64_t began = unit->now;
    qx_group_lease(group, unit->now + 10 * LONG, true);
    qx_group_ready(group, true);
    qx_group_wan(group, unit->now, true);
    qx_group_link(group, unit->now, true, &unit->actions);
    carry_out(unit);
    qx_group_passive(group, unit->now, false, &unit->actions);
    carry_out(unit);
    qx_group_start(group, unit->now, false, &unit->actions);
    carry_out(unit);
    for (let_it_act(unit); group->fsm.state != QX_MASTER; let_it_act(unit)) {
        REQUIRE(group->fsm.state == QX_BACKUP);
        if (!group->heard)
            qx_group_service(group, unit->now, QX_SERVICE_FREE);
        unit->now =
            qx_group_deadline(group, unit->now) > unit->now ? qx_group_deadline(group, unit->now) : unit->now;
        REQUIRE(unit->now - began < PATIENCE);
    }
    for (int i = 0; i < 5; i++) {
        const int64_t sent = group->sent;
        unit->now = group->fsm.deadline;
        let_it_act(unit);
        REQUIRE(group->fsm.state == QX_MASTER && group->sent == unit->now);
        REQUIRE(i == 0 || group->sent - sent == group->fsm.interval);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct feed feed = {data, size};
    struct unit unit = {.now = 1000 * SECOND};
    struct qx_group *group = &unit.group;
    uint8_t how = take(&feed);
    group->fsm.version = (uint8_t)(2 + (how & 1));
    group->fsm.preempt = how & 2;
    group->fsm.primary = OURS;
    group->fsm.interval = SECOND;
    group->fsm.interval = interval_of(&unit, &feed);
    if (group->fsm.version == 2 && group->fsm.interval < SECOND)
        group->fsm.interval = SECOND;
    if (group->fsm.version == 3 && group->fsm.interval > 40950 * MS)
        group->fsm.interval = 40950 * MS;
    group->vrid = 18;
    group->wan_tracking = how & 4;
    group->peer = how & 8 ? PEER : 0;
    qx_group_reset(group, unit.now);
    hold_together(&unit);
    while (feed.left) {
        wait(&unit, &feed);
        happen(&unit, &feed);
        let_it_act(&unit);
    }
    left_alone(&unit);
    return 0;
}
