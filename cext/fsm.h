/* SPDX-License-Identifier: Apache-2.0 */
/* fsm: the VRRP state machine of RFC 3768 6.4, RFC 5798 6.4 and RFC 9568 6.4 as pure functions.
 *
 * Time goes in as nanoseconds of a monotonic clock, actions come out in the order in which they must be
 * carried out. There is one timer: Master_Down_Timer in Backup, Adver_Timer in Master, none in Initialize.
 * What a pair needs beyond the RFC (who may promote itself, with which priority) is in group.h.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define QX_ACTIONS_MAX 8

enum qx_state { QX_INITIALIZE, QX_BACKUP, QX_MASTER };

enum qx_action {
    QX_SEND_ADVERT,    /* with the machine's priority */
    QX_SEND_RELEASE,   /* priority 0: "I stop being Master" */
    QX_ADDRESSES_UP,   /* service addresses onto the interface */
    QX_ADDRESSES_DOWN, /* and away */
    QX_ANNOUNCE,       /* gratuitous ARP for each */
    QX_INQUIRE         /* ask the peer's engine whether it is Master (group.h) */
};

struct qx_actions {
    uint8_t count;
    uint8_t kind[QX_ACTIONS_MAX]; /* enum qx_action */
};

struct qx_fsm {
    /* set by the owner of the machine; priority may change while it runs */
    uint8_t version;   /* 2 or 3 */
    uint8_t priority;  /* 1-255; 255 owns the address */
    bool preempt;      /* Preempt_Mode, consulted in Backup only */
    bool answer_lower; /* Master: answer a lower advertisement at once (RFC 9568 6.4.3) */
    uint32_t primary;  /* our primary address, host order */
    int64_t interval;  /* Advertisement_Interval, ns */
    /* kept by the machine */
    enum qx_state state;
    int64_t master_interval; /* Master_Adver_Interval, ns (version 2: always ours) */
    int64_t deadline;        /* when the timer fires; 0: no timer runs */
};

/* Skew_Time and Master_Down_Interval in ns, multiplied before divided (RFC 3768 6.1, RFC 5798 6.1). */
int64_t qx_skew_time(int version, int priority, int64_t master_interval);
int64_t qx_master_down_interval(int version, int priority, int64_t master_interval);

/* The events. Each appends to `actions`, which the caller has emptied. */
void qx_fsm_startup(struct qx_fsm *fsm, int64_t now, struct qx_actions *actions);
void qx_fsm_shutdown(struct qx_fsm *fsm, int64_t now, struct qx_actions *actions);
/* The timer, when now >= deadline; earlier or without a timer nothing happens. */
void qx_fsm_timer(struct qx_fsm *fsm, int64_t now, struct qx_actions *actions);
/* An accepted advertisement: priority, sender's address (host order), interval in ns (version 3). */
void qx_fsm_advert(struct qx_fsm *fsm, int64_t now, uint8_t priority, uint32_t source, int64_t interval,
                   struct qx_actions *actions);

/* Straight into Master, as Master_Down_Timer would: for a swap and for a Master that was only restarted. */
void qx_fsm_promote(struct qx_fsm *fsm, int64_t now, struct qx_actions *actions);
/* Out of Master into Backup without a packet, as a higher advertisement would. */
void qx_fsm_yield(struct qx_fsm *fsm, int64_t now, struct qx_actions *actions);
