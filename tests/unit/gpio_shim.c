/* SPDX-License-Identifier: Apache-2.0
 *
 * gpio_shim: stands where the kernel's GPIO character device is (LD_PRELOAD), for tests on a machine without one.
 *
 * QX_GPIO_CHIP    a file that counts as a chip of 8 lines
 * QX_GPIO_TRACE   a file to which each request and each write is appended:
 *                 `request LINES LOW VALUES` or `set MONOTONIC_NS BITS MASK`, in hexadecimal but the time
 * QX_GPIO_FAIL    a file whose presence makes every write fail with EIO
 *
 * Only what the kernel's uAPI promises (Documentation/userspace-api/gpio) is checked and answered.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/gpio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static int refuse(int code) {
    errno = code;
    return -1;
}

static void trace(const char *line) {
    int out = open(getenv("QX_GPIO_TRACE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    (void)!write(out, line, strlen(line));
    close(out);
}

static int request_lines(struct gpio_v2_line_request *request) {
    char line[160];
    unsigned long long low = 0, values = 0, all = (1ULL << request->num_lines) - 1;
    if (request->num_lines < 1 || request->num_lines > GPIO_V2_LINES_MAX || request->padding[0])
        return refuse(EINVAL);
    if (request->config.flags != GPIO_V2_LINE_FLAG_OUTPUT || request->config.num_attrs > 2)
        return refuse(EINVAL);
    for (unsigned i = 0; i < request->num_lines; i++)
        if (request->offsets[i] >= 8)
            return refuse(EINVAL);
    static const struct gpio_v2_line_config_attribute none;
    for (unsigned i = request->config.num_attrs; i < GPIO_V2_LINE_NUM_ATTRS_MAX; i++)
        if (memcmp(&request->config.attrs[i], &none, sizeof none) != 0)
            return refuse(EINVAL); /* seen of Linux 6.1 on a PL061 */
    for (unsigned i = 0; i < request->config.num_attrs; i++) {
        const struct gpio_v2_line_config_attribute *attr = &request->config.attrs[i];
        if (!attr->mask || (attr->mask & ~all))
            return refuse(EINVAL);
        if (attr->attr.id == GPIO_V2_LINE_ATTR_ID_FLAGS && attr->attr.flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW)
            low |= attr->mask;
        else if (attr->attr.id == GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES)
            values |= attr->attr.values & attr->mask;
        else
            return refuse(EINVAL);
    }
    request->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    char offsets[64] = "";
    for (unsigned i = 0; i < request->num_lines; i++)
        snprintf(offsets + strlen(offsets), sizeof offsets - strlen(offsets), "%s%u", i ? "," : "",
                 request->offsets[i]);
    snprintf(line, sizeof line, "request %s %llx %llx\n", offsets, low, values);
    trace(line);
    return 0;
}

static int set_values(const struct gpio_v2_line_values *values) {
    struct timespec now;
    char line[120];
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (access(getenv("QX_GPIO_FAIL"), F_OK) == 0)
        return refuse(EIO);
    snprintf(line, sizeof line, "set %lld %llx %llx\n", now.tv_sec * 1000000000LL + now.tv_nsec,
             (unsigned long long)values->bits, (unsigned long long)values->mask);
    trace(line);
    return 0;
}

int ioctl(int fd, unsigned long request, ...) {
    static int (*real)(int, unsigned long, ...);
    char link[64], path[PATH_MAX];
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (!real)
        real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    if (request == GPIO_V2_LINE_SET_VALUES_IOCTL)
        return set_values(argument);
    if (request != GPIO_V2_GET_LINE_IOCTL)
        return real(fd, request, argument);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    return strcmp(path, getenv("QX_GPIO_CHIP")) ? refuse(ENOTTY) : request_lines(argument);
}
