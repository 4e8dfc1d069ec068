/* SPDX-License-Identifier: Apache-2.0 */
/* kernel: what the voice data's tree asks of the kernel and the standard library of Python does not offer: a
 * flush of one file system, and hints about changes. These are the C library's own; ctypes for three
 * functions would cost half a megabyte.
 */
#pragma once
#include <stdint.h>
#include <sys/inotify.h>
#include <unistd.h>

/* syncfs(2): 0, or -1 and errno. */
int syncfs(int handle);
/* inotify(7): a descriptor, or -1 and errno. */
int inotify_init1(int flags);
/* The number of the watch, or -1 and errno. */
int inotify_add_watch(int handle, const char *path, uint32_t mask);
