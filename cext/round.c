/* SPDX-License-Identifier: Apache-2.0 */
/* round: one event through the group: what was before, what it decides carried out, what changed told. */
#include "engine_state.h"

void qx_round_begin(struct qx_engine *engine, struct qx_round *round) {
    round->actions.count = 0;
    round->state = (uint8_t)engine->group.fsm.state;
    round->block = engine->group.block;
    round->parameter = engine->group.parameter;
}

static void start_service_probes(struct qx_engine *engine, int64_t now) {
    const struct qx_plan *plan = &engine->setup.plan;
    qx_probe_start(&engine->probes[QX_PROBE_LAN], plan->lan_service, true, now, 0);
    if (plan->wan_service && engine->group.wan_link)
        qx_probe_start(&engine->probes[QX_PROBE_WAN], plan->wan_service, true, now, 0);
}

static void on_new_state(struct qx_engine *engine, int64_t now, const struct qx_round *round) {
    const struct qx_group *group = &engine->group;
    struct qx_event event = {.kind = QX_EVENT_STATE,
                             .a = (int32_t)group->fsm.state,
                             .b = group->cause,
                             .from = engine->status.master,
                             .at = now};
    engine->stood_down = round->state == QX_MASTER       ? now
                         : group->fsm.state == QX_MASTER ? 0
                                                         : engine->stood_down;
    if (group->fsm.state == QX_MASTER) {
        engine->status.become_master++;
        event.announced = event.addresses = qx_now();
    } else if (round->state == QX_MASTER) {
        engine->status.release_master++;
    }
    qx_probe_stop(&engine->probes[QX_PROBE_LAN]);
    qx_probe_stop(&engine->probes[QX_PROBE_WAN]);
    if (group->fsm.state == QX_BACKUP && !group->heard)
        start_service_probes(engine, now);
    qx_tell(engine, &event);
    qx_carry_hello(engine, now);
}

void qx_round_end(struct qx_engine *engine, int64_t now, struct qx_round *round) {
    const struct qx_group *group = &engine->group;
    atomic_store_explicit(&engine->estate->working, round->actions.count > 0, memory_order_relaxed);
    qx_carry(engine, now, &round->actions);
    atomic_store_explicit(&engine->estate->working, 0, memory_order_relaxed);
    if (round->actions.count)
        engine->changed = true;
    if (group->fsm.state != round->state)
        on_new_state(engine, now, round);
    if (group->block != round->block) {
        struct qx_event event = {.kind = QX_EVENT_BLOCK, .a = group->block, .b = round->block, .at = now};
        for (int i = QX_PROBE_LAN; group->block == QX_BLOCK_CONFLICT && i < QX_PROBES; i++)
            if (engine->probes[i].state == QX_PROBE_CONFLICT)
                qx_tell_conflict(engine, now, i, engine->probes[i].address, engine->probes[i].holder);
        qx_tell(engine, &event);
    }
    if (group->parameter != round->parameter) {
        struct qx_event event = {.kind = QX_EVENT_PARAMETER,
                                 .a = group->parameter,
                                 .b = (int32_t)group->parameter_theirs,
                                 .from = engine->setup.plan.peer,
                                 .at = now};
        qx_tell(engine, &event);
    }
}
