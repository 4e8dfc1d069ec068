/* SPDX-License-Identifier: Apache-2.0 */
/* face: what Python may ask of the engine, in Python's threads: slow preparation, hand-over, words. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "engine_state.h"
#include "thread.h"

enum { REALTIME_PRIORITY = 50 };

struct qx_engine qx_engine = {.epoll = -1, .wake = -1, .notify = -1};
struct qx_estate *qx_estate;

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
    qx_journal_open(&engine->journal, path);
    engine->epoll = epoll_create1(EPOLL_CLOEXEC);
    engine->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sem_init(&engine->done, 0, 0);
    if (getrandom(&engine->random, sizeof engine->random, 0) < 0)
        engine->random = (uint64_t)qx_now();
    if (getrandom(engine->nonce, sizeof engine->nonce, 0) < 0)
        memcpy(engine->nonce, &engine->random, sizeof engine->random);
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
    qx_attach_watch(engine, engine->wake, QX_FROM_WAKE);
    qx_attach_watch(engine, qx_netlink_descriptor(&engine->watch), QX_FROM_LINKS);
    /* Pages are locked as they are touched; locking all that Python maps would take three times as much. */
    engine->status.locked = mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
    failed = qx_keep_start(engine);
    if (!failed)
        failed =
            qx_thread_start(&engine->thread, REALTIME_PRIORITY, qx_loop, engine, &engine->status.realtime);
    for (int tries = 0; !failed && tries < 1000 && !atomic_load(&engine->shown_index); tries++)
        usleep(100); /* until it has shown its first view */
    if (failed)
        snprintf(error, QX_ERROR, "cannot start the engine's threads: %s", strerror(-failed));
    return failed;
}

static void set_hang_limit(struct qx_engine *engine, const struct qx_plan *plan) {
    /* ms: two intervals, within 100 and 300: sooner than that a machine that stumbles is taken for one that
     * hangs. */
    uint32_t limit = plan->group ? plan->interval_cs * 20 : 300;
    limit = limit < 100 ? 100 : limit > 300 ? 300 : limit;
    /* Without real-time priority a busy machine keeps the loop from its time; the promise is two intervals.
     */
    if (!engine->status.realtime && plan->group && plan->interval_cs * 20 > limit)
        limit = plan->interval_cs * 20;
    if (!engine->status.realtime && limit < 2000 && (!plan->group || plan->interval_cs >= 100))
        limit = 2000;
    if (limit < plan->hang_ms)
        limit = plan->hang_ms;
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
    atomic_store(&qx_engine.lease_until, qx_now() + milliseconds * QX_MS);
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

void qx_engine_key(const uint8_t *key) {
    uint64_t words[2];
    memcpy(words, key, sizeof words);
    atomic_store(&qx_engine.key[0], words[0]);
    atomic_store(&qx_engine.key[1], words[1]);
    atomic_store(&qx_engine.keyed, true);
}

int64_t qx_engine_now(void) {
    return qx_now();
}

int qx_engine_descriptor(void) {
    return qx_engine.notify;
}

bool qx_engine_kept(void) {
    return qx_estate && atomic_load(&qx_estate->kept);
}

bool qx_engine_event(struct qx_event *event) {
    struct qx_engine *engine = &qx_engine;
    uint32_t out = atomic_load_explicit(&engine->events_out, memory_order_relaxed);
    if (out == atomic_load_explicit(&engine->events_in, memory_order_acquire))
        return false;
    *event = engine->events[out % QX_EVENTS];
    atomic_store_explicit(&engine->events_out, out + 1, memory_order_release);
    return true;
}

/* The engine turns to the other copy at most every few milliseconds; a copy that changed while it was read
 * is read again. */
void qx_engine_status(struct qx_status *status) {
    struct qx_engine *engine = &qx_engine;
    uint32_t index;
    do {
        index = atomic_load_explicit(&engine->shown_index, memory_order_acquire);
        *status = engine->shown[index];
    } while (index != atomic_load_explicit(&engine->shown_index, memory_order_acquire));
}
