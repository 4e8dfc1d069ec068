/* SPDX-License-Identifier: Apache-2.0 */
/* carry: what the group decided, carried out: packets onto the wire, addresses onto the interfaces. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "engine_state.h"
#include "frame.h"

static void failed(struct qx_engine *engine, int64_t now, int code, enum qx_step step) {
    struct qx_event event = {.kind = QX_EVENT_FAILED, .a = code, .b = (int32_t)step, .at = now};
    qx_tell(engine, &event);
}

static int send_frame(int socket, int index, uint16_t protocol, const uint8_t *frame, size_t length) {
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = index};
    ssize_t sent = sendto(socket, frame, length, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to);
    return sent < 0 ? -errno : 0;
}

/* --- advertisements ------------------------------------------------------------------------------------- */

static void put_address(uint8_t *at, uint32_t address) {
    uint32_t wire = htonl(address);
    memcpy(at, &wire, sizeof wire);
}

static size_t advert_frame(const struct qx_engine *engine, uint8_t priority, uint8_t *frame) {
    const struct qx_plan *plan = &engine->setup.plan;
    struct qx_outgoing outgoing = {.version = plan->version,
                                   .vrid = plan->vrid,
                                   .priority = priority,
                                   .interval_cs = (uint16_t)plan->interval_cs,
                                   .rfc9568_checksum = plan->rfc9568_checksum,
                                   .address_count = 1};
    put_address(outgoing.source, plan->virtual_ip);
    put_address(outgoing.addresses[0], plan->lan_service);
    size_t header = qx_frame_advert_header(frame, engine->setup.advert_mac);
    size_t length = qx_packet_build(frame + header, QX_FRAME - header, &outgoing);
    return length ? header + length : 0;
}

static void send_advert(struct qx_engine *engine, int64_t now, uint8_t priority) {
    uint8_t frame[QX_FRAME];
    if (!engine->group.link)
        return; /* there is no way out, and the group must not think that it was heard */
    size_t length = advert_frame(engine, priority, frame);
    int code = send_frame(engine->setup.sockets.arp[0], engine->setup.lan.index, ETH_P_IP, frame, length);
    if (code < 0) {
        failed(engine, now, code, QX_STEP_SEND);
        return;
    }
    qx_group_sent(&engine->group, now);
    engine->status.adverts_sent++;
    if (priority == 0)
        engine->status.prio_zero_sent++;
}

void qx_carry_frames(struct qx_engine *engine, int64_t now, struct qx_holdings *holdings) {
    holdings->advert_length =
        (uint16_t)advert_frame(engine, qx_group_priority(&engine->group, now), holdings->advert);
    holdings->release_length = (uint16_t)advert_frame(engine, 0, holdings->release);
}

/* --- ARP ------------------------------------------------------------------------------------------------ */

static int port_of(const struct qx_engine *engine, const struct qx_service *service) {
    return service->parent == engine->setup.wan.index ? 1 : 0;
}

void qx_carry_announce(struct qx_engine *engine) {
    for (int i = 0; i < engine->setup.service_count; i++) {
        const struct qx_service *service = &engine->setup.services[i];
        uint8_t frame[QX_ARP_FRAME];
        if (!engine->held[i])
            continue;
        size_t length = qx_frame_announce(frame, service->mac, service->address.address);
        if (send_frame(engine->setup.sockets.arp[port_of(engine, service)], service->parent, ETH_P_ARP, frame,
                       length) == 0)
            engine->status.announces_sent++;
    }
}

void qx_carry_doubt(struct qx_engine *engine) {
    const struct qx_group *group = &engine->group;
    uint8_t frame[QX_ARP_FRAME];
    if (!engine->setup.plan.group || group->fsm.state != QX_MASTER || group->cause != QX_CAUSE_SILENCE)
        return;
    size_t length = qx_frame_probe(frame, engine->setup.lan.mac, engine->setup.plan.lan_service);
    send_frame(engine->setup.sockets.arp[0], engine->setup.lan.index, ETH_P_ARP, frame, length);
}

void qx_carry_probe(struct qx_engine *engine, int probe) {
    uint8_t frame[QX_ARP_FRAME];
    int port = probe == QX_PROBE_WAN;
    const struct qx_link *link = port ? &engine->setup.wan : &engine->setup.lan;
    size_t length = qx_frame_probe(frame, link->mac, engine->probes[probe].address);
    send_frame(engine->setup.sockets.arp[port], link->index, ETH_P_ARP, frame, length);
}

