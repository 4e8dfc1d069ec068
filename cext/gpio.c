/* SPDX-License-Identifier: Apache-2.0 */
#include "gpio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "engine.h"

#define RETRY 1000000000LL /* ns after a write that the kernel refused */

struct wish {
    uint8_t count; /* 0: end */
    struct qx_blink blinks[QX_GPIO_LINES];
};

/* A wish is one write to a pipe: whole or not at all, and no lock. */
_Static_assert(sizeof(struct wish) < 4096, "more than PIPE_BUF would not be one write");

static struct {
    bool open;
    uint8_t count;
    int request;
    int timer;
    int wishes[2];
    pthread_t thread;
    atomic_uint refused;
    _Atomic int64_t latest;
} gpio;

/* --- the thread -------------------------------------------------------------------------------------------
 */

/* One masked write, of what changes. Returns when the next one is due; 0: nothing blinks. */
static int64_t step(const struct wish *now_shown, int64_t now, uint64_t *levels, bool *known) {
    int64_t next = 0;
    uint64_t wanted = 0;
    for (int i = 0; i < now_shown->count; i++) {
        int64_t until;
        if (qx_blink_level(&now_shown->blinks[i], now, &until))
            wanted |= 1ULL << i;
        if (until && (!next || until < next))
            next = until;
    }
    uint64_t all = (1ULL << gpio.count) - 1;
    struct gpio_v2_line_values values = {.bits = wanted, .mask = *known ? *levels ^ wanted : all};
    if (values.mask) {
        *known = ioctl(gpio.request, GPIO_V2_LINE_SET_VALUES_IOCTL, &values) == 0;
        if (!*known)
            atomic_fetch_add(&gpio.refused, 1);
        *levels = wanted;
    }
    if (!*known && (!next || next - now > RETRY))
        next = now + RETRY;
    return next;
}

