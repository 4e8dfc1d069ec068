/* SPDX-License-Identifier: Apache-2.0 */
#include "applications.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH = 512, PATIENCE_S = 10 };

static int is_script(const struct dirent *entry) {
    const char *name = entry->d_name;
    return name[0] == 'S' && isdigit((unsigned char)name[1]) && isdigit((unsigned char)name[2]) && name[3];
}

static int descending(const struct dirent **a, const struct dirent **b) {
    return -strcmp((*a)->d_name, (*b)->d_name);
}

/* One script; one that does not come to an end is left behind after its time. */
static void stop_one(const char *path) {
    pid_t child = fork();
    if (child == 0) {
        setsid();
        execl(path, path, "stop", (char *)NULL);
        _exit(127);
    }
    for (int tenths = 0; child > 0 && tenths < PATIENCE_S * 10; tenths++) {
        const struct timespec tenth = {.tv_nsec = 100000000};
        if (waitpid(child, NULL, WNOHANG) == child)
            return;
        nanosleep(&tenth, NULL);
    }
    if (child > 0)
        kill(-child, SIGKILL);
}

static void stop_all(const char *root) {
    char path[PATH];
    struct dirent **scripts;
    snprintf(path, sizeof path, "%s/run/qx/applications.lock", root);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock >= 0)
        (void)!flock(lock, LOCK_EX);
    snprintf(path, sizeof path, "%s/etc/qx/master.d", root);
    int count = scandir(path, &scripts, is_script, descending);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/etc/qx/master.d/%s", root, scripts[i]->d_name);
        stop_one(path);
    }
}

pid_t qx_applications_stop(const char *root) {
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child > 0)
        return child;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    stop_all(root);
    _exit(0);
}
