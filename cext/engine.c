/* SPDX-License-Identifier: Apache-2.0 */
/* engine: the thread and its loop, and what Python may ask of it. */
#include "engine.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "engine_state.h"

enum { REALTIME_PRIORITY = 50 };
enum { FROM_WAKE, FROM_VRRP, FROM_LAN_ARP, FROM_WAN_ARP, FROM_HELLO, FROM_LINKS, SOURCES };

#define BEAT (25 * QX_MS) /* the guardian looks as often */

struct qx_engine qx_engine = {.epoll = -1, .wake = -1, .notify = -1};
struct qx_estate *qx_estate;

int64_t qx_engine_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * QX_SECOND + now.tv_nsec;
}

/* --- one event through the group ------------------------------------------------------------------------ */

void qx_round_begin(struct qx_engine *engine, struct qx_round *round) {
    round->actions.count = 0;
    round->state = (uint8_t)engine->group.fsm.state;
    round->block = engine->group.block;
    round->parameter = engine->group.parameter;
}

static void start_service_probes(struct qx_engine *engine, int64_t now) {
    const struct qx_plan *plan = &engine->setup.plan;
    qx_probe_start(&engine->probes[QX_PROBE_LAN], plan->lan_service, true, now, 0);
    if (plan->wan_service && engine->group.wan_link)
        qx_probe_start(&engine->probes[QX_PROBE_WAN], plan->wan_service, true, now, 0);
}

static void on_new_state(struct qx_engine *engine, int64_t now, const struct qx_round *round) {
    const struct qx_group *group = &engine->group;
    struct qx_event event = {.kind = QX_EVENT_STATE,
                             .a = (int32_t)group->fsm.state,
                             .b = group->cause,
                             .from = engine->status.master,
                             .at = now};
    if (group->fsm.state == QX_MASTER) {
        engine->status.become_master++;
        event.announced = event.addresses = qx_engine_now();
    } else if (round->state == QX_MASTER) {
        engine->status.release_master++;
    }
    qx_probe_stop(&engine->probes[QX_PROBE_LAN]);
    qx_probe_stop(&engine->probes[QX_PROBE_WAN]);
    if (group->fsm.state == QX_BACKUP && !group->heard)
        start_service_probes(engine, now);
    qx_tell(engine, &event);
    qx_carry_hello(engine, now);
}

void qx_round_end(struct qx_engine *engine, int64_t now, struct qx_round *round) {
    const struct qx_group *group = &engine->group;
    atomic_store_explicit(&engine->estate->working, round->actions.count > 0, memory_order_relaxed);
    qx_carry(engine, now, &round->actions);
    atomic_store_explicit(&engine->estate->working, 0, memory_order_relaxed);
    if (round->actions.count)
        engine->changed = true;
    if (group->fsm.state != round->state)
        on_new_state(engine, now, round);
    if (group->block != round->block) {
        struct qx_event event = {.kind = QX_EVENT_BLOCK, .a = group->block, .at = now};
        for (int i = QX_PROBE_LAN; group->block == QX_BLOCK_CONFLICT && i < QX_PROBES; i++)
            if (engine->probes[i].state == QX_PROBE_CONFLICT)
                qx_tell_conflict(engine, now, i, engine->probes[i].address, engine->probes[i].holder);
        qx_tell(engine, &event);
    }
    if (group->parameter != round->parameter) {
        struct qx_event event = {.kind = QX_EVENT_PARAMETER,
                                 .a = group->parameter,
                                 .b = (int32_t)group->parameter_theirs,
                                 .from = engine->setup.plan.peer,
                                 .at = now};
        qx_tell(engine, &event);
    }
}

/* --- the plan comes and goes ---------------------------------------------------------------------------- */

static void watch(struct qx_engine *engine, int descriptor, uint32_t source) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};
    if (descriptor >= 0)
        epoll_ctl(engine->epoll, EPOLL_CTL_ADD, descriptor, &event);
}

static void put_octets(uint8_t octets[16], uint32_t address) {
    for (int i = 0; i < 4; i++)
        octets[i] = (uint8_t)(address >> (24 - 8 * i));
}

static void prepare_ladder(struct qx_engine *engine) {
    const struct qx_plan *plan = &engine->setup.plan;
    struct qx_local *local = &engine->local;
    *local = (struct qx_local){.family = 4,
                               .version = plan->version,
                               .vrid = plan->vrid,
                               .priority = QX_PRIORITY_LISTENER,
                               .interval_cs = (uint16_t)plan->interval_cs,
                               .has_primary = true,
                               .has_peer = plan->peer != 0,
                               .check_addresses = true,
                               .address_count = 1};
    put_octets(local->primary, plan->virtual_ip);
    put_octets(local->peer, plan->peer);
    put_octets(local->addresses[0], plan->lan_service);
}

