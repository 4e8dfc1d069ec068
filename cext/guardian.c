/* SPDX-License-Identifier: Apache-2.0 */
#include "guardian.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "admission.h"
#include "applications.h"
#include "estate.h"
#include "journal.h"

enum { PATH = 512, REALTIME_PRIORITY = 51 /* above the engine's */ };

#define MS            1000000LL
#define SECOND        (1000 * MS)
#define LOOK          (25 * MS)     /* as often as the engine beats */
#define PEER_LIFETIME (3 * SECOND)  /* an active Backup seen within this is there */
#define KEEP_LIMIT    (30 * SECOND) /* that long addresses are kept for a daemon that does not come back */
#define STOP_PATIENCE (10 * SECOND)
#define WORK_PATIENCE (2 * SECOND)
#define FREE_PATIENCE 5000 /* ms, before the engine has said its own: it holds nothing yet */
#define SETTLED       (60 * SECOND)

struct guardian {
    const char *root;
    int lock;
    int signals;
    int frames; /* packet socket to send with */
    struct qx_netlink netlink;
    struct qx_journal journal;
    pid_t daemon;
    int64_t started;
    unsigned failures;      /* in a row */
    int64_t start_at;       /* of the next daemon; 0: one runs */
    int64_t stopping_until; /* asked to stop; 0: not */
    /* the engine's beat */
    uint64_t beat;
    int64_t beat_at; /* when there was a new one last */
    int64_t silent;  /* ns since then, as far as looks were on time */
    int64_t looked;
    /* holdings kept in place for the next daemon */
    bool keeping;
    int64_t keep_until;
    int64_t renew_at;
    int64_t advert_at;
    struct qx_holdings kept;
};

static int64_t monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char line[256];
    va_list arguments;
    int length = snprintf(line, sizeof line, "qx guardian: ");
    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof line - (size_t)length - 1, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof line - 2)
        length = (int)sizeof line - 2;
    line[length] = '\n';
    (void)!write(STDERR_FILENO, line, (size_t)length + 1);
}

/* proc(5), oom_score_adj: at -1000 the kernel never ends this process where memory runs out. */
static void set_oom_score(const char *score) {
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return;
    (void)!write(file, score, strlen(score));
    close(file);
}

static void write_pid(const char *root, const char *name, pid_t pid) {
    char path[PATH], text[16];
    snprintf(path, sizeof path, "%s/run/qx/%s", root, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        return;
    (void)!write(file, text, (size_t)snprintf(text, sizeof text, "%d\n", (int)pid));
    close(file);
}

/* --- what the engine held ------------------------------------------------------------------------------- */

static void send_frame(struct guardian *guardian, int port, const uint8_t *frame, size_t length) {
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = port};
    (void)!sendto(guardian->frames, frame, length, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to);
}

/* The macvlan stays until the next daemon makes its own: without an address nothing is sent from it. */
static void take_away(struct guardian *guardian, const struct qx_holdings *holdings) {
    for (int i = 0; i < holdings->service_count; i++)
        qx_netlink_address_remove(&guardian->netlink, &holdings->services[i].address);
}

/* The peer takes over 11.7 ms after this in version 2. */
static void let_go(struct guardian *guardian, const struct qx_holdings *holdings) {
    if (holdings->group)
        send_frame(guardian, holdings->port, holdings->release, holdings->release_length);
    take_away(guardian, holdings);
}

static void stand_in(struct guardian *guardian, int64_t now) {
    struct qx_holdings *kept = &guardian->kept;
    if (atomic_load(&qx_estate->taken)) {
        guardian->keeping = false;
        atomic_store(&qx_estate->kept, 0);
        return;
    }
    if (now >= guardian->keep_until) {
        say("the daemon does not come back: the service addresses are given up");
        let_go(guardian, kept);
        qx_applications_stop(guardian->root);
        guardian->keeping = false;
        atomic_store(&qx_estate->kept, 0);
        return;
    }
    if (now >= guardian->renew_at) {
        for (int i = 0; i < kept->service_count; i++)
            qx_netlink_address_add(&guardian->netlink, &kept->services[i].address);
        guardian->renew_at = now + SECOND;
    }
    if (kept->group && now >= guardian->advert_at) {
        send_frame(guardian, kept->port, kept->advert, kept->advert_length);
        guardian->advert_at = now + kept->interval;
    }
}

static void keep(struct guardian *guardian, const struct qx_holdings *holdings, int64_t now) {
    if (!guardian->keeping) {
        guardian->kept = *holdings;
        guardian->keep_until = now + KEEP_LIMIT;
        guardian->renew_at = guardian->advert_at = now;
        guardian->keeping = true;
        atomic_store(&qx_estate->taken, 0);
        atomic_store(&qx_estate->kept, 1);
    }
    stand_in(guardian, now);
}

/* --- the daemon's life ---------------------------------------------------------------------------------- */

