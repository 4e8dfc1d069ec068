/* SPDX-License-Identifier: Apache-2.0 */
/* keep: a second thread that renews the lifetime of the addresses that the engine holds.
 *
 * A renewal asks the kernel for its routing lock, which others may hold for tens of milliseconds (a user's
 * `ip`, another name space); advertisements must not wait for it. So the engine touches addresses only when
 * the role changes, and this thread once a second while it holds them; it also brings a macvlan down that is
 * not needed any more, for which the kernel waits until no processor uses it. The lock between the two is
 * free in between; it makes sure that nothing is renewed that the engine has just taken away.
 */
#include <errno.h>
#include <sys/prctl.h>
#include <time.h>

#include "engine_state.h"
#include "thread.h"

enum { REALTIME_PRIORITY = 49 /* below the engine's */ };

static void renew(struct qx_engine *engine) {
    pthread_mutex_lock(&engine->holding);
    for (int i = 0; i < engine->setup.service_count; i++) {
        const struct qx_service *service = &engine->setup.services[i];
        if (!engine->held[i] && engine->raised[i]) {
            qx_netlink_link_up(&engine->keeping, service->device, false);
            engine->raised[i] = false;
        }
        if (!engine->held[i])
            continue;
        qx_netlink_address_add(&engine->keeping, &service->address);
        /* The kernel drops routes with a lost link and keeps the address: they come back here. */
        for (int r = 0; r < service->route_count; r++)
            qx_netlink_route_add(&engine->keeping, &service->routes[r]);
    }
    pthread_mutex_unlock(&engine->holding);
}

/* The unit stood still for longer than the addresses may have lived: what the engine holds is for the engine
 * to say first, and two beats are one whole round of it. */
static void after_the_engine(struct qx_engine *engine) {
    const struct timespec millisecond = {.tv_nsec = 1000000};
    uint64_t beat = atomic_load(&engine->estate->beat);
    for (int tries = 0; tries < 100 && atomic_load(&engine->estate->beat) < beat + 2; tries++)
        nanosleep(&millisecond, NULL);
}

static void *loop(void *data) {
    struct qx_engine *engine = data;
    prctl(PR_SET_NAME, "qx-keep");
    while (!atomic_load(&engine->ending)) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        while (sem_clockwait(&engine->renew_now, CLOCK_MONOTONIC, &until) < 0 && errno == EINTR)
            ;
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > until.tv_sec)
            after_the_engine(engine);
        renew(engine);
    }
    return NULL;
}

int qx_keep_start(struct qx_engine *engine) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&engine->holding, &attributes);
    pthread_mutexattr_destroy(&attributes);
    sem_init(&engine->renew_now, 0, 0);
    bool realtime; /* as the engine's, which says so */
    return qx_thread_start(&engine->keeper, REALTIME_PRIORITY, loop, engine, &realtime);
}

void qx_keep_stop(struct qx_engine *engine) {
    atomic_store(&engine->ending, true);
    sem_post(&engine->renew_now);
    pthread_join(engine->keeper, NULL);
}