static void attach_group(struct qx_engine *engine, int64_t now) {
    const struct qx_plan *plan = &engine->setup.plan;
    struct qx_group *group = &engine->group;
    struct qx_round round;
    group->fsm.version = plan->version;
    group->fsm.primary = plan->virtual_ip;
    group->fsm.interval = plan->interval_cs * 10 * QX_MS;
    group->vrid = plan->vrid;
    group->virtual_mac = plan->virtual_mac;
    group->wan_tracking = plan->wan_tracking && plan->wan[0];
    group->peer = plan->peer;
    qx_group_reset(group, now);
    group->passive = plan->passive;
    group->wan_link = plan->wan[0] == 0 || engine->setup.wan.carrier;
    prepare_ladder(engine);
    if (engine->setup.virtual_present)
        qx_carry_virtual(engine, now);
    qx_group_lease(group, atomic_load(&engine->lease_until), atomic_load(&engine->armed));
    if (engine->setup.lan.carrier)
        qx_hear_link(engine, now, 0, true);
    qx_round_begin(engine, &round);
    qx_group_start(group, now, plan->resume, &round.actions);
    qx_round_end(engine, now, &round);
}

static void attach(struct qx_engine *engine, int64_t now) {
    pthread_mutex_lock(&engine->holding);
    engine->setup = *engine->handed;
    memset(engine->held, 0, sizeof engine->held);
    memset(engine->raised, 0, sizeof engine->raised);
    pthread_mutex_unlock(&engine->holding);
    engine->attached = true;
    engine->lease_told = engine->peer_known = false;
    memset(engine->probes, 0, sizeof engine->probes);
    watch(engine, engine->setup.vrrp, FROM_VRRP);
    watch(engine, engine->setup.arp[0], FROM_LAN_ARP);
    watch(engine, engine->setup.arp[1], FROM_WAN_ARP);
    watch(engine, engine->setup.hello, FROM_HELLO);
    memset(&engine->group, 0, sizeof engine->group);
    if (engine->setup.plan.group) {
        attach_group(engine, now);
    } else {
        qx_group_reset(&engine->group, now);
        engine->group.wan_link = false;
        if (engine->setup.lan.carrier)
            qx_hear_link(engine, now, 0, true);
        if (engine->setup.wan.carrier)
            qx_hear_link(engine, now, 1, true);
        for (int i = 0; i < engine->setup.service_count && engine->setup.plan.resume; i++)
            qx_carry_hold(engine, now, i);
    }
    atomic_store(&engine->estate->taken, 1);
}

/* `quiet`: the same unit goes on in a moment with another plan, so nobody is told. */
static void detach(struct qx_engine *engine, int64_t now, bool quiet) {
    struct qx_round round;
    if (!engine->attached)
        return;
    if (engine->setup.plan.group && !quiet) {
        qx_round_begin(engine, &round);
        qx_group_stop(&engine->group, now, &round.actions);
        qx_round_end(engine, now, &round);
    }
    for (int i = 0; i < engine->setup.service_count; i++)
        qx_carry_drop(engine, i);
    qx_announce_stop(&engine->announce);
    int sockets[] = {engine->setup.vrrp, engine->setup.hello, engine->setup.arp[0], engine->setup.arp[1]};
    for (unsigned i = 0; i < sizeof sockets / sizeof sockets[0]; i++)
        if (sockets[i] >= 0)
            epoll_ctl(engine->epoll, EPOLL_CTL_DEL, sockets[i], NULL);
    memset(&engine->group, 0, sizeof engine->group);
    engine->attached = false;
}

static bool serve_request(struct qx_engine *engine, int64_t now) {
    int request = atomic_load(&engine->request);
    if (request == QX_REQUEST_NONE)
        return true;
    atomic_store_explicit(&engine->estate->working, 1, memory_order_relaxed);
    if (request == QX_REQUEST_ATTACH)
        attach(engine, now);
    else
        detach(engine, now, request == QX_REQUEST_QUIET);
    atomic_store_explicit(&engine->estate->working, 0, memory_order_relaxed);
    qx_tell_show(engine, now);
    atomic_store(&engine->request, QX_REQUEST_NONE);
    sem_post(&engine->done);
    return request != QX_REQUEST_END;
}

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
        if (now >= engine->hello_at)
            qx_carry_hello(engine, now);
    }
    probes(engine, now);
    if (qx_announce_due(&engine->announce, now))
        qx_carry_announce(engine);
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
        case FROM_WAKE:
            (void)!read(engine->wake, &words, sizeof words);
            break;
        case FROM_VRRP:
            qx_hear_vrrp(engine, now);
            break;
        case FROM_LAN_ARP:
            qx_hear_arp(engine, now, 0);
            break;
        case FROM_WAN_ARP:
            qx_hear_arp(engine, now, 1);
            break;
        case FROM_HELLO:
            qx_hear_hello(engine, now);
            break;
        case FROM_LINKS:
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

