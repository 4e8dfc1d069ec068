/* SPDX-License-Identifier: Apache-2.0 */
/* thread: a thread of C with a small stack, without signals (they are Python's). */
#pragma once
#include <pthread.h>
#include <stdbool.h>

/* Starts it with that SCHED_FIFO priority where it is permitted, else as any other: `realtime` says which.
 * 0 or a negative errno. */
int qx_thread_start(pthread_t *thread, int priority, void *(*body)(void *), void *data, bool *realtime);
