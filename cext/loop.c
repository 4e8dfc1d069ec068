/* SPDX-License-Identifier: Apache-2.0 */
/* loop: the engine's thread's loop: wait, hear what came, do what is due. */
#include "engine.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "engine_state.h"

#define BEAT         (25 * QX_MS) /* the guardian looks as often */
#define WINDOW       (10 * QX_MS)
#define GATHER       (QX_MS / 2)
#define COUNTERS_AGE (100 * QX_MS) /* that old a view may be where only counters changed */

enum { FLOOD = 64 /* packets in a window; a group at 10 ms has one */ };

/* --- what is due ---------------------------------------------------------------------------------------- */

static void probe_cleared(struct qx_engine *engine, int64_t now, int probe) {
    struct qx_event event = {
        .kind = QX_EVENT_CLAIM, .address = engine->probes[probe].address, .b = probe, .at = now};
    if (probe == QX_PROBE_VIRTUAL) {
        qx_carry_virtual(engine, now);
        qx_tell(engine, &event);
    } else if (!engine->setup.plan.group) {
        qx_carry_hold(engine, now, probe == QX_PROBE_WAN);
        qx_announce_start(&engine->announce, now);
        qx_carry_announce(engine);
        qx_tell(engine, &event);
    }
}

static void probes(struct qx_engine *engine, int64_t now) {
    for (int i = 0; i < QX_PROBES; i++) {
        bool running = engine->probes[i].state != QX_PROBE_CLEAR;
        if (qx_probe_timer(&engine->probes[i], now))
            qx_carry_probe(engine, i);
        if (running && engine->probes[i].state == QX_PROBE_CLEAR)
            probe_cleared(engine, now, i);
    }
    const struct qx_probe *lan = &engine->probes[QX_PROBE_LAN], *wan = &engine->probes[QX_PROBE_WAN];
    bool wan_free = wan->state == QX_PROBE_CLEAR || wan->state == QX_PROBE_IDLE;
    if (engine->setup.plan.group && engine->group.service != QX_SERVICE_FREE &&
        lan->state == QX_PROBE_CLEAR && wan_free)
        qx_group_service(&engine->group, now, QX_SERVICE_FREE);
}

static void lease(struct qx_engine *engine, int64_t now) {
    int64_t until = atomic_load_explicit(&engine->lease_until, memory_order_relaxed);
    qx_group_lease(&engine->group, until, atomic_load_explicit(&engine->armed, memory_order_relaxed));
    qx_group_keyed(&engine->group, atomic_load_explicit(&engine->keyed, memory_order_relaxed));
    if (!until || now < until || engine->lease_told)
        return;
    engine->lease_told = true;
    struct qx_event event = {.kind = QX_EVENT_LEASE, .at = now};
    qx_tell(engine, &event);
}

static void due(struct qx_engine *engine, int64_t now) {
    struct qx_round round;
    if (engine->setup.plan.group) {
        qx_round_begin(engine, &round);
        qx_group_timer(&engine->group, now, &round.actions);
        qx_round_end(engine, now, &round);
        if (qx_carry_hello_is_due(engine, now))
            qx_carry_hello(engine, now);
    }
    probes(engine, now);
    if (qx_announce_due(&engine->announce, now)) {
        qx_carry_announce(engine);
        qx_carry_doubt(engine);
    }
    if (engine->peer_known && now - engine->group.hello_seen > 3 * QX_SECOND) {
        struct qx_event event = {.kind = QX_EVENT_PEER, .at = now};
        engine->peer_known = false;
        qx_tell(engine, &event);
    }
    /* Only after the group has let go, so that the guardian finds nothing left to keep. */
    if (engine->lease_told)
        atomic_store(&engine->estate->restart, 1);
}

static void orders(struct qx_engine *engine, int64_t now) {
    uint32_t wanted = atomic_exchange(&engine->orders, 0);
    struct qx_round round;
    qx_round_begin(engine, &round);
    engine->group.wan_tracking = atomic_load(&engine->wan_tracking) && engine->setup.plan.wan[0];
    qx_group_passive(&engine->group, now, atomic_load(&engine->passive), &round.actions);
    if (wanted & QX_ORDER_RELEASE)
        qx_group_release(&engine->group, now, QX_CAUSE_ORDER, &round.actions);
    if (wanted & QX_ORDER_PROMOTE)
        qx_group_promote(&engine->group, now, &round.actions);
    qx_round_end(engine, now, &round);
}

