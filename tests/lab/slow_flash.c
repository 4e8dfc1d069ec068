/* SPDX-License-Identifier: Apache-2.0
 *
 * slow_flash: a flash that takes its time, or fails (LD_PRELOAD), for tests: while the file QX_SLOW is there,
 * every flush waits until it is gone; while QX_FAIL is there, every flush fails with EIO.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int slowly(const char *name, int fd) {
    const char *slow = getenv("QX_SLOW"), *fail = getenv("QX_FAIL");
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    while (slow && !access(slow, F_OK))
        usleep(20000);
    if (fail && !access(fail, F_OK)) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int fsync(int fd) {
    return slowly("fsync", fd);
}

int fdatasync(int fd) {
    return slowly("fdatasync", fd);
}

int syncfs(int fd) {
    return slowly("syncfs", fd);
}