static void *loop(void *data) {
    struct qx_engine *engine = data;
    bool going = true;
    prctl(PR_SET_NAME, "qx-engine");
    prctl(PR_SET_TIMERSLACK, 1UL);
    engine->started = qx_engine_now();
    atomic_store(&engine->estate->beating, 1);
    while (going) {
        struct epoll_event ready[SOURCES];
        int64_t now = qx_engine_now();
        int64_t expected = next_due(engine, now);
        int64_t wait = expected > now ? expected - now : 0;
        struct timespec timeout = {.tv_sec = wait / QX_SECOND, .tv_nsec = wait % QX_SECOND};
        int count = epoll_pwait2(engine->epoll, ready, SOURCES, &timeout, NULL);
        now = qx_engine_now();
        atomic_fetch_add_explicit(&engine->estate->beat, 1, memory_order_relaxed);
        notice_lateness(engine, now, expected);
        drain(engine, now, ready, count < 0 ? 0 : count);
        if (engine->attached) {
            lease(engine, now);
            if (engine->setup.plan.group)
                orders(engine, now);
            due(engine, now);
        }
        going = serve_request(engine, now);
        /* The guardian's copy of the peer's last sign of life may be a few rounds old, but not many. */
        if (engine->changed)
            qx_tell_show(engine, now);
    }
    atomic_store(&engine->estate->beating, 0);
    return NULL;
}

/* --- for Python ----------------------------------------------------------------------------------------- */

static void post(struct qx_engine *engine) {
    uint64_t one = 1;
    (void)!write(engine->wake, &one, sizeof one);
}

static void ask(struct qx_engine *engine, enum qx_request request) {
    atomic_store(&engine->request, request);
    post(engine);
    while (sem_wait(&engine->done) < 0 && errno == EINTR)
        ;
}

int qx_thread_start(pthread_t *thread, int priority, void *(*body)(void *), struct qx_engine *engine) {
    pthread_attr_t attributes;
    struct sched_param parameter = {.sched_priority = priority};
    sigset_t all, before;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
    pthread_attr_setschedparam(&attributes, &parameter);
    sigfillset(&all); /* signals are Python's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, &attributes, body, engine);
    engine->status.realtime = !failed;
    if (failed == EPERM) {
        parameter.sched_priority = 0;
        pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
        pthread_attr_setschedparam(&attributes, &parameter);
        failed = pthread_create(thread, &attributes, body, engine);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -failed;
}

int qx_engine_start(const char *run, char *error) {
    static struct qx_estate alone; /* where no guardian is */
    struct qx_engine *engine = &qx_engine;
    char path[QX_JOURNAL_PATH];
    if (engine->epoll >= 0) {
        snprintf(error, QX_ERROR, "the engine runs already");
        return -EALREADY;
    }
    engine->estate = qx_estate ? qx_estate : &alone;
    engine->changed = true; /* the first round shows a view */
    snprintf(path, sizeof path, "%s/interfaces", run);
    qx_journal_load(&engine->journal, path);
    engine->epoll = epoll_create1(EPOLL_CLOEXEC);
    engine->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sem_init(&engine->done, 0, 0);
    if (getrandom(&engine->random, sizeof engine->random, 0) < 0)
        engine->random = (uint64_t)qx_engine_now();
    int failed = qx_netlink_open(&engine->netlink);
    if (!failed)
        failed = qx_netlink_open(&engine->preparing);
    if (!failed)
        failed = qx_netlink_open(&engine->keeping);
    if (!failed)
        failed = qx_netlink_watch(&engine->watch);
    if (failed) {
        snprintf(error, QX_ERROR, "cannot open a netlink socket: %s", strerror(-failed));
        return failed;
    }
    watch(engine, engine->wake, FROM_WAKE);
    watch(engine, qx_netlink_descriptor(&engine->watch), FROM_LINKS);
    /* Pages are locked as they are touched; locking all that Python maps would take three times as much. */
    engine->status.locked = mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
    failed = qx_keep_start(engine);
    if (!failed)
        failed = qx_thread_start(&engine->thread, REALTIME_PRIORITY, loop, engine);
    for (int tries = 0; !failed && tries < 1000 && !atomic_load(&engine->shown_index); tries++)
        usleep(100); /* until it has shown its first view */
    if (failed)
        snprintf(error, QX_ERROR, "cannot start the engine's threads: %s", strerror(-failed));
    return failed;
}

