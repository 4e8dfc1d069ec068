/* SPDX-License-Identifier: Apache-2.0 */
/* guardian: the parent of the daemon, which knows what the engine holds and acts when the daemon cannot.
 *
 * It starts the daemon, and when that dies (any signal, any exit that is not an orderly one) or its engine
 * stops beating, it kills what is left, says in the daemon's stead that this unit stops being Master, takes
 * the service addresses away, stops the applications and starts the daemon again. Where no active Backup is
 * known that would only take the telephone away: then it keeps the addresses alive and goes on advertising
 * until the next daemon takes them over. Nothing of Python runs in it.
 */
#pragma once

enum {
    QX_EXIT_DONE = 0,
    QX_EXIT_FAILED = 1,
    QX_EXIT_USAGE = 2,
    QX_EXIT_REBOOT = 3 /* of a daemon: start me again as after power-on */
};

/* Returns -1 in the daemon's process, which goes on to Python; in the guardian the exit code when all is
 * over. */
int qx_guardian(const char *root);
