/* SPDX-License-Identifier: Apache-2.0 */
#include "thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>

enum { STACK = 256 * 1024 };

int qx_thread_start(pthread_t *thread, int priority, void *(*body)(void *), void *data, bool *realtime) {
    pthread_attr_t attributes;
    struct sched_param parameter = {.sched_priority = priority};
    sigset_t all, before;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
    pthread_attr_setschedparam(&attributes, &parameter);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, &attributes, body, data);
    *realtime = !failed;
    if (failed == EPERM) {
        parameter.sched_priority = 0;
        pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
        pthread_attr_setschedparam(&attributes, &parameter);
        failed = pthread_create(thread, &attributes, body, data);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -failed;
}
