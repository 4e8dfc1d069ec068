/* SPDX-License-Identifier: Apache-2.0 */
#include "admission.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guardian.h"

enum { PATH = 512, PATIENCE_MS = 1000, PAUSE_MS = 10 };

static bool privileged(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &header, data) < 0)
        return false;
    return (data[0].effective & 1u << CAP_NET_ADMIN) && (data[0].effective & 1u << CAP_NET_RAW);
}

static int make_folder(const char *root, const char *below) {
    char path[PATH];
    snprintf(path, sizeof path, "%s/%s", root, below);
    return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : -errno;
}

/* A daemon that was killed holds the lock until its last thread has ended, and the kernel was seen to take
 * 100 ms to close its packet sockets: init starts us again before that. */
static bool take(int lock) {
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    for (int waited = 0; flock(lock, LOCK_EX | LOCK_NB) < 0; waited += PAUSE_MS) {
        if (waited >= PATIENCE_MS)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

int qx_admission(const char *root, int *lock) {
    char path[PATH], other[16] = "";
    snprintf(path, sizeof path, "%s/etc/qx/board.toml", root);
    if (access(path, R_OK) < 0) {
        fprintf(stderr,
                "qx daemon: no unit is provisioned in %s: expected %s (qx provision --root %s makes it)\n",
                root, path, root);
        return QX_EXIT_FAILED;
    }
    if (!privileged()) {
        fprintf(stderr, "qx daemon: no privilege to change network interfaces: expected CAP_NET_ADMIN and "
                        "CAP_NET_RAW (run it as root)\n");
        return QX_EXIT_FAILED;
    }
    int failed = make_folder(root, "run");
    if (!failed)
        failed = make_folder(root, "run/qx");
    snprintf(path, sizeof path, "%s/run/qx/guardian.pid", root);
    *lock = failed ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*lock < 0) {
        fprintf(stderr, "qx daemon: cannot write %s: %s\n", path, strerror(failed ? -failed : errno));
        return QX_EXIT_FAILED;
    }
    if (!take(*lock)) {
        ssize_t got = pread(*lock, other, sizeof other - 1, 0);
        other[got > 0 ? strcspn(other, "\n") : 0] = 0;
        fprintf(stderr, "qx daemon: a daemon runs on root %s already (guardian process %s)\n", root, other);
        return QX_EXIT_FAILED;
    }
    return QX_EXIT_DONE;
}
