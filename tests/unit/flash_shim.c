/* SPDX-License-Identifier: Apache-2.0
 *
 * flash_shim: stands between a program and its flash (LD_PRELOAD), for tests.
 *
 * QX_SHIM_ROOT    only files below this folder are looked at
 * QX_SHIM_FAIL    a file whose presence makes every flush fail with EIO
 * QX_SHIM_TRACE   a file to which each operation that changes flash is appended, before it is done:
 *                 kind (1), length of the path (2), offset (8), length of the octets (4), path, octets
 *                 kinds: w write, t truncate (to offset), f flush, u unlink, c create
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name, ...)                                                                                      \
    static int (*real)(__VA_ARGS__);                                                                         \
    if (!real)                                                                                               \
    real = (int (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static const char *path_of(int fd, char *room) {
    const char *root = getenv("QX_SHIM_ROOT");
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, room, PATH_MAX - 1);
    if (!root || n <= 0)
        return NULL;
    room[n] = '\0';
    return strncmp(room, root, strlen(root)) ? NULL : room;
}

static void note(char kind, const char *path, uint64_t at, const void *octets, uint32_t length) {
    static int out = -2;
    static ssize_t (*plain)(int, const void *, size_t);
    const char *file = getenv("QX_SHIM_TRACE");
    if (!file || !path)
        return;
    if (out == -2) {
        out = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        plain = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    }
    uint16_t width = (uint16_t)strlen(path);
    size_t size = 15 + width + (octets ? length : 0);
    char *record = malloc(size);
    record[0] = kind;
    memcpy(record + 1, &width, 2);
    memcpy(record + 3, &at, 8);
    memcpy(record + 11, &length, 4);
    memcpy(record + 15, path, width);
    if (octets)
        memcpy(record + 15 + width, octets, length);
    if (plain(out, record, size) != (ssize_t)size)
        abort();
    free(record);
}

ssize_t pwrite64(int fd, const void *octets, size_t count, off64_t at) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    char room[PATH_MAX];
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    note('w', path_of(fd, room), (uint64_t)at, octets, (uint32_t)count);
    return real(fd, octets, count, at);
}

ssize_t pwrite(int fd, const void *octets, size_t count, off_t at) {
    return pwrite64(fd, octets, count, at);
}

ssize_t write(int fd, const void *octets, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    char room[PATH_MAX];
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    const char *path = path_of(fd, room);
    if (path)
        note('w', path, (uint64_t)lseek(fd, 0, SEEK_CUR), octets, (uint32_t)count);
    return real(fd, octets, count);
}

int ftruncate64(int fd, off64_t length) {
    REAL("ftruncate64", int, off64_t);
    char room[PATH_MAX];
    note('t', path_of(fd, room), (uint64_t)length, NULL, 0);
    return real(fd, length);
}

int ftruncate(int fd, off_t length) {
    return ftruncate64(fd, length);
}

int unlink(const char *path) {
    REAL("unlink", const char *);
    const char *root = getenv("QX_SHIM_ROOT");
    if (root && !strncmp(path, root, strlen(root)))
        note('u', path, 0, NULL, 0);
    return real(path);
}

static int flush(int fd, int (*real)(int)) {
    char room[PATH_MAX];
    const char *path = path_of(fd, room), *fail = getenv("QX_SHIM_FAIL");
    if (path && fail && !access(fail, F_OK)) {
        errno = EIO;
        return -1;
    }
    int done = real(fd);
    note('f', path, 0, NULL, 0);
    return done;
}

int fsync(int fd) {
    REAL("fsync", int);
    return flush(fd, real);
}

int fdatasync(int fd) {
    REAL("fdatasync", int);
    return flush(fd, real);
}