static bool reap(struct guardian *guardian, int *status) {
    bool gone = false;
    for (;;) {
        int one;
        pid_t pid = waitpid(-1, &one, WNOHANG); /* orphaned applications come here as well */
        if (pid <= 0)
            return gone;
        if (pid == guardian->daemon) {
            *status = one;
            gone = true;
        }
    }
}

static void kill_daemon(struct guardian *guardian) {
    int status;
    kill(guardian->daemon, SIGKILL);
    /* Its threads run no more once the signal is there; a system call under way may still end, so look a
     * moment for the end itself, and take the addresses away whether it came or not. */
    for (int tries = 0; tries < 20 && !reap(guardian, &status); tries++) {
        const struct timespec millisecond = {.tv_nsec = MS};
        nanosleep(&millisecond, NULL);
    }
}

static void after_death(struct guardian *guardian, int64_t now) {
    static const int64_t delays[] = {0, 250 * MS, 500 * MS, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND};
    const struct qx_holdings *holdings = &qx_estate->copy[atomic_load(&qx_estate->shown)];
    /* Then, and not now: an engine that hung heard nobody, and its Backup has taken over meanwhile. */
    bool active = holdings->peer_active && guardian->beat_at - holdings->peer_active < PEER_LIFETIME;
    if (guardian->keeping || (holdings->holding && !active)) {
        keep(guardian, holdings, now);
        say("no active Backup is known: the service addresses stay");
    } else if (holdings->holding) {
        let_go(guardian, holdings);
        qx_applications_stop(guardian->root);
    }
    if (now - guardian->started > SETTLED)
        guardian->failures = 0;
    unsigned last = sizeof delays / sizeof delays[0] - 1;
    guardian->start_at = now + delays[guardian->failures < last ? guardian->failures : last];
    guardian->failures++;
    guardian->daemon = 0;
    memset(qx_estate->copy, 0, sizeof qx_estate->copy);
}

/* Returns false in the new process. */
static bool start_daemon(struct guardian *guardian, int64_t now) {
    atomic_store(&qx_estate->beating, 0);
    atomic_store(&qx_estate->restart, 0);
    atomic_store(&qx_estate->working, 0);
    atomic_store(&qx_estate->taken, 0);
    atomic_store(&qx_estate->hang_ms, FREE_PATIENCE);
    guardian->silent = 0;
    pid_t guardian_pid = getpid();
    pid_t child = fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* a guardian that was killed takes the daemon along, in order */
        prctl(PR_SET_CHILD_SUBREAPER, 0);
        setpriority(PRIO_PROCESS, 0, 0);
        set_oom_score("0"); /* a daemon that is ended is started again */
        close(guardian->signals);
        close(guardian->frames);
        qx_netlink_close(&guardian->netlink);
        if (getppid() != guardian_pid)
            _exit(QX_EXIT_FAILED);
        return false;
    }
    guardian->started = now;
    guardian->start_at = 0;
    guardian->daemon = child > 0 ? child : 0;
    if (child < 0) {
        say("cannot start the daemon: %s", strerror(errno));
        guardian->start_at = now + SECOND;
        return true;
    }
    write_pid(guardian->root, "daemon.pid", child);
    return true;
}

/* --- looking after it ----------------------------------------------------------------------------------- */

/* True where the engine hangs. Looks that came late themselves (the whole machine stood still, or was busy)
 * prove nothing about the engine and do not count. Time counts and not the looks: each process that ends
 * here, and an application's orphans do so by the dozen, is the reason for one. */
static bool hangs(struct guardian *guardian, int64_t now) {
    uint64_t beat = atomic_load(&qx_estate->beat);
    int64_t since = now - guardian->looked;
    guardian->looked = now;
    if (!atomic_load(&qx_estate->beating) || beat != guardian->beat) {
        guardian->beat = beat;
        guardian->beat_at = now;
        guardian->silent = 0;
        return false;
    }
    if (since >= 2 * LOOK)
        return false;
    guardian->silent += since;
    int64_t patience = atomic_load(&qx_estate->hang_ms) * MS;
    if (atomic_load(&qx_estate->working) && patience < WORK_PATIENCE)
        patience = WORK_PATIENCE; /* it waits in the kernel, where a signal would not reach it either */
    return guardian->silent >= patience;
}

/* An end of the daemon that was meant: returns its exit code, or -1 where it was none. */
static int meant(const struct guardian *guardian, int status) {
    if (guardian->stopping_until)
        return WIFEXITED(status) ? WEXITSTATUS(status) : QX_EXIT_FAILED;
    if (!WIFEXITED(status))
        return -1;
    if (WEXITSTATUS(status) == QX_EXIT_DONE)
        return QX_EXIT_DONE;
    /* It refused to run: it has said why, and would say the same again. */
    if ((WEXITSTATUS(status) == QX_EXIT_FAILED || WEXITSTATUS(status) == QX_EXIT_USAGE) &&
        !atomic_load(&qx_estate->beating) && guardian->failures == 0)
        return WEXITSTATUS(status);
    return -1;
}

