/* SPDX-License-Identifier: Apache-2.0 */
#include "fsm.h"

#define SECOND 1000000000LL

static void act(struct qx_actions *actions, enum qx_action kind) {
    if (actions->count < QX_ACTIONS_MAX)
        actions->kind[actions->count++] = (uint8_t)kind;
}

int64_t qx_skew_time(int version, int priority, int64_t master_interval) {
    /* Version 2: (256 - Priority) / 256 seconds, whatever the interval (RFC 3768 6.1). Version 3: that
     * share of the Master's interval (RFC 5798 6.1). 40.95 s times 255 fits 64 bits with room to spare. */
    int64_t base = version == 2 ? SECOND : master_interval;
    return (256 - priority) * base / 256;
}

int64_t qx_master_down_interval(int version, int priority, int64_t master_interval) {
    return 3 * master_interval + qx_skew_time(version, priority, master_interval);
}

static int64_t master_down(const struct qx_fsm *fsm) {
    return qx_master_down_interval(fsm->version, fsm->priority, fsm->master_interval);
}

/* The advertisement goes first, so that an old Master lets go; then the address exists, and only then it is
 * announced (rule 1 of the pair; the RFCs send both at once and leave the address to the implementation). */
static void become_master(struct qx_fsm *fsm, int64_t now, struct qx_actions *actions) {
    fsm->state = QX_MASTER;
    fsm->master_interval = fsm->interval;
    fsm->deadline = now + fsm->interval;
    act(actions, QX_SEND_ADVERT);
    act(actions, QX_ADDRESSES_UP);
    act(actions, QX_ANNOUNCE);
}

static void become_backup(struct qx_fsm *fsm, int64_t now, struct qx_actions *actions) {
    fsm->state = QX_BACKUP;
    fsm->deadline = now + master_down(fsm);
    act(actions, QX_ADDRESSES_DOWN);
}

/* Version 3 adopts the sender's interval (RFC 5798 6.4.2); version 2 has dropped another one before. */
static void adopt_interval(struct qx_fsm *fsm, int64_t interval) {
    if (fsm->version == 3 && interval > 0)
        fsm->master_interval = interval;
}

void qx_fsm_startup(struct qx_fsm *fsm, int64_t now, struct qx_actions *actions) {
    if (fsm->state != QX_INITIALIZE)
        return;
    if (fsm->priority == 255) {
        become_master(fsm, now, actions);
        return;
    }
    fsm->state = QX_BACKUP;
    fsm->master_interval = fsm->interval;
    fsm->deadline = now + master_down(fsm);
}

void qx_fsm_shutdown(struct qx_fsm *fsm, int64_t now, struct qx_actions *actions) {
    (void)now;
    /* The address goes before the word that it is free: at 10 ms the peer needs 0.1 ms to take it. */
    if (fsm->state == QX_MASTER) {
        act(actions, QX_ADDRESSES_DOWN);
        act(actions, QX_SEND_RELEASE);
    }
    fsm->state = QX_INITIALIZE;
    fsm->deadline = 0;
}

void qx_fsm_timer(struct qx_fsm *fsm, int64_t now, struct qx_actions *actions) {
    if (fsm->deadline == 0 || now < fsm->deadline)
        return;
    if (fsm->state == QX_BACKUP) {
        become_master(fsm, now, actions);
    } else if (fsm->state == QX_MASTER) {
        act(actions, QX_SEND_ADVERT);
        /* From the due time, so that lateness does not add up; but never a burst to catch up. */
        fsm->deadline += fsm->interval;
        if (fsm->deadline <= now)
            fsm->deadline = now + fsm->interval;
    }
}

static void advert_in_backup(struct qx_fsm *fsm, int64_t now, uint8_t priority, int64_t interval) {
    if (priority == 0) {
        fsm->deadline = now + qx_skew_time(fsm->version, fsm->priority, fsm->master_interval);
    } else if ((!fsm->preempt && fsm->priority != 255) || priority >= fsm->priority) {
        adopt_interval(fsm, interval);
        fsm->deadline = now + master_down(fsm);
    }
}

static void advert_in_master(struct qx_fsm *fsm, int64_t now, uint8_t priority, uint32_t source,
                             int64_t interval, struct qx_actions *actions) {
    if (priority == 0) {
        act(actions, QX_SEND_ADVERT);
        fsm->deadline = now + fsm->interval;
    } else if (priority > fsm->priority || (priority == fsm->priority && source > fsm->primary)) {
        adopt_interval(fsm, interval);
        become_backup(fsm, now, actions);
    } else if (fsm->answer_lower) {
        act(actions, QX_SEND_ADVERT);
    }
}

void qx_fsm_advert(struct qx_fsm *fsm, int64_t now, uint8_t priority, uint32_t source, int64_t interval,
                   struct qx_actions *actions) {
    if (fsm->state == QX_BACKUP)
        advert_in_backup(fsm, now, priority, interval);
    else if (fsm->state == QX_MASTER)
        advert_in_master(fsm, now, priority, source, interval, actions);
}

void qx_fsm_promote(struct qx_fsm *fsm, int64_t now, struct qx_actions *actions) {
    if (fsm->state != QX_MASTER)
        become_master(fsm, now, actions);
}

void qx_fsm_yield(struct qx_fsm *fsm, int64_t now, struct qx_actions *actions) {
    if (fsm->state == QX_MASTER)
        become_backup(fsm, now, actions);
}
