/* SPDX-License-Identifier: Apache-2.0 */
/* group: one unit's part in its redundancy group, as pure functions around the VRRP state machine.
 *
 * The RFC's machine knows advertisements and one timer. This adds what a pair of PBX units needs (SPEC R4,
 * R7, R9, R10): who may promote itself and why not, the priority that keeps the incumbent, loss of link,
 * passive mode, release and promotion by order, lateness of our own process, and what the peer's hello says.
 * Time goes in as nanoseconds of a monotonic clock, actions come out; no clock, no socket, no allocation.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "fsm.h"
#include "hello.h"
#include "priority.h"

/* Why a Backup does not promote itself although its Master is silent. */
enum qx_block {
    QX_BLOCK_NONE,
    QX_BLOCK_CONTROL,   /* the control plane has not renewed its lease */
    QX_BLOCK_UNARMED,   /* the control plane says not to */
    QX_BLOCK_ADDRESS,   /* our own Virtual IP is not on the interface yet */
    QX_BLOCK_PROBING,   /* whether the service address is free is being asked */
    QX_BLOCK_CONFLICT,  /* somebody answers for the service address without being a Master that we hear */
    QX_BLOCK_PARAMETER, /* the peer is Master with another group, version or interval */
    QX_BLOCK_ALIVE      /* the Master answers when it is asked: its advertisements are blocked */
};

/* Why the state changed last. */
enum qx_cause {
    QX_CAUSE_NONE,
    QX_CAUSE_START,     /* began to take part */
    QX_CAUSE_NOBODY,    /* heard nobody since it began to listen */
    QX_CAUSE_SILENCE,   /* the Master fell silent */
    QX_CAUSE_RELEASED,  /* the Master let go (priority 0) */
    QX_CAUSE_ORDER,     /* promoted or released by the control plane */
    QX_CAUSE_RESUMED,   /* was Master before its daemon was restarted, and nobody else was there */
    QX_CAUSE_HIGHER,    /* a Master of higher priority (or address) was heard */
    QX_CAUSE_LINK,      /* LAN link lost */
    QX_CAUSE_WAN,       /* WAN link lost, and the peer's has link */
    QX_CAUSE_LATE,      /* our process was not run for longer than the peer waits */
    QX_CAUSE_CONTROL,   /* the lease ran out and an active Backup is there */
    QX_CAUSE_PARAMETER, /* the peer is Master with another parameter and goes before us */
    QX_CAUSE_PASSIVE,   /* does not listen */
    QX_CAUSE_STOP       /* takes no part any more */
};

/* The setting in which the peer differs. */
enum qx_parameter { QX_SAME, QX_DIFFERS_GROUP, QX_DIFFERS_VERSION, QX_DIFFERS_INTERVAL };

enum qx_service_probe { QX_SERVICE_UNKNOWN, QX_SERVICE_FREE, QX_SERVICE_TAKEN };

struct qx_group {
    struct qx_fsm fsm;
    uint8_t vrid;
    bool virtual_mac;
    bool wan_tracking;
    uint32_t peer; /* the other unit's Virtual IP, host order; 0: none */
    /* gates */
    bool running; /* takes part */
    bool passive;
    bool link; /* LAN */
    bool wan_link;
    bool ready; /* our Virtual IP is on the interface */
    bool armed; /* as the control plane says */
    int64_t lease_until;
    uint8_t service;   /* enum qx_service_probe, of this time of listening */
    uint8_t parameter; /* enum qx_parameter */
    uint32_t parameter_theirs;
    int64_t parameter_until;
    uint8_t block; /* enum qx_block: why the last expiry of Master_Down_Timer did nothing */
    /* whether a silent Master is alive */
    bool keyed;    /* the peer can be asked */
    bool alive;    /* it has answered within this wait: it is Master */
    uint8_t asked; /* how often within this wait */
    bool first;    /* the question to be sent is the first of its wait */
    /* history */
    uint8_t seat;       /* enum qx_seat */
    uint8_t cause;      /* enum qx_cause */
    bool heard;         /* an advertisement since it began to listen */
    bool released;      /* the last one heard had priority 0, and was the peer's */
    bool master_before; /* lost its link as Master */
    bool backup_before; /* lost its link as Backup of somebody */
    bool late;
    int64_t since;     /* of the state */
    int64_t sent;      /* our last advertisement */
    int64_t link_lost; /* as Master, and not yet given up; 0: link is there */
    int64_t wan_lost;
    /* the peer */
    struct qx_hello hello;
    int64_t hello_seen; /* 0: never */
};

/* Clears all but the configuration: fsm.{version,preempt,answer_lower,primary,interval}, vrid, virtual_mac,
 * wan_tracking and peer are the caller's. */
void qx_group_reset(struct qx_group *group, int64_t now);

/* Each event appends to `actions`, which the caller has emptied. */
void qx_group_start(struct qx_group *group, int64_t now, bool resume, struct qx_actions *actions);
void qx_group_stop(struct qx_group *group, int64_t now, struct qx_actions *actions);
void qx_group_link(struct qx_group *group, int64_t now, bool up, struct qx_actions *actions);
void qx_group_wan(struct qx_group *group, int64_t now, bool up);
void qx_group_ready(struct qx_group *group, bool ready);
void qx_group_service(struct qx_group *group, int64_t now, enum qx_service_probe found);
void qx_group_lease(struct qx_group *group, int64_t until, bool armed);
void qx_group_passive(struct qx_group *group, int64_t now, bool passive, struct qx_actions *actions);
/* Release: let the peer take over now. Promote: become Master now. Both refuse (false) where it cannot be. */
bool qx_group_release(struct qx_group *group, int64_t now, enum qx_cause cause, struct qx_actions *actions);
bool qx_group_promote(struct qx_group *group, int64_t now, struct qx_actions *actions);
/* An accepted advertisement; interval in ns. */
void qx_group_advert(struct qx_group *group, int64_t now, uint8_t priority, uint32_t source, int64_t interval,
                     struct qx_actions *actions);
/* An advertisement of the peer, sound but refused for one parameter. `theirs` in the parameter's unit (the
 * interval in centiseconds). */
void qx_group_refused(struct qx_group *group, int64_t now, enum qx_parameter parameter, uint32_t theirs,
                      uint8_t priority, int64_t interval, struct qx_actions *actions);
/* The peer's hello. */
void qx_group_hello(struct qx_group *group, int64_t now, const struct qx_hello *hello,
                    struct qx_actions *actions);
/* Is there a key with which the peer can be asked? */
void qx_group_keyed(struct qx_group *group, bool keyed);
/* The peer's answer to a question of this wait: its state. */
void qx_group_answered(struct qx_group *group, enum qx_state state);
/* An advertisement has left with link. */
void qx_group_sent(struct qx_group *group, int64_t now);
/* Before the receive queue is drained: were we away for so long that the peer may have taken over? */
void qx_group_wake(struct qx_group *group, int64_t now);
/* After it is drained: everything that is due. */
void qx_group_timer(struct qx_group *group, int64_t now, struct qx_actions *actions);

/* When qx_group_timer has to be called next; INT64_MAX: not by time. */
int64_t qx_group_deadline(const struct qx_group *group, int64_t now);
/* The priority to advertise with at `now`. */
uint8_t qx_group_priority(const struct qx_group *group, int64_t now);
/* The peer was seen within 3 s as a Backup that would take over. */
bool qx_group_peer_active(const struct qx_group *group, int64_t now);
bool qx_group_armed(const struct qx_group *group, int64_t now);