static void tell_death(int status) {
    if (WIFSIGNALED(status))
        say("the daemon was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        say("the daemon ended with exit code %d", WEXITSTATUS(status));
}

/* Returns the exit code when all is over, -1 to go on. */
static int on_death(struct guardian *guardian, int status, int64_t now) {
    int code = meant(guardian, status);
    if (code >= 0)
        return code;
    if (WIFEXITED(status) && WEXITSTATUS(status) == QX_EXIT_REBOOT) {
        guardian->daemon = 0;
        guardian->failures = 0;
        guardian->start_at = now;
        return -1;
    }
    tell_death(status);
    after_death(guardian, now);
    return -1;
}

static void on_signals(struct guardian *guardian, int64_t now) {
    struct signalfd_siginfo info;
    while (read(guardian->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD || guardian->stopping_until)
            continue;
        guardian->stopping_until = now + STOP_PATIENCE;
        if (guardian->daemon)
            kill(guardian->daemon, SIGTERM);
    }
}

static void sleep_until_news(struct guardian *guardian, int64_t now) {
    int64_t wait = guardian->daemon && atomic_load(&qx_estate->beating) ? LOOK : SECOND / 4;
    if (guardian->keeping && guardian->kept.interval < wait && guardian->kept.group)
        wait = guardian->kept.interval;
    if (guardian->start_at && guardian->start_at - now < wait)
        wait = guardian->start_at > now ? guardian->start_at - now : 0;
    struct timespec timeout = {.tv_sec = wait / SECOND, .tv_nsec = wait % SECOND};
    struct pollfd news = {.fd = guardian->signals, .events = POLLIN};
    ppoll(&news, 1, &timeout, NULL);
}

static int watch_over(struct guardian *guardian) {
    for (;;) {
        int64_t now = monotonic();
        int status, code;
        if (guardian->start_at && now >= guardian->start_at && !guardian->stopping_until)
            if (!start_daemon(guardian, now))
                return -1;
        sleep_until_news(guardian, now);
        now = monotonic();
        on_signals(guardian, now);
        if (reap(guardian, &status)) {
            code = on_death(guardian, status, now);
            if (code >= 0)
                return code;
        }
        if (guardian->daemon && (hangs(guardian, now) || atomic_load(&qx_estate->restart))) {
            say(atomic_load(&qx_estate->restart) ? "the control plane hangs: the daemon is ended"
                                                 : "the engine hangs: the daemon is ended");
            kill_daemon(guardian);
            after_death(guardian, monotonic());
        }
        if (guardian->keeping)
            stand_in(guardian, now);
        if (guardian->stopping_until && (!guardian->daemon || now >= guardian->stopping_until)) {
            if (guardian->daemon) {
                say("the daemon does not stop: it is ended");
                kill_daemon(guardian);
                let_go(guardian, &qx_estate->copy[atomic_load(&qx_estate->shown)]);
            }
            return QX_EXIT_DONE;
        }
    }
}

static int prepare(struct guardian *guardian) {
    char path[PATH];
    sigset_t wanted;
    /* What a predecessor left goes before anything else, within milliseconds of the start. */
    int failed = qx_netlink_open(&guardian->netlink);
    snprintf(path, sizeof path, "%s/run/qx/interfaces", guardian->root);
    qx_journal_open(&guardian->journal, path);
    if (!failed && guardian->journal.count) {
        qx_journal_undo(&guardian->journal, QX_ENTRY_SERVICE | QX_ENTRY_LINK | QX_ENTRY_SYSCTL,
                        &guardian->netlink);
        qx_journal_save(&guardian->journal);
    }
    write_pid(guardian->root, "guardian.pid", getpid());
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGHUP);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    guardian->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    guardian->frames = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    qx_estate = mmap(NULL, sizeof *qx_estate, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (failed || guardian->signals < 0 || guardian->frames < 0 || qx_estate == MAP_FAILED) {
        say("cannot start: %s", strerror(failed ? -failed : errno));
        return QX_EXIT_FAILED;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    set_oom_score("-1000"); /* nobody would give up the addresses */
    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
    struct sched_param priority = {.sched_priority = REALTIME_PRIORITY};
    sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK,
                       &priority); /* the daemon says where it is refused */
    return QX_EXIT_DONE;
}

int qx_guardian(const char *root) {
    static struct guardian guardian;
    guardian.root = root;
    int code = qx_admission(root, &guardian.lock);
    if (code == QX_EXIT_DONE)
        code = prepare(&guardian);
    if (code != QX_EXIT_DONE)
        return code;
    guardian.start_at = monotonic();
    code = watch_over(&guardian);
    if (code < 0)
        return -1;
    qx_journal_read(&guardian.journal);
    qx_journal_undo(&guardian.journal, QX_ENTRY_SERVICE | QX_ENTRY_VIRTUAL | QX_ENTRY_LINK | QX_ENTRY_SYSCTL,
                    &guardian.netlink);
    qx_journal_save(&guardian.journal);
    return code;
}
