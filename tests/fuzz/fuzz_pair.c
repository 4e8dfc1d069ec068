/* SPDX-License-Identifier: Apache-2.0 */
/* R4, R9, R10: two units on one LAN under any faults at any times (libFuzzer, ASan, UBSan).
 *
 * The octets are a schedule: what breaks or is mended, and for how long nothing else does. Frames between the
 * units are lost, late, there twice or overtaken by others. While both hear each other, two hold the address
 * for no longer than two intervals. When everything is mended there is one Master with a Backup that it
 * knows, and when that Master dies the Backup takes over. tests/unit/pair_simulator.py tells the same in
 * stories.
 */
#include "fuzz.h"
#include "group.h"

#include <string.h>

#define MS          1000000LL
#define SECOND      (1000 * MS)
#define WIRE        (50 * 1000LL)
#define LATEST      (25 * MS) /* of a line that is late */
#define LEASE       (10 * SECOND)
#define HELLO_EVERY (SECOND / 2)

enum { QUEUE = 256, STEPS = 40, VRID = 18 };
enum kind { ADVERT, HELLO, QUESTION, ANSWER };
enum line { CLEAN, LATE, TWICE, LOSSY, FROM_A_LOST, FROM_B_LOST, LINES };

struct packet {
    int64_t due;
    uint8_t kind, to;
    uint8_t priority; /* of an advertisement */
    uint8_t state;    /* of an answer */
    uint32_t wait;    /* of a question, and of its answer */
    struct qx_hello hello;
};

struct unit {
    struct qx_group group;
    struct qx_actions actions;
    bool powered, carrier, muted, passive, armed, control;
    bool holds;
    uint32_t wait; /* which of its waits it asks in */
    int64_t hello_at, answered;
};

struct lan {
    struct unit units[2];
    int64_t now, interval, clear_since, two_since;
    uint8_t version, line;
    bool split;
    uint32_t chance;
    struct packet queue[QUEUE];
    int waiting;
};

static uint32_t dice(struct lan *lan) {
    lan->chance = lan->chance * 1664525u + 1013904223u;
    return lan->chance >> 16;
}

static int number(const struct lan *lan, const struct unit *unit) {
    return (int)(unit - lan->units);
}

/* --- the LAN -------------------------------------------------------------------------------------------- */

static bool carries(const struct lan *lan) {
    return !lan->split && lan->units[0].powered && lan->units[0].carrier && lan->units[1].powered &&
           lan->units[1].carrier;
}

static void send(struct lan *lan, const struct unit *from, struct packet packet, bool multicast) {
    int which = number(lan, from), copies = 1;
    if (lan->split || !from->carrier || (multicast && from->muted) || lan->line == FROM_A_LOST + which ||
        (lan->line == LOSSY && dice(lan) % 4 == 0))
        return;
    if (lan->line == TWICE && dice(lan) % 2)
        copies = 2;
    packet.to = (uint8_t)(1 - which);
    for (; copies && lan->waiting < QUEUE; copies--) {
        packet.due = lan->now + WIRE + (lan->line == LATE ? dice(lan) % (LATEST - WIRE) : 0);
        lan->queue[lan->waiting++] = packet;
    }
}

static void say_hello(struct lan *lan, struct unit *unit) {
    const struct qx_group *group = &unit->group;
    unit->hello_at = lan->now + HELLO_EVERY;
    if (!group->ready || !group->link)
        return;
    struct packet packet = {.kind = HELLO,
                            .hello = {.state = (uint8_t)group->fsm.state,
                                      .priority = qx_group_priority(group, lan->now),
                                      .vrid = VRID,
                                      .version = lan->version,
                                      .interval_cs = (uint16_t)(lan->interval / (10 * MS)),
                                      .armed = qx_group_armed(group, lan->now),
                                      .passive = group->passive,
                                      .wan_link = true}};
    send(lan, unit, packet, false);
}

/* --- a unit --------------------------------------------------------------------------------------------- */

static void carry_out(struct lan *lan, struct unit *unit, enum qx_state before) {
    struct qx_group *group = &unit->group;
    struct packet advert = {.kind = ADVERT}, question = {.kind = QUESTION};
    for (int i = 0; i < unit->actions.count; i++) {
        switch (unit->actions.kind[i]) {
        case QX_SEND_ADVERT:
        case QX_SEND_RELEASE:
            if (!group->link)
                break;
            qx_group_sent(group, lan->now);
            advert.priority =
                unit->actions.kind[i] == QX_SEND_RELEASE ? 0 : qx_group_priority(group, lan->now);
            send(lan, unit, advert, true);
            break;
        case QX_ADDRESSES_UP:
            unit->holds = true;
            break;
        case QX_ADDRESSES_DOWN:
            unit->holds = false;
            break;
        case QX_INQUIRE:
            unit->wait += group->first;
            question.wait = unit->wait;
            send(lan, unit, question, false);
            break;
        default:
            break;
        }
    }
    unit->actions.count = 0;
    REQUIRE(unit->holds == (group->fsm.state == QX_MASTER));
    if (group->fsm.state != before) {
        REQUIRE(group->fsm.state != QX_MASTER || group->link);
        say_hello(lan, unit);
    }
}

