/* SPDX-License-Identifier: Apache-2.0 */
/* applications: stopping them without the daemon: ROOT/etc/qx/master.d/S??name stop, highest number first. */
#pragma once
#include <sys/types.h>

/* Does it in a process of its own, which holds ROOT/run/qx/applications.lock meanwhile, so that a new daemon
 * waits for its end before it starts any. Returns its process id, or -errno. */
pid_t qx_applications_stop(const char *root);
