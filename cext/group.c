/* SPDX-License-Identifier: Apache-2.0 */
#include "group.h"

#define MS            1000000LL
#define SECOND        (1000 * MS)
#define PEER_LIFETIME (3 * SECOND) /* the peer counts as down 3 s after its last hello */
#define WAN_DEBOUNCE  SECOND
#define PORTS_APART   (3 * SECOND) /* the ports of a switch that restarts open at different moments */

enum { QUESTIONS = 3 /* within the last interval of a wait: one may be lost */ };

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

uint8_t qx_group_priority(const struct qx_group *group, int64_t now) {
    return qx_priority(group->fsm.state == QX_MASTER ? group->seat : QX_SEAT_NONE, now - group->since);
}

bool qx_group_peer_active(const struct qx_group *group, int64_t now) {
    return group->hello_seen && now - group->hello_seen < PEER_LIFETIME && group->hello.state == QX_BACKUP &&
           group->hello.armed && !group->hello.passive;
}

bool qx_group_armed(const struct qx_group *group, int64_t now) {
    return group->armed && now < group->lease_until;
}

/* At the start of each event: the machine compares with the priority of this moment. Only a Backup of this
 * Master confirms it: where both units became Master at once, each has a hello of the other from before. */
static void refresh(struct qx_group *group, int64_t now) {
    if (group->fsm.state == QX_MASTER && group->seat != QX_SEAT_CONFIRMED &&
        group->hello_seen > group->since && qx_group_peer_active(group, now))
        group->seat = QX_SEAT_CONFIRMED;
    group->fsm.priority = qx_group_priority(group, now);
}

/* Master_Down_Timer was set: what the peer answered before counts no longer. */
static void wait_anew(struct qx_group *group) {
    group->asked = 0;
    group->alive = false;
}

/* When the peer is to be asked next; INT64_MAX: not. At a quarter, a half and three quarters of the last
 * interval before Master_Down_Timer fires, so that the answer costs no time. A Master that died did so before
 * the first question, or its advertisements would have come. */
static int64_t question_due(const struct qx_group *group) {
    int64_t last = earlier(group->fsm.master_interval, SECOND);
    if (!group->keyed || !group->armed || group->released || group->fsm.state != QX_BACKUP ||
        !group->fsm.deadline || group->asked >= QUESTIONS || group->alive)
        return INT64_MAX;
    return group->fsm.deadline - last * (QUESTIONS - group->asked) / (QUESTIONS + 1);
}

/* At the end of each event: what follows from a change of state. */
static void settle(struct qx_group *group, int64_t now, enum qx_state before, enum qx_seat seat,
                   enum qx_cause cause) {
    if (group->fsm.state == before)
        return;
    group->since = now;
    group->cause = (uint8_t)cause;
    group->seat = (uint8_t)(group->fsm.state == QX_MASTER ? seat : QX_SEAT_NONE);
    group->block = QX_BLOCK_NONE;
    group->link_lost = 0;
    group->late = false;
    wait_anew(group);
    if (group->fsm.state == QX_MASTER)
        group->master_before = group->backup_before = false;
    group->fsm.priority = qx_group_priority(group, now);
}

static void listen(struct qx_group *group, int64_t now, enum qx_cause cause, struct qx_actions *actions) {
    enum qx_state before = group->fsm.state;
    group->heard = group->released = false;
    group->service = QX_SERVICE_UNKNOWN;
    refresh(group, now);
    qx_fsm_startup(&group->fsm, now, actions);
    /* Both units of a pair get their link back when a switch has restarted: the old Master goes first, also
     * where a Master_Down_Interval is shorter than what lies between its ports. */
    if (group->fsm.state == QX_BACKUP && group->backup_before)
        group->fsm.deadline +=
            later(qx_master_down_interval(group->fsm.version, group->fsm.priority, group->fsm.interval),
                  PORTS_APART);
    settle(group, now, before, QX_SEAT_STARTUP, cause);
}