/* After each event: what is due. */
static void let_act(struct lan *lan, struct unit *unit) {
    struct qx_group *group = &unit->group;
    const struct unit *other = &lan->units[1 - number(lan, unit)];
    enum qx_state before = group->fsm.state;
    if (!unit->powered)
        return;
    qx_group_lease(group, unit->control ? lan->now + LEASE : group->lease_until, unit->armed);
    qx_group_keyed(group, true);
    if (before == QX_BACKUP && !group->heard)
        qx_group_service(group, lan->now, carries(lan) && other->holds ? QX_SERVICE_TAKEN : QX_SERVICE_FREE);
    qx_group_timer(group, lan->now, &unit->actions);
    carry_out(lan, unit, before);
    if (lan->now >= unit->hello_at)
        say_hello(lan, unit);
}

static void hear(struct lan *lan, const struct packet *packet) {
    struct unit *unit = &lan->units[packet->to], *other = &lan->units[1 - packet->to];
    struct qx_group *group = &unit->group;
    enum qx_state before = group->fsm.state;
    struct packet answer = {.kind = ANSWER, .state = (uint8_t)before, .wait = packet->wait};
    if (lan->split || !unit->powered || !unit->carrier)
        return;
    qx_group_wake(group, lan->now);
    switch (packet->kind) {
    case ADVERT:
        group->fsm.answer_lower = lan->version == 3 && lan->now - unit->answered > lan->interval / 2;
        qx_group_advert(group, lan->now, packet->priority, other->group.fsm.primary, lan->interval,
                        &unit->actions);
        if (group->fsm.state == QX_MASTER && packet->priority && unit->actions.count)
            unit->answered = lan->now;
        break;
    case HELLO:
        qx_group_hello(group, lan->now, &packet->hello, &unit->actions);
        break;
    case QUESTION:
        send(lan, unit, answer, false);
        break;
    default:
        if (packet->wait == unit->wait)
            qx_group_answered(group, (enum qx_state)packet->state);
    }
    carry_out(lan, unit, before);
    let_act(lan, unit);
}

static void power_off(struct unit *unit) {
    unit->powered = unit->holds = false;
}

static void boot(struct lan *lan, struct unit *unit) {
    struct qx_group *group = &unit->group;
    int which = number(lan, unit);
    memset(group, 0, sizeof *group);
    group->fsm.version = lan->version;
    group->fsm.interval = lan->interval;
    group->fsm.primary = 0x0a4d0001u + (uint32_t)which;
    group->peer = 0x0a4d0002u - (uint32_t)which;
    group->vrid = VRID;
    group->wan_tracking = true;
    qx_group_reset(group, lan->now);
    group->passive = unit->passive;
    unit->powered = true;
    unit->hello_at = lan->now;
    unit->answered = 0;
    qx_group_ready(group, true);
    qx_group_link(group, lan->now, unit->carrier, &unit->actions);
    qx_group_start(group, lan->now, false, &unit->actions);
    carry_out(lan, unit, QX_INITIALIZE);
    let_act(lan, unit);
}

static void set_carrier(struct lan *lan, struct unit *unit, bool up) {
    enum qx_state before = unit->group.fsm.state;
    unit->carrier = up;
    if (!unit->powered)
        return;
    qx_group_link(&unit->group, lan->now, up, &unit->actions);
    carry_out(lan, unit, before);
    let_act(lan, unit);
}

static void set_passive(struct lan *lan, struct unit *unit, bool passive) {
    enum qx_state before = unit->group.fsm.state;
    unit->passive = passive && before != QX_MASTER;
    if (!unit->powered)
        return;
    qx_group_passive(&unit->group, lan->now, passive, &unit->actions);
    carry_out(lan, unit, before);
    let_act(lan, unit);
}

/* The daemon is killed, and the guardian releases in its stead. */
static void die(struct lan *lan, struct unit *unit) {
    struct packet release = {.kind = ADVERT};
    bool master = unit->powered && unit->group.fsm.state == QX_MASTER;
    power_off(unit);
    if (master)
        send(lan, unit, release, true);
}

/* --- the clock ------------------------------------------------------------------------------------------ */

static void look(struct lan *lan) {
    bool clear = carries(lan) && lan->line == CLEAN && !lan->units[0].muted && !lan->units[1].muted;
    bool two = lan->units[0].holds && lan->units[1].holds;
    lan->clear_since = !clear ? 0 : lan->clear_since ? lan->clear_since : lan->now;
    lan->two_since = !two ? 0 : lan->two_since ? lan->two_since : lan->now;
    if (clear && two) {
        int64_t since = lan->clear_since > lan->two_since ? lan->clear_since : lan->two_since;
        REQUIRE(lan->now - since <= 2 * lan->interval + LATEST);
    }
}