/* --- addresses ------------------------------------------------------------------------------------------ */

void qx_carry_hold(struct qx_engine *engine, int64_t now, int service) {
    const struct qx_service *wanted = &engine->setup.services[service];
    pthread_mutex_lock(&engine->holding);
    int code = wanted->macvlan ? qx_netlink_link_up(&engine->netlink, wanted->device, true) : 0;
    engine->raised[service] = wanted->macvlan;
    if (code < 0)
        failed(engine, now, code, QX_STEP_LINK);
    code = qx_netlink_address_add(&engine->netlink, &wanted->address);
    if (code < 0)
        failed(engine, now, code, QX_STEP_ADDRESS);
    /* A port without link takes the address and none of its routes; they follow with a renewal. */
    for (int i = 0; i < wanted->route_count; i++) {
        code = qx_netlink_route_add(&engine->netlink, &wanted->routes[i]);
        if (code < 0 && code != -ENETDOWN && code != -ENETUNREACH)
            failed(engine, now, code, QX_STEP_ROUTE);
    }
    engine->held[service] = true;
    pthread_mutex_unlock(&engine->holding);
    engine->changed = true;
}

void qx_carry_drop(struct qx_engine *engine, int service) {
    const struct qx_service *held = &engine->setup.services[service];
    if (!engine->held[service])
        return;
    pthread_mutex_lock(&engine->holding);
    engine->held[service] = false;
    /* Its routes go with it; the macvlan is brought down by the keeper, which has time for it. */
    qx_netlink_address_remove(&engine->netlink, &held->address);
    pthread_mutex_unlock(&engine->holding);
    engine->changed = true;
}

void qx_carry_virtual(struct qx_engine *engine, int64_t now) {
    uint8_t frame[QX_ARP_FRAME];
    int code = qx_netlink_address_add(&engine->netlink, &engine->setup.virtual_ip);
    if (code < 0)
        failed(engine, now, code, QX_STEP_ADDRESS);
    size_t length = qx_frame_announce(frame, engine->setup.lan.mac, engine->setup.virtual_ip.address);
    send_frame(engine->setup.sockets.arp[0], engine->setup.lan.index, ETH_P_ARP, frame, length);
    qx_group_ready(&engine->group, code == 0);
    engine->changed = true;
}

/* --- hello ---------------------------------------------------------------------------------------------- */

static bool may_speak(const struct qx_engine *engine) {
    return engine->setup.sockets.hello >= 0 && engine->setup.plan.peer && engine->group.ready &&
           engine->group.link;
}

static bool say(const struct qx_engine *engine, const uint8_t *bytes, size_t length) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(QX_HELLO_PORT),
                             .sin_addr.s_addr = htonl(engine->setup.plan.peer)};
    return sendto(engine->setup.sockets.hello, bytes, length, MSG_DONTWAIT, (struct sockaddr *)&to,
                  sizeof to) > 0;
}

/* Whether this unit would take over if the Master fell silent now. */
static bool willing(const struct qx_group *group, int64_t now) {
    return qx_group_armed(group, now) && group->ready && group->link &&
           (group->parameter == QX_SAME || now >= group->parameter_until) &&
           (group->heard || group->service == QX_SERVICE_FREE);
}

bool qx_carry_hello_is_due(const struct qx_engine *engine, int64_t now) {
    return now >= engine->hello_at || willing(&engine->group, now) != engine->willing_told ||
           (engine->group.block == QX_BLOCK_ALIVE) != engine->deaf_told;
}