static bool may_listen(const struct qx_group *group) {
    return group->running && group->link && !group->passive && group->fsm.state == QX_INITIALIZE;
}

void qx_group_reset(struct qx_group *group, int64_t now) {
    struct qx_group kept = {.vrid = group->vrid,
                            .virtual_mac = group->virtual_mac,
                            .wan_tracking = group->wan_tracking,
                            .peer = group->peer,
                            .keyed = group->keyed};
    kept.fsm.version = group->fsm.version;
    kept.fsm.preempt = group->fsm.preempt;
    kept.fsm.answer_lower = group->fsm.answer_lower;
    kept.fsm.primary = group->fsm.primary;
    kept.fsm.interval = group->fsm.interval;
    kept.fsm.priority = QX_PRIORITY_LISTENER;
    kept.since = now;
    kept.wan_link = true;
    *group = kept;
}

void qx_group_start(struct qx_group *group, int64_t now, bool resume, struct qx_actions *actions) {
    group->running = true;
    if (resume && group->link) {
        enum qx_state before = group->fsm.state;
        group->passive = false; /* a Master is never passive */
        qx_fsm_promote(&group->fsm, now, actions);
        settle(group, now, before, QX_SEAT_CONFIRMED, QX_CAUSE_RESUMED);
    } else if (may_listen(group)) {
        listen(group, now, QX_CAUSE_START, actions);
    }
}

static void leave(struct qx_group *group, int64_t now, enum qx_cause cause, struct qx_actions *actions) {
    enum qx_state before = group->fsm.state;
    refresh(group, now);
    qx_fsm_shutdown(&group->fsm, now, actions);
    settle(group, now, before, QX_SEAT_NONE, cause);
}

void qx_group_stop(struct qx_group *group, int64_t now, struct qx_actions *actions) {
    group->running = false;
    leave(group, now, QX_CAUSE_STOP, actions);
}

/* How long a Master holds on without link: less than the peer's Master_Down_Interval from the last
 * advertisement, so that it has let go when the peer takes over, and long enough for a port that flaps. */
static int64_t link_grace(const struct qx_group *group) {
    return earlier(group->sent + group->fsm.interval * 5 / 2, group->link_lost + 2 * SECOND);
}

/* What it was before stays true while ports flap: until a Master is heard, or this unit is one. */
static void give_up_link(struct qx_group *group, int64_t now, struct qx_actions *actions) {
    if (group->fsm.state == QX_MASTER) {
        group->master_before = true;
        group->backup_before = false;
    } else if (group->heard) {
        group->backup_before = true;
        group->master_before = false;
    }
    leave(group, now, QX_CAUSE_LINK, actions);
}

void qx_group_link(struct qx_group *group, int64_t now, bool up, struct qx_actions *actions) {
    if (up == group->link)
        return;
    group->link = up;
    if (!up && group->fsm.state == QX_MASTER) {
        group->link_lost = now;
    } else if (!up && group->fsm.state == QX_BACKUP) {
        give_up_link(group, now, actions);
    } else if (up && group->link_lost) {
        /* Back before anybody could have taken over: the adverts that had no way out are made up for. */
        if (now >= link_grace(group)) {
            give_up_link(group, now, actions);
        } else if (actions->count + 2 <= QX_ACTIONS_MAX) {
            actions->kind[actions->count++] = QX_SEND_ADVERT;
            actions->kind[actions->count++] = QX_ANNOUNCE;
        }
        group->link_lost = 0;
    }
    if (up && may_listen(group))
        listen(group, now, QX_CAUSE_LINK, actions);
}

void qx_group_wan(struct qx_group *group, int64_t now, bool up) {
    if (up)
        group->wan_lost = 0;
    else if (group->wan_link)
        group->wan_lost = now;
    group->wan_link = up;
}

void qx_group_ready(struct qx_group *group, bool ready) {
    group->ready = ready;
}