static int64_t next_due(const struct qx_engine *engine, int64_t now) {
    int64_t next = now + BEAT;
    if (!engine->attached)
        return next;
    int64_t wanted = qx_group_deadline(&engine->group, now);
    next = wanted < next ? wanted : next;
    if (engine->announce.due && engine->announce.due < next)
        next = engine->announce.due;
    for (int i = 0; i < QX_PROBES; i++)
        if (engine->probes[i].due && engine->probes[i].due < next)
            next = engine->probes[i].due;
    return next;
}

/* --- the loop ------------------------------------------------------------------------------------------- */

static void drain(struct qx_engine *engine, int64_t now, const struct epoll_event *ready, int count) {
    for (int i = 0; i < count; i++) {
        uint64_t words;
        switch (ready[i].data.u32) {
        case QX_FROM_WAKE:
            (void)!read(engine->wake, &words, sizeof words);
            break;
        case QX_FROM_VRRP:
            qx_hear_vrrp(engine, now);
            break;
        case QX_FROM_LAN_ARP:
            qx_hear_arp(engine, now, 0);
            break;
        case QX_FROM_WAN_ARP:
            qx_hear_arp(engine, now, 1);
            break;
        case QX_FROM_HELLO:
            qx_hear_hello(engine, now);
            break;
        case QX_FROM_LINKS:
            qx_hear_links(engine, now);
            break;
        }
    }
}

static void notice_lateness(struct qx_engine *engine, int64_t now, int64_t expected) {
    if (now - expected > engine->status.latest_ns)
        engine->status.latest_ns = now - expected;
    if (!engine->attached || !engine->setup.plan.group)
        return;
    qx_group_wake(&engine->group, now);
    if (engine->group.late) {
        struct qx_event event = {
            .kind = QX_EVENT_LATE, .b = (int32_t)((now - engine->group.sent) / QX_MS), .at = now};
        engine->status.late++;
        qx_tell(engine, &event);
    }
}

/* How long to wait until `expected`. Under a flood each packet would wake the engine on its own: then it
 * looks every half millisecond and takes what has gathered; timers keep their time. */
static int64_t patience(struct qx_engine *engine, int64_t now, int64_t expected) {
    int64_t wait = expected > now ? expected - now : 0;
    if (now - engine->window > WINDOW) {
        engine->flooded = engine->window_packets > FLOOD;
        engine->window_packets = 0;
        engine->window = now;
    }
    if (!engine->flooded || wait == 0)
        return wait;
    int64_t pause = wait < GATHER ? wait : GATHER;
    const struct timespec nap = {.tv_nsec = pause};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
    return wait - pause;
}

static bool view_is_due(const struct qx_engine *engine, int64_t now) {
    return engine->changed || (engine->counted && now - engine->viewed > COUNTERS_AGE);
}

void *qx_loop(void *data) {
    struct qx_engine *engine = data;
    bool going = true;
    prctl(PR_SET_NAME, "qx-engine");
    prctl(PR_SET_TIMERSLACK, 1UL);
    engine->started = qx_now();
    atomic_store(&engine->estate->beating, 1);
    while (going) {
        struct epoll_event ready[QX_SOURCES];
        int64_t now = qx_now();
        int64_t expected = next_due(engine, now);
        int64_t wait = patience(engine, now, expected);
        struct timespec timeout = {.tv_sec = wait / QX_SECOND, .tv_nsec = wait % QX_SECOND};
        int count = epoll_pwait2(engine->epoll, ready, QX_SOURCES, &timeout, NULL);
        now = qx_now();
        atomic_fetch_add_explicit(&engine->estate->beat, 1, memory_order_relaxed);
        notice_lateness(engine, now, expected);
        drain(engine, now, ready, count < 0 ? 0 : count);
        if (engine->attached) {
            lease(engine, now);
            if (engine->setup.plan.group)
                orders(engine, now);
            due(engine, now);
        }
        going = qx_attach_serve(engine, now);
        if (view_is_due(engine, now))
            qx_show(engine, now);
    }
    atomic_store(&engine->estate->beating, 0);
    return NULL;
}