static void set_hang_limit(struct qx_engine *engine, const struct qx_plan *plan) {
    uint32_t limit = 100; /* ms */
    /* Without real-time priority a busy machine keeps the loop from its time; the promise is two intervals.
     */
    if (!engine->status.realtime && plan->group && plan->interval_cs * 20 > limit)
        limit = plan->interval_cs * 20;
    if (!engine->status.realtime && limit < 2000 && (!plan->group || plan->interval_cs >= 100))
        limit = 2000;
    atomic_store(&engine->estate->hang_ms, limit);
}

int qx_engine_attach(const struct qx_plan *plan, char *error) {
    static struct qx_setup setup;
    struct qx_engine *engine = &qx_engine;
    if (engine->attached) {
        ask(engine, plan->resume ? QX_REQUEST_QUIET : QX_REQUEST_DETACH);
        qx_setup_clear(&engine->setup, &engine->journal, &engine->preparing, false);
    } else if (!plan->resume) {
        qx_journal_undo(&engine->journal, QX_ENTRY_SERVICE | QX_ENTRY_LINK | QX_ENTRY_SYSCTL,
                        &engine->preparing);
    }
    int failed = qx_setup_make(&setup, plan, &engine->journal, &engine->preparing, error);
    if (failed) {
        atomic_store(&engine->estate->taken, 1);
        return failed;
    }
    set_hang_limit(engine, plan);
    atomic_store(&engine->passive, plan->passive);
    atomic_store(&engine->only_peer, plan->only_peer);
    atomic_store(&engine->wan_tracking, plan->wan_tracking);
    atomic_store(&engine->term, plan->term);
    engine->handed = &setup;
    ask(engine, QX_REQUEST_ATTACH);
    return 0;
}

int qx_engine_detach(char *error) {
    struct qx_engine *engine = &qx_engine;
    if (!engine->attached) {
        snprintf(error, QX_ERROR, "the engine holds no plan");
        return -ENOENT;
    }
    ask(engine, QX_REQUEST_DETACH);
    qx_setup_clear(&engine->setup, &engine->journal, &engine->preparing, true);
    return 0;
}

void qx_engine_stop(void) {
    struct qx_engine *engine = &qx_engine;
    bool attached = engine->attached;
    if (engine->epoll < 0)
        return;
    ask(engine, QX_REQUEST_END);
    pthread_join(engine->thread, NULL);
    qx_keep_stop(engine);
    if (attached)
        qx_setup_clear(&engine->setup, &engine->journal, &engine->preparing, true);
    qx_netlink_close(&engine->netlink);
    qx_netlink_close(&engine->preparing);
    qx_netlink_close(&engine->keeping);
    qx_netlink_close(&engine->watch);
    close(engine->epoll);
    close(engine->wake);
    engine->epoll = engine->wake = -1;
}

void qx_engine_lease(int64_t milliseconds, bool armed) {
    atomic_store(&qx_engine.armed, armed);
    atomic_store(&qx_engine.lease_until, qx_engine_now() + milliseconds * QX_MS);
    post(&qx_engine);
}

void qx_engine_passive(bool passive) {
    atomic_store(&qx_engine.passive, passive);
    post(&qx_engine);
}

void qx_engine_release(void) {
    atomic_fetch_or(&qx_engine.orders, QX_ORDER_RELEASE);
    post(&qx_engine);
}

void qx_engine_promote(void) {
    atomic_store(&qx_engine.passive, false);
    atomic_fetch_or(&qx_engine.orders, QX_ORDER_PROMOTE);
    post(&qx_engine);
}

void qx_engine_only_peer(bool only_peer) {
    atomic_store(&qx_engine.only_peer, only_peer);
}

void qx_engine_wan_tracking(bool wan_tracking) {
    atomic_store(&qx_engine.wan_tracking, wan_tracking);
    post(&qx_engine);
}

void qx_engine_term(uint32_t term) {
    atomic_store(&qx_engine.term, term);
}

int qx_engine_descriptor(void) {
    return qx_engine.notify;
}

bool qx_engine_kept(void) {
    return qx_estate && atomic_load(&qx_estate->kept);
}