void qx_group_service(struct qx_group *group, int64_t now, enum qx_service_probe found) {
    group->service = (uint8_t)found;
    /* A promotion that waited for the answer need not wait for the next look. */
    if (found == QX_SERVICE_FREE && group->fsm.state == QX_BACKUP && group->block == QX_BLOCK_PROBING)
        group->fsm.deadline = now;
}

void qx_group_lease(struct qx_group *group, int64_t until, bool armed) {
    group->lease_until = until;
    group->armed = armed;
}

void qx_group_passive(struct qx_group *group, int64_t now, bool passive, struct qx_actions *actions) {
    if (passive == group->passive || group->fsm.state == QX_MASTER)
        return; /* a Master is never passive */
    group->passive = passive;
    if (passive)
        leave(group, now, QX_CAUSE_PASSIVE, actions);
    else if (may_listen(group))
        listen(group, now, QX_CAUSE_START, actions);
}

bool qx_group_release(struct qx_group *group, int64_t now, enum qx_cause cause, struct qx_actions *actions) {
    if (group->fsm.state != QX_MASTER)
        return false;
    leave(group, now, cause, actions);
    if (may_listen(group)) {
        listen(group, now, cause, actions);
        group->heard = true; /* the address was ours: if nobody takes it, we take it back without asking */
    }
    return true;
}

bool qx_group_promote(struct qx_group *group, int64_t now, struct qx_actions *actions) {
    if (!group->running || !group->link || !group->ready)
        return false;
    enum qx_state before = group->fsm.state;
    group->passive = false;
    qx_fsm_promote(&group->fsm, now, actions);
    settle(group, now, before, QX_SEAT_CONFIRMED, QX_CAUSE_ORDER);
    return true;
}

void qx_group_advert(struct qx_group *group, int64_t now, uint8_t priority, uint32_t source, int64_t interval,
                     struct qx_actions *actions) {
    enum qx_state before = group->fsm.state;
    if (!group->link)
        return; /* it was on its way when the link went: nobody listens without one */
    refresh(group, now);
    if (before == QX_BACKUP) {
        /* Only the peer can give its seat away; a stranger's release is followed, and no more (R9). */
        group->released = priority == 0 && (!group->peer || source == group->peer);
        if (priority > 0 || group->released) {
            wait_anew(group);             /* who lets go in words need not be asked */
            group->block = QX_BLOCK_NONE; /* or a probe that ends later would promote us beside it */
        }
        if (priority > 0) {
            group->heard = true;
            group->backup_before = group->master_before = false;
            group->parameter = QX_SAME;
        }
    }
    qx_fsm_advert(&group->fsm, now, priority, source, interval, actions);
    /* Away for longer than the peer waits, and there it is as Master: it goes before us (rule 9). */
    enum qx_cause cause = QX_CAUSE_HIGHER;
    if (group->late && group->fsm.state == QX_MASTER && priority > 0) {
        actions->count = 0;
        qx_fsm_yield(&group->fsm, now, actions);
        cause = QX_CAUSE_LATE;
    }
    if (before == QX_MASTER && group->fsm.state == QX_BACKUP) {
        group->heard = true;
        group->released = false;
        /* We had 254 a moment ago; the listener's wait is that of 253. */
        group->fsm.deadline = now + qx_master_down_interval(group->fsm.version, QX_PRIORITY_LISTENER,
                                                            group->fsm.master_interval);
    }
    settle(group, now, before, QX_SEAT_NONE, cause);
}

/* The peer is Master, and what it sends does not fit: it holds us back for as long as it goes on. */
static void hold_back(struct qx_group *group, int64_t now, enum qx_parameter parameter, uint32_t theirs,
                      int64_t lifetime, bool before_us, struct qx_actions *actions) {
    group->parameter = (uint8_t)parameter;
    group->parameter_theirs = theirs;
    group->parameter_until = now + lifetime;
    /* Two Masters that cannot hear each other: the RFC's comparison decides as if they did. */
    if (group->fsm.state == QX_MASTER && before_us)
        qx_group_release(group, now, QX_CAUSE_PARAMETER, actions);
}

