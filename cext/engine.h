/* SPDX-License-Identifier: Apache-2.0 */
/* engine: the thread that keeps the pair's promises in time: sockets, timers, addresses.
 *
 * One thread, real-time where permitted, no Python, no allocation and no lock once it runs. It carries out
 * what group.h decides and tells of it afterwards through a queue of events. There is one engine a process.
 * Functions without another word may be called from any one thread at a time; they return 0 or a negative
 * errno and put a sentence into `error` (QX_ERROR octets) that names what and what was expected.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "hello.h"

#define QX_ERROR        512
#define QX_REASON_COUNT 21 /* QX_REASONS, for C's arrays and cffi's */

/* What the unit is to be on its interfaces. Addresses are in host order, 0 for none. */
struct qx_plan {
    bool group;  /* takes part in a redundancy group; else a standalone unit */
    bool resume; /* was Master a moment ago and still holds the addresses */
    bool passive;
    bool hold; /* standalone: claim the service addresses (a group's Master always does) */
    char lan[16];
    char wan[16]; /* empty: no WAN port */
    uint8_t version;
    uint8_t vrid;
    uint32_t interval_cs;
    uint32_t hang_ms; /* the guardian waits at least so long for a beat (board.toml) */
    bool virtual_mac;
    bool only_peer; /* advertisements of others are counted and named, not followed */
    bool wan_tracking;
    bool rfc9568_checksum;
    uint32_t virtual_ip;
    uint8_t virtual_prefix;
    uint32_t peer;
    uint32_t lan_service;
    uint8_t lan_prefix;
    uint32_t lan_gateway;
    uint32_t wan_service;
    uint8_t wan_prefix;
    uint32_t wan_gateway;
    uint32_t term;
    char serial[25];
    char model[13];
    char firmware[25];
};

enum qx_event_kind {
    QX_EVENT_STATE,     /* a: enum qx_state, b: enum qx_cause, from: the Master heard; detect_ns, done_ns */
    QX_EVENT_BLOCK,     /* a: enum qx_block (0: no longer), b: the one before */
    QX_EVENT_LINK,      /* a: 0 LAN, 1 WAN; b: up */
    QX_EVENT_CLAIM,     /* address: claimed, b: 0 Virtual IP, 1 LAN service, 2 WAN service */
    QX_EVENT_CONFLICT,  /* address, mac: another station holds it, b as above */
    QX_EVENT_REFUSED,   /* a: enum qx_reason, first of its kind in a minute; b: surplus octets; from */
    QX_EVENT_FOREIGN,   /* from: another router sends with our group id */
    QX_EVENT_ADDRESSES, /* from: sends another address list; address: its first */
    QX_EVENT_PARAMETER, /* a: enum qx_parameter, b: theirs; a 0: no longer */
    QX_EVENT_PEER,      /* a: 1 first seen or changed, 0 gone */
    QX_EVENT_LATE,      /* b: by how many ms our loop was late */
    QX_EVENT_LEASE,     /* the control plane's lease ran out */
    QX_EVENT_FAILED,    /* a: negative errno, b: enum qx_step of what failed */
    QX_EVENT_OVERRUN    /* b: packets that the kernel dropped because we were too slow */
};

enum qx_step { QX_STEP_ADDRESS, QX_STEP_ROUTE, QX_STEP_LINK, QX_STEP_SEND, QX_STEP_RECEIVE };

struct qx_event {
    uint32_t kind; /* enum qx_event_kind */
    int32_t a;
    int32_t b;
    uint32_t address;
    uint32_t from;
    uint8_t mac[6];
    int64_t at;        /* CLOCK_MONOTONIC ns: when it was noticed */
    int64_t addresses; /* STATE to Master: when the addresses were on the interface */
    int64_t announced; /* STATE to Master: when the first gratuitous ARP set had left */
};

struct qx_status {
    bool running;  /* the thread runs */
    bool realtime; /* SCHED_FIFO was permitted */
    bool locked;   /* memory is locked */
    bool group;
    uint8_t state; /* enum qx_state */
    uint8_t priority;
    uint8_t block;
    uint8_t cause;
    uint8_t parameter;
    uint32_t parameter_theirs;
    bool link;
    bool wan_link;
    bool ready;   /* our Virtual IP is there */
    bool holding; /* the service addresses are there */
    bool armed;
    bool peer_active;
    int64_t since;
    int64_t master_interval;
    uint32_t master; /* source of the last accepted advertisement */
    uint8_t master_priority;
    int64_t master_heard;
    int64_t hello_seen;    /* 0: never */
    struct qx_hello hello; /* the peer's last */
    /* counters since the engine started */
    uint64_t refused[QX_REASON_COUNT]; /* by enum qx_reason */
    uint64_t adverts_received;
    uint64_t adverts_sent;
    uint64_t prio_zero_received;
    uint64_t prio_zero_sent;
    uint64_t become_master;
    uint64_t release_master;
    uint64_t addr_list_err;
    uint64_t adver_int_err;
    uint64_t checksum_rfc9568_form;
    uint64_t owner_conflict;
    uint64_t foreign;
    uint64_t announces_sent;
    uint64_t hellos_sent;
    uint64_t hellos_received;
    uint64_t hellos_refused;
    uint64_t inquiries_sent;
    uint64_t inquiries_answered; /* by the peer, as questions of ours */
    uint64_t inquiries_refused;
    uint64_t overruns;
    uint64_t late;
    uint64_t events_lost;
    int64_t latest_ns; /* the worst lateness of a timer seen */
};

/* Starts the thread, which then beats for the guardian. `run` is the folder for the journal of interfaces. */
int qx_engine_start(const char *run, char *error);
/* Makes the plan true, replacing the one before. May take milliseconds; never call it from an event loop. */
int qx_engine_attach(const struct qx_plan *plan, char *error);
/* Ends the plan: lets go as a Master does, takes everything off the interfaces, puts settings back. */
int qx_engine_detach(char *error);
/* Ends the thread as well. */
void qx_engine_stop(void);

/* Any thread, at any time; they only post a word to the engine. */
void qx_engine_lease(int64_t milliseconds, bool armed);
void qx_engine_passive(bool passive);
void qx_engine_release(void);
void qx_engine_promote(void);
void qx_engine_only_peer(bool only_peer);
void qx_engine_wan_tracking(bool wan_tracking);
void qx_engine_term(uint32_t term);
/* The session's key for inquiries, QX_SIPHASH_KEY octets; without one the peer is not asked. */
void qx_engine_key(const uint8_t *key);

/* Readable when events wait; read() it before taking them. */
int qx_engine_descriptor(void);
/* Takes the next event; false where there is none. */
bool qx_engine_event(struct qx_event *event);
/* A copy of the engine's view, at most one round of its loop old. */
void qx_engine_status(struct qx_status *status);
/* Whether the guardian kept the addresses of this process's predecessor in place. */
bool qx_engine_kept(void);
/* CLOCK_MONOTONIC in ns, as in events. */
int64_t qx_engine_now(void);