static void arm(int64_t next) {
    const struct itimerspec when = {
        .it_value = {.tv_sec = next / 1000000000, .tv_nsec = next % 1000000000}}; /* 0: disarmed */
    timerfd_settime(gpio.timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void *run(void *unused) {
    struct wish shown = {.count = gpio.count}, wish;
    uint64_t levels = 0, ticks;
    int64_t next = 0;
    bool known = true; /* the request set them all off */
    struct pollfd ready[] = {{.fd = gpio.wishes[0], .events = POLLIN}, {.fd = gpio.timer, .events = POLLIN}};
    (void)unused;
    prctl(PR_SET_NAME, "qx-leds");
    prctl(PR_SET_TIMERSLACK, 1UL);
    for (;;) {
        if (poll(ready, 2, -1) < 0)
            continue;
        int64_t now = qx_now();
        if (ready[1].revents) {
            (void)!read(gpio.timer, &ticks, sizeof ticks);
            if (next && now - next > atomic_load(&gpio.latest))
                atomic_store(&gpio.latest, now - next);
        }
        if (ready[0].revents && read(gpio.wishes[0], &wish, sizeof wish) == (ssize_t)sizeof wish) {
            if (wish.count == 0)
                return NULL;
            shown = wish;
        }
        next = step(&shown, now, &levels, &known);
        arm(next);
    }
}

/* --- opening and closing ----------------------------------------------------------------------------------
 */

static int fail(char *error, const struct qx_gpio_lines *lines, const char *what, int code) {
    snprintf(error, QX_ERROR, "%s: %s: %s", lines->chip, what, strerror(code));
    return -code;
}

static void describe(const struct qx_gpio_lines *lines, struct gpio_v2_line_request *request) {
    struct gpio_v2_line_config_attribute *low = &request->config.attrs[0], *off = &request->config.attrs[1];
    snprintf(request->consumer, sizeof request->consumer, "qx-leds");
    request->num_lines = lines->count;
    request->config.flags = GPIO_V2_LINE_FLAG_OUTPUT;
    request->config.num_attrs = 2;
    low->attr.id = GPIO_V2_LINE_ATTR_ID_FLAGS;
    low->attr.flags = GPIO_V2_LINE_FLAG_OUTPUT | GPIO_V2_LINE_FLAG_ACTIVE_LOW;
    off->attr.id = GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES;
    off->attr.values = 0;
    for (int i = 0; i < lines->count; i++) {
        request->offsets[i] = lines->offset[i];
        off->mask |= 1ULL << i;
        if (lines->active_low[i])
            low->mask |= 1ULL << i;
    }
    if (!low->mask) { /* an attribute of no line is refused, and so is anything in one that is not counted */
        *low = *off;
        *off = (struct gpio_v2_line_config_attribute){0};
        request->config.num_attrs = 1;
    }
}

/* The lines of the chip as one request; its descriptor in `gpio.request`. */
static int take(const struct qx_gpio_lines *lines, char *error) {
    struct gpio_v2_line_request request = {0};
    int chip = open(lines->chip, O_RDWR | O_CLOEXEC);
    if (chip < 0)
        return fail(error, lines, "expected a GPIO chip", errno);
    describe(lines, &request);
    int code = ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request) < 0 ? errno : 0;
    close(chip);
    if (code)
        return fail(error, lines, "expected the lines of leds in board.toml, free", code);
    gpio.request = request.fd;
    return 0;
}

/* Just above the ordinary where that is permitted: a busy machine must not blur a rhythm. */
static int start(void) {
    const struct sched_param lowest = {.sched_priority = 1};
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 * 1024);
    sigfillset(&all); /* signals are Python's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&gpio.thread, &attributes, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (code == 0)
        (void)pthread_setschedparam(gpio.thread, SCHED_FIFO, &lowest);
    return code;
}

static int prepare(const struct qx_gpio_lines *lines, char *error) {
    gpio.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (gpio.timer < 0)
        return fail(error, lines, "timer", errno);
    if (pipe2(gpio.wishes, O_CLOEXEC | O_NONBLOCK) < 0)
        return fail(error, lines, "pipe", errno);
    int code = start();
    return code ? fail(error, lines, "thread", code) : 0;
}

static void give_back(void) {
    const int all[] = {gpio.request, gpio.timer, gpio.wishes[0], gpio.wishes[1]};
    for (int i = 0; i < 4; i++)
        if (all[i] >= 0)
            close(all[i]);
}

int qx_gpio_open(const struct qx_gpio_lines *lines, char *error) {
    if (gpio.open)
        return fail(error, lines, "a chip is open already", EBUSY);
    if (lines->count < 1 || lines->count > QX_GPIO_LINES)
        return fail(error, lines, "expected 1 to 8 lines", EINVAL);
    gpio.request = gpio.timer = gpio.wishes[0] = gpio.wishes[1] = -1;
    gpio.count = lines->count;
    atomic_store(&gpio.refused, 0);
    atomic_store(&gpio.latest, 0);
    int code = take(lines, error);
    if (code == 0)
        code = prepare(lines, error);
    if (code)
        give_back();
    gpio.open = code == 0;
    return code;
}

int qx_gpio_show(const struct qx_blink *blinks, uint8_t count) {
    struct wish wish = {.count = count};
    if (!gpio.open)
        return -EBADF;
    if (count != gpio.count)
        return -EINVAL;
    for (int i = 0; i < count; i++) {
        int code = qx_blink_check(&blinks[i], qx_now());
        if (code)
            return code;
        wish.blinks[i] = blinks[i];
    }
    return write(gpio.wishes[1], &wish, sizeof wish) == (ssize_t)sizeof wish ? 0 : -errno;
}

void qx_gpio_trouble(uint32_t *refused, int64_t *latest_ns) {
    *refused = atomic_load(&gpio.refused);
    *latest_ns = atomic_load(&gpio.latest);
}

void qx_gpio_close(void) {
    const struct wish end = {0};
    struct gpio_v2_line_values off = {.bits = 0, .mask = (1ULL << gpio.count) - 1};
    if (!gpio.open)
        return;
    fcntl(gpio.wishes[1], F_SETFL, 0); /* this one may wait: the thread takes what is before it */
    (void)!write(gpio.wishes[1], &end, sizeof end);
    pthread_join(gpio.thread, NULL);
    (void)ioctl(gpio.request, GPIO_V2_LINE_SET_VALUES_IOCTL, &off);
    give_back();
    gpio.open = false;
}