static bool goes_before(const struct qx_group *group, uint8_t priority) {
    return priority > group->fsm.priority ||
           (priority == group->fsm.priority && group->peer > group->fsm.primary);
}

void qx_group_refused(struct qx_group *group, int64_t now, enum qx_parameter parameter, uint32_t theirs,
                      uint8_t priority, int64_t interval, struct qx_actions *actions) {
    refresh(group, now);
    if (priority == 0) {
        group->parameter = QX_SAME; /* it lets go */
        return;
    }
    hold_back(group, now, parameter, theirs, 3 * interval + SECOND, goes_before(group, priority), actions);
}

void qx_group_hello(struct qx_group *group, int64_t now, const struct qx_hello *hello,
                    struct qx_actions *actions) {
    group->hello = *hello;
    group->hello_seen = now;
    refresh(group, now);
    enum qx_parameter parameter = QX_SAME;
    uint32_t theirs = 0;
    uint32_t interval_cs = (uint32_t)(group->fsm.interval / (10 * MS));
    if (hello->vrid != group->vrid) {
        parameter = QX_DIFFERS_GROUP;
        theirs = hello->vrid;
    } else if (hello->version != group->fsm.version) {
        parameter = QX_DIFFERS_VERSION;
        theirs = hello->version;
    } else if (hello->interval_cs != interval_cs) {
        parameter = QX_DIFFERS_INTERVAL;
        theirs = hello->interval_cs;
    }
    /* Version 3 adopts another interval from the first advertisement on; until then it may be long in coming.
     */
    if (parameter == QX_DIFFERS_INTERVAL && group->fsm.version == 3 &&
        (group->heard || group->fsm.state == QX_MASTER))
        parameter = QX_SAME;
    if (hello->state == QX_MASTER && parameter != QX_SAME) {
        hold_back(group, now, parameter, theirs, PEER_LIFETIME, goes_before(group, hello->priority), actions);
    } else {
        group->parameter = QX_SAME; /* it is no Master, or one that we can hear */
    }
}

void qx_group_keyed(struct qx_group *group, bool keyed) {
    group->keyed = keyed;
}

void qx_group_answered(struct qx_group *group, enum qx_state state) {
    if (group->fsm.state == QX_BACKUP && group->asked && state == QX_MASTER)
        group->alive = true;
}

void qx_group_sent(struct qx_group *group, int64_t now) {
    group->sent = now;
}

void qx_group_wake(struct qx_group *group, int64_t now) {
    int64_t patience = qx_master_down_interval(group->fsm.version, QX_PRIORITY_LISTENER, group->fsm.interval);
    if (group->fsm.state == QX_MASTER && group->sent && now - group->sent > patience)
        group->late = true;
}

static enum qx_block blocked(const struct qx_group *group, int64_t now) {
    if (now >= group->lease_until)
        return QX_BLOCK_CONTROL;
    if (!group->armed)
        return QX_BLOCK_UNARMED;
    if (group->parameter != QX_SAME && now < group->parameter_until)
        return QX_BLOCK_PARAMETER;
    if (!group->ready)
        return QX_BLOCK_ADDRESS;
    if (group->alive)
        return QX_BLOCK_ALIVE;
    /* A Backup that has heard its Master knows that the address was its; there is no time to ask. */
    if (!group->heard && group->service == QX_SERVICE_TAKEN)
        return QX_BLOCK_CONFLICT;
    if (!group->heard && group->service == QX_SERVICE_UNKNOWN)
        return QX_BLOCK_PROBING;
    return QX_BLOCK_NONE;
}

