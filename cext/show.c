/* SPDX-License-Identifier: Apache-2.0 */
/* show: the engine's view, for Python and for the guardian. */
#include <string.h>

#include "engine_state.h"

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

void qx_show(struct qx_engine *engine, int64_t now) {
    show_status(engine, now);
    show_holdings(engine, now);
    uint32_t next = 1 - atomic_load_explicit(&engine->shown_index, memory_order_relaxed);
    engine->shown[next] = engine->status;
    atomic_store_explicit(&engine->shown_index, next, memory_order_release);
    engine->changed = engine->counted = false;
    engine->viewed = now;
}
