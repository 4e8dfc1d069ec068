/* SPDX-License-Identifier: Apache-2.0 */
/* attach: a plan comes into force and goes, in the engine's thread. What was slow about it is done before. */
#include <string.h>
#include <sys/epoll.h>

#include "engine_state.h"

void qx_attach_watch(struct qx_engine *engine, int descriptor, enum qx_source source) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};
    if (descriptor >= 0)
        epoll_ctl(engine->epoll, EPOLL_CTL_ADD, descriptor, &event);
}

static void put_octets(uint8_t octets[16], uint32_t address) {
    for (int i = 0; i < 4; i++)
        octets[i] = (uint8_t)(address >> (24 - 8 * i));
}

static void prepare_ladder(struct qx_engine *engine) {
    const struct qx_plan *plan = &engine->setup.plan;
    struct qx_local *local = &engine->local;
    *local = (struct qx_local){.family = 4,
                               .version = plan->version,
                               .vrid = plan->vrid,
                               .priority = QX_PRIORITY_LISTENER,
                               .interval_cs = (uint16_t)plan->interval_cs,
                               .has_primary = true,
                               .has_peer = plan->peer != 0,
                               .check_addresses = true,
                               .address_count = 1};
    put_octets(local->primary, plan->virtual_ip);
    put_octets(local->peer, plan->peer);
    put_octets(local->addresses[0], plan->lan_service);
}

static void attach_group(struct qx_engine *engine, int64_t now) {
    const struct qx_plan *plan = &engine->setup.plan;
    struct qx_group *group = &engine->group;
    struct qx_round round;
    group->fsm.version = plan->version;
    group->fsm.primary = plan->virtual_ip;
    group->fsm.interval = plan->interval_cs * 10 * QX_MS;
    group->vrid = plan->vrid;
    group->virtual_mac = plan->virtual_mac;
    group->wan_tracking = plan->wan_tracking && plan->wan[0];
    group->peer = plan->peer;
    qx_group_reset(group, now);
    group->passive = plan->passive;
    group->wan_link = plan->wan[0] == 0 || engine->setup.wan.carrier;
    prepare_ladder(engine);
    if (engine->setup.virtual_present)
        qx_carry_virtual(engine, now);
    qx_group_lease(group, atomic_load(&engine->lease_until), atomic_load(&engine->armed));
    if (engine->setup.lan.carrier)
        qx_hear_link(engine, now, 0, true);
    qx_round_begin(engine, &round);
    qx_group_start(group, now, plan->resume, &round.actions);
    qx_round_end(engine, now, &round);
}

static void attach(struct qx_engine *engine, int64_t now) {
    pthread_mutex_lock(&engine->holding);
    engine->setup = *engine->handed;
    memset(engine->held, 0, sizeof engine->held);
    memset(engine->raised, 0, sizeof engine->raised);
    pthread_mutex_unlock(&engine->holding);
    engine->attached = true;
    engine->lease_told = engine->peer_known = false;
    memset(engine->probes, 0, sizeof engine->probes);
    qx_attach_watch(engine, engine->setup.sockets.vrrp, QX_FROM_VRRP);
    qx_attach_watch(engine, engine->setup.sockets.arp[0], QX_FROM_LAN_ARP);
    qx_attach_watch(engine, engine->setup.sockets.arp[1], QX_FROM_WAN_ARP);
    qx_attach_watch(engine, engine->setup.sockets.hello, QX_FROM_HELLO);
    memset(&engine->group, 0, sizeof engine->group);
    if (engine->setup.plan.group) {
        attach_group(engine, now);
    } else {
        qx_group_reset(&engine->group, now);
        engine->group.wan_link = false;
        if (engine->setup.lan.carrier)
            qx_hear_link(engine, now, 0, true);
        if (engine->setup.wan.carrier)
            qx_hear_link(engine, now, 1, true);
        for (int i = 0; i < engine->setup.service_count && engine->setup.plan.resume; i++)
            qx_carry_hold(engine, now, i);
    }
    atomic_store(&engine->estate->taken, 1);
}

/* `quiet`: the same unit goes on in a moment with another plan, so nobody is told. */
static void detach(struct qx_engine *engine, int64_t now, bool quiet) {
    struct qx_round round;
    if (!engine->attached)
        return;
    if (engine->setup.plan.group && !quiet) {
        qx_round_begin(engine, &round);
        qx_group_stop(&engine->group, now, &round.actions);
        qx_round_end(engine, now, &round);
    }
    for (int i = 0; i < engine->setup.service_count; i++)
        qx_carry_drop(engine, i);
    qx_announce_stop(&engine->announce);
    int sockets[] = {engine->setup.sockets.vrrp, engine->setup.sockets.hello, engine->setup.sockets.arp[0],
                     engine->setup.sockets.arp[1]};
    for (unsigned i = 0; i < sizeof sockets / sizeof sockets[0]; i++)
        if (sockets[i] >= 0)
            epoll_ctl(engine->epoll, EPOLL_CTL_DEL, sockets[i], NULL);
    memset(&engine->group, 0, sizeof engine->group);
    engine->attached = false;
}

bool qx_attach_serve(struct qx_engine *engine, int64_t now) {
    int request = atomic_load(&engine->request);
    if (request == QX_REQUEST_NONE)
        return true;
    atomic_store_explicit(&engine->estate->working, 1, memory_order_relaxed);
    if (request == QX_REQUEST_ATTACH)
        attach(engine, now);
    else
        detach(engine, now, request == QX_REQUEST_QUIET);
    atomic_store_explicit(&engine->estate->working, 0, memory_order_relaxed);
    qx_show(engine, now);
    atomic_store(&engine->request, QX_REQUEST_NONE);
    sem_post(&engine->done);
    return request != QX_REQUEST_END;
}