static int64_t next_event(const struct lan *lan, int64_t until) {
    int64_t next = until;
    for (int i = 0; i < 2; i++) {
        const struct unit *unit = &lan->units[i];
        if (!unit->powered)
            continue;
        int64_t due = qx_group_deadline(&unit->group, lan->now);
        due = due < unit->hello_at ? due : unit->hello_at;
        next = due < next ? due : next;
    }
    for (int i = 0; i < lan->waiting; i++)
        next = lan->queue[i].due < next ? lan->queue[i].due : next;
    return next > lan->now ? next : lan->now;
}

static void run(struct lan *lan, int64_t duration) {
    int64_t until = lan->now + duration;
    for (int turns = 0;;) {
        int64_t next = next_event(lan, until);
        bool last = next >= until;
        turns = next > lan->now ? 0 : turns + 1;
        REQUIRE(turns < 100); /* or the engine would never rest */
        lan->now = next;
        look(lan);
        for (int i = 0; i < lan->waiting;) {
            if (lan->queue[i].due > lan->now) {
                i++;
                continue;
            }
            struct packet packet = lan->queue[i];
            lan->waiting--;
            memmove(&lan->queue[i], &lan->queue[i + 1], sizeof packet * (size_t)(lan->waiting - i));
            hear(lan, &packet);
        }
        for (int i = 0; i < 2; i++) {
            if (lan->units[i].powered)
                qx_group_wake(&lan->units[i].group, lan->now);
            let_act(lan, &lan->units[i]);
        }
        look(lan);
        if (last)
            return;
    }
}

/* --- a schedule ----------------------------------------------------------------------------------------- */

static void strike(struct lan *lan, uint8_t what) {
    struct unit *unit = &lan->units[what & 1];
    switch ((what >> 1) % 16) {
    case 0:
        power_off(unit);
        break;
    case 1:
    case 2:
        if (!unit->powered)
            boot(lan, unit);
        break;
    case 3:
        die(lan, unit);
        break;
    case 4:
        set_carrier(lan, unit, false);
        break;
    case 5:
        set_carrier(lan, unit, true);
        break;
    case 6:
        lan->split = true;
        break;
    case 7:
        lan->split = false;
        break;
    case 8:
        unit->muted = true;
        break;
    case 9:
        unit->muted = false;
        break;
    case 10:
        set_passive(lan, unit, true);
        break;
    case 11:
        set_passive(lan, unit, false);
        break;
    case 12:
        unit->armed = !unit->armed;
        break;
    case 13:
        unit->control = false;
        break;
    case 14:
        lan->line = (uint8_t)((what >> 5) % LINES);
        break;
    default:
        lan->line = CLEAN;
    }
    look(lan);
}

static int64_t pause_of(const struct lan *lan, uint8_t how) {
    static const int64_t base[] = {0, 1, WIRE, MS, 12 * MS, SECOND / 2, SECOND, 3 * SECOND};
    return how & 1 ? lan->interval * (how >> 1) / 32 : base[(how >> 1) % 8] * (1 + (how >> 4));
}

static void mend(struct lan *lan) {
    lan->split = false;
    lan->line = CLEAN;
    for (int i = 0; i < 2; i++) {
        struct unit *unit = &lan->units[i];
        unit->muted = false;
        unit->armed = unit->control = true;
        if (!unit->carrier)
            set_carrier(lan, unit, true);
        set_passive(lan, unit, false);
        if (!unit->powered || !unit->group.running) {
            power_off(unit);
            boot(lan, unit);
        }
    }
    look(lan);
}

static void one_master(struct lan *lan) {
    int master = lan->units[1].holds;
    struct unit *old = &lan->units[master], *other = &lan->units[1 - master];
    REQUIRE(old->holds && !other->holds && other->group.fsm.state == QX_BACKUP);
    REQUIRE(old->group.seat == QX_SEAT_CONFIRMED);
    power_off(old);
    run(lan, qx_master_down_interval(lan->version, QX_PRIORITY_LISTENER, lan->interval) + 2 * MS);
    REQUIRE(other->holds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct lan lan;
    struct feed feed = {data, size};
    uint8_t how = take(&feed);
    memset(&lan, 0, sizeof lan);
    lan.now = 1000 * SECOND;
    lan.version = how & 1 ? 3 : 2;
    lan.interval = !(how & 1) ? SECOND : how & 2 ? 100 * MS : 20 * MS;
    lan.chance = how;
    for (int i = 0; i < 2; i++) {
        lan.units[i].carrier = lan.units[i].armed = lan.units[i].control = true;
        boot(&lan, &lan.units[i]);
        run(&lan, how & (4 << i) ? 6 * SECOND : 0);
    }
    for (int steps = 0; feed.left && steps < STEPS; steps++) {
        strike(&lan, take(&feed));
        run(&lan, pause_of(&lan, take(&feed)));
    }
    mend(&lan);
    run(&lan, 30 * SECOND);
    one_master(&lan);
    return 0;
}