void qx_carry_hello(struct qx_engine *engine, int64_t now) {
    const struct qx_plan *plan = &engine->setup.plan;
    const struct qx_group *group = &engine->group;
    uint8_t bytes[QX_HELLO_SIZE];
    engine->hello_at = now + QX_SECOND / 2;
    engine->willing_told = willing(group, now);
    engine->deaf_told = group->block == QX_BLOCK_ALIVE;
    if (!may_speak(engine))
        return;
    struct qx_hello hello = {
        .state = (uint8_t)group->fsm.state,
        .priority = qx_group_priority(group, now),
        .vrid = plan->vrid,
        .version = plan->version,
        .virtual_mac = plan->virtual_mac,
        .armed = engine->willing_told,
        .passive = group->passive,
        .wan_link = group->wan_link,
        .master_before = group->master_before,
        .stood_down = engine->stood_down && now - engine->stood_down < QX_STOOD_DOWN,
        .deaf = engine->deaf_told,
        .interval_cs = (uint16_t)plan->interval_cs,
        .term = atomic_load_explicit(&engine->term, memory_order_relaxed),
        .uptime_s = (uint32_t)((now - engine->started) / QX_SECOND),
        .lan_service = plan->lan_service,
        .wan_service = plan->wan_service,
        .lan_prefix = plan->lan_prefix,
        .wan_prefix = plan->wan_prefix,
    };
    memcpy(hello.serial, plan->serial, sizeof hello.serial);
    memcpy(hello.model, plan->model, sizeof hello.model);
    memcpy(hello.firmware, plan->firmware, sizeof hello.firmware);
    qx_hello_write(bytes, &hello);
    if (say(engine, bytes, sizeof bytes))
        engine->status.hellos_sent++;
}

/* --- inquiries ------------------------------------------------------------------------------------------ */

bool qx_carry_key(const struct qx_engine *engine, uint8_t key[QX_SIPHASH_KEY]) {
    uint64_t words[2] = {atomic_load_explicit(&engine->key[0], memory_order_relaxed),
                         atomic_load_explicit(&engine->key[1], memory_order_relaxed)};
    memcpy(key, words, sizeof words);
    return atomic_load_explicit(&engine->keyed, memory_order_relaxed);
}

static void inquire(struct qx_engine *engine, const struct qx_inquiry *inquiry) {
    uint8_t bytes[QX_INQUIRY_SIZE], key[QX_SIPHASH_KEY];
    if (!may_speak(engine) || !qx_carry_key(engine, key))
        return;
    qx_inquiry_write(bytes, inquiry, key);
    if (say(engine, bytes, sizeof bytes) && inquiry->kind == QX_INQUIRY_QUESTION)
        engine->status.inquiries_sent++;
}

static void ask(struct qx_engine *engine) {
    struct qx_inquiry question = {
        .kind = QX_INQUIRY_QUESTION, .vrid = engine->setup.plan.vrid, .from = engine->setup.plan.virtual_ip};
    /* The questions of one wait have one nonce: the answer to any of them is one to all. */
    if (engine->group.first)
        for (int i = 0; i < QX_INQUIRY_NONCE && ++engine->nonce[i] == 0; i++)
            ;
    memcpy(question.nonce, engine->nonce, sizeof question.nonce);
    inquire(engine, &question);
}

void qx_carry_answer(struct qx_engine *engine, const uint8_t nonce[QX_INQUIRY_NONCE]) {
    struct qx_inquiry answer = {.kind = QX_INQUIRY_ANSWER,
                                .state = (uint8_t)engine->group.fsm.state,
                                .vrid = engine->setup.plan.vrid,
                                .from = engine->setup.plan.virtual_ip};
    memcpy(answer.nonce, nonce, sizeof answer.nonce);
    inquire(engine, &answer);
}

/* --- actions in their order ----------------------------------------------------------------------------- */

void qx_carry(struct qx_engine *engine, int64_t now, const struct qx_actions *actions) {
    for (int i = 0; i < actions->count; i++) {
        switch ((enum qx_action)actions->kind[i]) {
        case QX_SEND_ADVERT:
            send_advert(engine, now, qx_group_priority(&engine->group, now));
            break;
        case QX_SEND_RELEASE:
            send_advert(engine, now, 0);
            break;
        case QX_ADDRESSES_UP:
            for (int service = 0; service < engine->setup.service_count; service++)
                qx_carry_hold(engine, now, service);
            break;
        case QX_ADDRESSES_DOWN:
            for (int service = 0; service < engine->setup.service_count; service++)
                qx_carry_drop(engine, service);
            qx_announce_stop(&engine->announce);
            break;
        case QX_ANNOUNCE:
            qx_announce_start(&engine->announce, now);
            qx_carry_announce(engine);
            break;
        case QX_INQUIRE:
            ask(engine);
            break;
        }
    }
}
