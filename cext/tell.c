/* SPDX-License-Identifier: Apache-2.0 */
/* tell: the engine's events and view, for Python and for the guardian. */
#include <string.h>
#include <unistd.h>

#include "engine_state.h"

/* One writer (the engine), one reader (Python): two counters and no lock. */
void qx_tell(struct qx_engine *engine, const struct qx_event *event) {
    uint32_t in = atomic_load_explicit(&engine->events_in, memory_order_relaxed);
    uint32_t out = atomic_load_explicit(&engine->events_out, memory_order_acquire);
    engine->changed = true;
    if (in - out == QX_EVENTS) {
        engine->status.events_lost++;
        return;
    }
    engine->events[in % QX_EVENTS] = *event;
    atomic_store_explicit(&engine->events_in, in + 1, memory_order_release);
    uint64_t one = 1;
    (void)!write(engine->notify, &one, sizeof one); /* full means that it is readable already */
}

void qx_tell_conflict(struct qx_engine *engine, int64_t now, int probe, uint32_t address,
                      const uint8_t mac[6]) {
    struct qx_event event = {.kind = QX_EVENT_CONFLICT, .b = probe, .address = address, .at = now};
    memcpy(event.mac, mac, sizeof event.mac);
    qx_tell(engine, &event);
}

bool qx_engine_event(struct qx_event *event) {
    struct qx_engine *engine = &qx_engine;
    uint32_t out = atomic_load_explicit(&engine->events_out, memory_order_relaxed);
    if (out == atomic_load_explicit(&engine->events_in, memory_order_acquire))
        return false;
    *event = engine->events[out % QX_EVENTS];
    atomic_store_explicit(&engine->events_out, out + 1, memory_order_release);
    return true;
}

static void show_status(struct qx_engine *engine, int64_t now) {
    struct qx_status *status = &engine->status;
    const struct qx_group *group = &engine->group;
    status->running = true;
    status->group = engine->attached && engine->setup.plan.group;
    status->state = (uint8_t)group->fsm.state;
    status->priority = qx_group_priority(group, now);
    status->block = group->block;
    status->cause = group->cause;
    status->parameter = group->parameter_until > now ? group->parameter : QX_SAME;
    status->parameter_theirs = group->parameter_theirs;
    status->link = group->link;
    status->wan_link = group->wan_link;
    status->ready = group->ready;
    status->holding = engine->held[0] || engine->held[1];
    status->armed = qx_group_armed(group, now);
    status->peer_active = qx_group_peer_active(group, now);
    status->since = group->since;
    status->master_interval = group->fsm.master_interval;
    status->hello_seen = group->hello_seen;
    status->hello = group->hello;
}

static void show_holdings(struct qx_engine *engine, int64_t now) {
    uint32_t next = 1 - atomic_load_explicit(&engine->estate->shown, memory_order_relaxed);
    struct qx_holdings *holdings = &engine->estate->copy[next];
    memset(holdings, 0, sizeof *holdings);
    holdings->group = engine->attached && engine->setup.plan.group;
    holdings->port = engine->setup.lan.index;
    holdings->interval = engine->group.fsm.interval;
    if (engine->attached)
        for (int i = 0; i < engine->setup.service_count; i++)
            if (engine->held[i]) {
                holdings->holding = true;
                holdings->services[holdings->service_count++] = engine->setup.services[i];
            }
    if (engine->group.hello_seen && engine->group.hello.state == QX_BACKUP && engine->group.hello.armed)
        holdings->peer_active = engine->group.hello_seen;
    if (holdings->holding && holdings->group)
        qx_carry_frames(engine, now, holdings);
    atomic_store_explicit(&engine->estate->shown, next, memory_order_release);
}

void qx_tell_show(struct qx_engine *engine, int64_t now) {
    show_status(engine, now);
    show_holdings(engine, now);
    uint32_t next = 1 - atomic_load_explicit(&engine->shown_index, memory_order_relaxed);
    engine->shown[next] = engine->status;
    atomic_store_explicit(&engine->shown_index, next, memory_order_release);
    engine->changed = engine->counted = false;
    engine->viewed = now;
}

/* The engine turns to the other copy at most every few milliseconds; a copy that changed while it was read
 * is read again. */
void qx_engine_status(struct qx_status *status) {
    struct qx_engine *engine = &qx_engine;
    uint32_t index;
    do {
        index = atomic_load_explicit(&engine->shown_index, memory_order_acquire);
        *status = engine->shown[index];
    } while (index != atomic_load_explicit(&engine->shown_index, memory_order_acquire));
}