static void master_down(struct qx_group *group, int64_t now, struct qx_actions *actions) {
    enum qx_block block = blocked(group, now);
    if (block != QX_BLOCK_NONE) {
        group->block = (uint8_t)block;
        group->fsm.deadline = now + earlier(group->fsm.interval, SECOND);
        /* Who answers as Master has the address: nobody else need be asked for it when it dies. */
        group->heard = group->heard || block == QX_BLOCK_ALIVE;
        wait_anew(group);
        return;
    }
    enum qx_seat seat = QX_SEAT_STARTUP;
    enum qx_cause cause = QX_CAUSE_NOBODY;
    if (group->released) {
        seat = QX_SEAT_CONFIRMED;
        cause = QX_CAUSE_RELEASED;
    } else if (group->heard) {
        seat = QX_SEAT_TAKEOVER;
        cause = QX_CAUSE_SILENCE;
    } else if (group->backup_before) {
        seat = QX_SEAT_RETURNED;
    }
    qx_fsm_timer(&group->fsm, now, actions);
    settle(group, now, QX_BACKUP, seat, cause);
}

/* Our own lateness, after what waited in the queue was heard: whoever was there as active Backup has taken
 * over or is about to, so let go in words; with nobody known, go on (rules 4 and 9). */
static void judge_lateness(struct qx_group *group, int64_t now, struct qx_actions *actions) {
    bool active = group->hello_seen && group->hello_seen > group->sent - PEER_LIFETIME &&
                  group->hello.state == QX_BACKUP && group->hello.armed && !group->hello.passive;
    bool master = group->hello_seen > group->sent && group->hello.state == QX_MASTER;
    group->late = false;
    if (active || master)
        qx_group_release(group, now, QX_CAUSE_LATE, actions);
}

static void ask(struct qx_group *group, int64_t now, struct qx_actions *actions) {
    uint8_t before = group->asked;
    while (now < group->fsm.deadline && now >= question_due(group))
        group->asked++;
    group->first = before == 0;
    if (group->asked > before && actions->count < QX_ACTIONS_MAX)
        actions->kind[actions->count++] = QX_INQUIRE;
}

void qx_group_timer(struct qx_group *group, int64_t now, struct qx_actions *actions) {
    refresh(group, now);
    if (group->late)
        judge_lateness(group, now, actions);
    if (group->fsm.state == QX_MASTER && group->link_lost && now >= link_grace(group))
        give_up_link(group, now, actions);
    if (group->fsm.state == QX_MASTER && now >= group->lease_until && qx_group_peer_active(group, now)) {
        group->running = false; /* until the control plane is there again */
        leave(group, now, QX_CAUSE_CONTROL, actions);
    }
    if (group->fsm.state == QX_MASTER && group->wan_tracking && group->wan_lost &&
        now >= group->wan_lost + WAN_DEBOUNCE && qx_group_peer_active(group, now) && group->hello.wan_link)
        qx_group_release(group, now, QX_CAUSE_WAN, actions);
    /* One that slept through its wait asks first where it knows that it would hear nothing. */
    if (group->block == QX_BLOCK_ALIVE && !group->asked && now >= group->fsm.deadline)
        group->fsm.deadline = now + earlier(group->fsm.interval, SECOND);
    ask(group, now, actions);
    if (!group->fsm.deadline || now < group->fsm.deadline)
        return;
    if (group->fsm.state == QX_BACKUP)
        master_down(group, now, actions);
    else
        qx_fsm_timer(&group->fsm, now, actions);
}

int64_t qx_group_deadline(const struct qx_group *group, int64_t now) {
    int64_t next = INT64_MAX;
    if (group->fsm.deadline)
        next = earlier(group->fsm.deadline, question_due(group));
    if (group->fsm.state == QX_MASTER) {
        if (group->link_lost)
            next = earlier(next, link_grace(group));
        if (group->lease_until > now)
            next = earlier(next, group->lease_until);
        if (group->wan_lost && group->wan_lost + WAN_DEBOUNCE > now)
            next = earlier(next, group->wan_lost + WAN_DEBOUNCE);
    }
    return next;
}
