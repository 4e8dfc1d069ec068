/* SPDX-License-Identifier: Apache-2.0 */
/* engine_state: what the parts of the engine share: the loop (loop.c), Python's side (face.c), plans
 * (attach.c), events through the group (round.c), what arrives (hear.c), what is
 * carried out (carry.c), what is renewed (keep.c), the queue to Python (tell.c) and the view (show.c). All of
 * it belongs to the engine's thread, but for the fields marked _Atomic and the hand-over in `request`.
 */
#pragma once
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "announce.h"
#include "clock.h"
#include "engine.h"
#include "estate.h"
#include "group.h"
#include "inquiry.h"
#include "packet.h"
#include "probe.h"
#include "setup.h"

enum { QX_EVENTS = 256 /* a power of two */, QX_PROBES = 3 /* Virtual IP, LAN service, WAN service */ };
enum { QX_PROBE_VIRTUAL, QX_PROBE_LAN, QX_PROBE_WAN };

enum qx_source {
    QX_FROM_WAKE,
    QX_FROM_VRRP,
    QX_FROM_LAN_ARP,
    QX_FROM_WAN_ARP,
    QX_FROM_HELLO,
    QX_FROM_LINKS,
    QX_SOURCES
};
enum qx_request { QX_REQUEST_NONE, QX_REQUEST_ATTACH, QX_REQUEST_DETACH, QX_REQUEST_QUIET, QX_REQUEST_END };
enum { QX_ORDER_RELEASE = 1, QX_ORDER_PROMOTE = 2 };

struct qx_engine {
    pthread_t thread;
    struct qx_journal journal;   /* the caller's thread's */
    struct qx_netlink preparing; /* likewise */
    struct qx_estate *estate;
    int epoll;
    int wake;   /* eventfd: a word from Python */
    int notify; /* eventfd: events for Python */
    struct qx_netlink netlink;
    struct qx_netlink watch;
    /* the keeper's thread */
    pthread_t keeper;
    struct qx_netlink keeping;
    pthread_mutex_t holding; /* taken to change `held`, and by the keeper while it renews */
    sem_t renew_now;
    _Atomic bool ending;
    /* words from Python */
    _Atomic int64_t lease_until;
    _Atomic bool armed;
    _Atomic bool passive;
    _Atomic bool only_peer;
    _Atomic bool wan_tracking;
    _Atomic uint32_t term;
    _Atomic uint64_t key[2]; /* of inquiries; one that is torn while it changes fits nothing, once */
    _Atomic bool keyed;
    _Atomic uint32_t orders; /* QX_ORDER_ bits */
    _Atomic int request;     /* enum qx_request, answered by `done` */
    sem_t done;
    struct qx_setup *handed; /* with QX_REQUEST_ATTACH */
    /* the plan in force */
    bool attached;
    struct qx_setup setup;
    struct qx_group group;
    struct qx_local local;
    struct qx_announce announce;
    struct qx_probe probes[QX_PROBES];
    bool held[QX_SERVICES];   /* the service's address is on its interface */
    bool raised[QX_SERVICES]; /* its macvlan is up */
    int64_t hello_at;
    int64_t stood_down; /* when this unit was Master last; 0: it never was, or is */
    bool willing_told;  /* in the last hello: the Master and its guardian count on it, so a change is told at
                           once */
    bool deaf_told;     /* likewise */
    int64_t answered;   /* our last advertisement that answered a lower one */
    int64_t conflict_told;
    int64_t refused_told[QX_REASON_COUNT];
    int64_t foreign_told;
    int64_t addresses_told;
    bool lease_told;
    bool peer_known;
    bool changed;   /* the view for Python and the guardian is out of date */
    bool counted;   /* only counters are */
    int64_t viewed; /* when it was made last */
    /* Packets heard in the present 10 ms; many make the engine gather them (see `gather`). */
    int64_t window;
    uint32_t window_packets;
    bool flooded;
    int64_t started;
    uint64_t random;
    uint8_t nonce[QX_INQUIRY_NONCE]; /* of our last question: counts up from a random begin */
    /* views and events */
    struct qx_status status;
    struct qx_status shown[2];
    _Atomic uint32_t shown_index;
    struct qx_event events[QX_EVENTS];
    _Atomic uint32_t events_in;
    _Atomic uint32_t events_out;
};

extern struct qx_engine qx_engine;

/* tell.c */
void qx_tell(struct qx_engine *engine, const struct qx_event *event);
/* Another station holds the address that `probe` asks for. */
void qx_tell_conflict(struct qx_engine *engine, int64_t now, int probe, uint32_t address,
                      const uint8_t mac[6]);

/* show.c */
void qx_show(struct qx_engine *engine, int64_t now);

/* carry.c */
void qx_carry(struct qx_engine *engine, int64_t now, const struct qx_actions *actions);
void qx_carry_hold(struct qx_engine *engine, int64_t now, int service);
void qx_carry_drop(struct qx_engine *engine, int service);
void qx_carry_virtual(struct qx_engine *engine, int64_t now);
void qx_carry_announce(struct qx_engine *engine);
void qx_carry_probe(struct qx_engine *engine, int probe);
/* A new Master asks whether the old one's kernel answers for the address still. */
void qx_carry_doubt(struct qx_engine *engine);
/* False where there is no key. */
bool qx_carry_key(const struct qx_engine *engine, uint8_t key[QX_SIPHASH_KEY]);
void qx_carry_answer(struct qx_engine *engine, const uint8_t nonce[QX_INQUIRY_NONCE]);
void qx_carry_hello(struct qx_engine *engine, int64_t now);
bool qx_carry_hello_is_due(const struct qx_engine *engine, int64_t now);
/* The two frames that the guardian may have to send. */
void qx_carry_frames(struct qx_engine *engine, int64_t now, struct qx_holdings *holdings);

/* keep.c */
int qx_keep_start(struct qx_engine *engine);
void qx_keep_stop(struct qx_engine *engine);

/* hear.c */
void qx_hear_vrrp(struct qx_engine *engine, int64_t now);
void qx_hear_arp(struct qx_engine *engine, int64_t now, int port);
void qx_hear_hello(struct qx_engine *engine, int64_t now);
void qx_hear_links(struct qx_engine *engine, int64_t now);
void qx_hear_link(struct qx_engine *engine, int64_t now, int port, bool up);

/* attach.c */
void qx_attach_watch(struct qx_engine *engine, int descriptor, enum qx_source source);
/* Serves a request of Python, if there is one; false where it was to end. */
bool qx_attach_serve(struct qx_engine *engine, int64_t now);

/* loop.c */
void *qx_loop(void *data);

/* round.c: before and after each event that goes into the group. */
struct qx_round {
    struct qx_actions actions;
    uint8_t state;
    uint8_t block;
    uint8_t parameter;
};
void qx_round_begin(struct qx_engine *engine, struct qx_round *round);
void qx_round_end(struct qx_engine *engine, int64_t now, struct qx_round *round);
