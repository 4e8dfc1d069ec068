/* SPDX-License-Identifier: Apache-2.0 */
/* hear: what reaches the engine from the wire and from the kernel, judged and handed to the group. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "engine_state.h"
#include "frame.h"

enum { BATCH = 32, ROUNDS = 16, PACKET = 1536 };

#define TOLD_AGAIN (60 * QX_SECOND) /* an event of a kind at most once a minute */
#define HELLO_GAP  (750 * QX_MS)    /* more than one hello is missing */

static uint32_t address_of(const uint8_t *octets) {
    return (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 | (uint32_t)octets[2] << 8 | octets[3];
}

static bool told_lately(int64_t *told, int64_t now) {
    if (*told && now - *told < TOLD_AGAIN)
        return true;
    *told = now;
    return false;
}

/* --- advertisements ------------------------------------------------------------------------------------- */

/* The peer's advertisement is refused for one parameter only: then it is no broken packet but another
 * setting, and the group has to know. Judged again with that parameter left open. */
static void maybe_parameter(struct qx_engine *engine, int64_t now, const uint8_t *bytes, size_t length,
                            const struct qx_verdict *verdict) {
    static const enum qx_parameter parameters[QX_REASONS] = {[QX_VERSION] = QX_DIFFERS_VERSION,
                                                             [QX_VRID] = QX_DIFFERS_GROUP,
                                                             [QX_ADVER_INT] = QX_DIFFERS_INTERVAL};
    enum qx_parameter parameter = parameters[verdict->reason];
    struct qx_local open = engine->local;
    struct qx_verdict again;
    if (parameter == QX_SAME || address_of(verdict->advert.source) != engine->setup.plan.peer)
        return;
    open.version = open.vrid = 0;
    open.interval_cs = 0;
    open.check_addresses = false;
    qx_packet_judge(bytes, length, &open, &again);
    if (again.reason != QX_ACCEPTED)
        return;
    uint32_t theirs = parameter == QX_DIFFERS_GROUP     ? again.advert.vrid
                      : parameter == QX_DIFFERS_VERSION ? again.advert.version
                                                        : again.advert.interval_cs;
    struct qx_round round;
    qx_round_begin(engine, &round);
    qx_group_refused(&engine->group, now, parameter, theirs, again.advert.priority,
                     again.advert.interval_cs * 10 * QX_MS, &round.actions);
    qx_round_end(engine, now, &round);
}

static void refused(struct qx_engine *engine, int64_t now, const uint8_t *bytes, size_t length,
                    const struct qx_verdict *verdict) {
    engine->status.refused[verdict->reason]++;
    engine->counted = true;
    if (verdict->reason == QX_ADDR_LIST)
        engine->status.addr_list_err++;
    else if (verdict->reason == QX_ADVER_INT || verdict->reason == QX_INTERVAL_ZERO)
        engine->status.adver_int_err++;
    maybe_parameter(engine, now, bytes, length, verdict);
    if (told_lately(&engine->refused_told[verdict->reason], now))
        return;
    struct qx_event event = {
        .kind = QX_EVENT_REFUSED, .a = (int32_t)verdict->reason, .b = verdict->surplus, .at = now};
    if (verdict->advert.known && verdict->advert.family == 4)
        event.from = address_of(verdict->advert.source);
    qx_tell(engine, &event);
}

static void remark(struct qx_engine *engine, int64_t now, const struct qx_verdict *verdict, uint32_t source) {
    struct qx_status *status = &engine->status;
    status->adverts_received++;
    engine->counted = true;
    status->prio_zero_received += !!(verdict->remarks & QX_REMARK_PRIO_ZERO);
    status->checksum_rfc9568_form += !!(verdict->remarks & QX_REMARK_CHECKSUM_RFC9568);
    status->addr_list_err += !!(verdict->remarks & QX_REMARK_ADDR_LIST);
    status->adver_int_err += !!(verdict->remarks & QX_REMARK_ADVER_INT);
    status->owner_conflict += !!(verdict->remarks & QX_REMARK_OWNER);
    if ((verdict->remarks & QX_REMARK_ADDR_LIST) && !told_lately(&engine->addresses_told, now)) {
        struct qx_event event = {.kind = QX_EVENT_ADDRESSES, .from = source, .at = now};
        if (verdict->advert.count)
            event.address = address_of(verdict->advert.addresses);
        qx_tell(engine, &event);
    }
}

static void on_advert(struct qx_engine *engine, int64_t now, const uint8_t *bytes, size_t length) {
    struct qx_verdict verdict;
    qx_packet_judge(bytes, length, &engine->local, &verdict);
    /* A packet socket takes what IP would have dropped for its header's sum (RFC 1812 5.2.2). */
    if (verdict.reason == QX_ACCEPTED && qx_checksum(bytes, (bytes[0] & 0x0fu) * 4) != 0)
        verdict.reason = QX_IP_HEADER;
    if (verdict.reason != QX_ACCEPTED) {
        refused(engine, now, bytes, length, &verdict);
        return;
    }
    uint32_t source = address_of(verdict.advert.source);
    remark(engine, now, &verdict, source);
    if (engine->setup.plan.peer && source != engine->setup.plan.peer) {
        engine->status.foreign++;
        struct qx_event event = {.kind = QX_EVENT_FOREIGN, .from = source, .at = now};
        if (!told_lately(&engine->foreign_told, now))
            qx_tell(engine, &event);
        if (atomic_load_explicit(&engine->only_peer, memory_order_relaxed))
            return;
    }
    engine->status.master = source;
    engine->status.master_priority = verdict.advert.priority;
    engine->status.master_heard = now;
    /* RFC 9568 has a Master answer a lower one at once; twice an interval is enough, or two of them that
     * look alike would answer each other for ever (rule 3). */
    struct qx_group *group = &engine->group;
    group->fsm.answer_lower = group->fsm.version == 3 && now - engine->answered > group->fsm.interval / 2;
    bool heard = group->heard;
    struct qx_round round;
    qx_round_begin(engine, &round);
    qx_group_advert(group, now, verdict.advert.priority, source, verdict.advert.interval_cs * 10 * QX_MS,
                    &round.actions);
    if (round.state == QX_MASTER && group->fsm.state == QX_MASTER && verdict.advert.priority) {
        /* Somebody else has announced our address meanwhile (rule 2). */
        qx_announce_again(&engine->announce, now);
        if (round.actions.count)
            engine->answered = now;
    }
    qx_round_end(engine, now, &round);
    /* A Backup that has found its Master says so at once: a hello confirms the Master's seat, and a split may
     * begin before the next one is due. */
    if (!heard && group->heard && group->fsm.state == round.state)
        qx_carry_hello(engine, now);
}

void qx_hear_vrrp(struct qx_engine *engine, int64_t now) {
    static uint8_t bytes[BATCH][PACKET];
    static struct sockaddr_ll senders[BATCH];
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    /* A flood is worked off in bounded rounds: timers and the beat come in between. */
    for (int turn = 0; turn < ROUNDS; turn++) {
        memset(messages, 0, sizeof messages);
        for (int i = 0; i < BATCH; i++) {
            vectors[i] = (struct iovec){.iov_base = bytes[i], .iov_len = PACKET};
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
            messages[i].msg_hdr.msg_name = &senders[i];
            messages[i].msg_hdr.msg_namelen = sizeof senders[i];
        }
        int got = recvmmsg(engine->setup.sockets.vrrp, messages, BATCH, MSG_DONTWAIT, NULL);
        engine->window_packets += got > 0 ? (uint32_t)got : 0;
        for (int i = 0; i < got; i++)
            if (senders[i].sll_pkttype != PACKET_OUTGOING && senders[i].sll_pkttype != PACKET_OTHERHOST)
                on_advert(engine, now, bytes[i], messages[i].msg_len);
        if (got < BATCH)
            return;
    }
    struct tpacket_stats drops;
    socklen_t size = sizeof drops;
    if (getsockopt(engine->setup.sockets.vrrp, SOL_PACKET, PACKET_STATISTICS, &drops, &size) == 0 &&
        drops.tp_drops) {
        engine->status.overruns += drops.tp_drops;
        struct qx_event event = {.kind = QX_EVENT_OVERRUN, .b = (int32_t)drops.tp_drops, .at = now};
        qx_tell(engine, &event);
    }
}

/* --- ARP ------------------------------------------------------------------------------------------------ */

/* From a station of our own. What we announce may come back to us; a reply from our virtual MAC cannot, for
 * it goes to the asker: it is the other unit's, whose kernel has the address as well. */
static bool ours(const struct qx_engine *engine, const struct qx_arp *arp) {
    const uint8_t *mac = arp->sender_mac;
    if (memcmp(mac, engine->setup.lan.mac, 6) == 0 || memcmp(mac, engine->setup.wan.mac, 6) == 0)
        return true;
    for (int i = 0; i < engine->setup.service_count && !arp->reply; i++)
        if (engine->held[i] && memcmp(mac, engine->setup.services[i].mac, 6) == 0)
            return true;
    return false;
}

static bool is_virtual_mac(const uint8_t mac[6]) {
    static const uint8_t range[5] = {0x00, 0x00, 0x5e, 0x00, 0x01};
    return memcmp(mac, range, sizeof range) == 0;
}

/* Another station claims an address that we hold. */
static void claimed(struct qx_engine *engine, int64_t now, int service, const struct qx_arp *arp) {
    bool yield = !engine->setup.plan.group && is_virtual_mac(arp->sender_mac);
    if (yield) {
        /* A pair's address: the pair was configured for it, and this unit only came with it. */
        int probe = service == 0 ? QX_PROBE_LAN : QX_PROBE_WAN;
        qx_carry_drop(engine, service);
        qx_probe_start(&engine->probes[probe], arp->sender, true, now, 10 * QX_SECOND);
    } else if (engine->conflict_told && now - engine->conflict_told < 10 * QX_SECOND) {
        return; /* RFC 5227 2.4: defend once in ten seconds */
    }
    engine->conflict_told = now;
    qx_tell_conflict(engine, now, 1 + service, arp->sender, arp->sender_mac);
    if (!yield)
        qx_announce_again(&engine->announce, now);
}

static void on_arp(struct qx_engine *engine, int64_t now, int port, const struct qx_arp *arp) {
    if (ours(engine, arp))
        return;
    for (int probe = 0; probe < QX_PROBES; probe++) {
        bool before = engine->probes[probe].state == QX_PROBE_CONFLICT;
        if ((probe == QX_PROBE_WAN) != (port == 1) || engine->probes[probe].state == QX_PROBE_CLEAR ||
            !qx_probe_heard(&engine->probes[probe], now, arp->sender, arp->target, arp->sender_mac))
            continue;
        if (probe != QX_PROBE_VIRTUAL)
            qx_group_service(&engine->group, now, QX_SERVICE_TAKEN);
        /* In a group a Master that is heard a moment later may rightly answer: told when it keeps us back. */
        if (!before && (probe == QX_PROBE_VIRTUAL || !engine->setup.plan.group))
            qx_tell_conflict(engine, now, probe, engine->probes[probe].address, arp->sender_mac);
    }
    for (int i = 0; i < engine->setup.service_count; i++)
        if (engine->held[i] && arp->sender == engine->setup.services[i].address.address)
            claimed(engine, now, i, arp);
    if (engine->group.ready && port == 0 && arp->sender == engine->setup.plan.virtual_ip &&
        now - engine->conflict_told > 10 * QX_SECOND) {
        engine->conflict_told = now;
        qx_tell_conflict(engine, now, QX_PROBE_VIRTUAL, arp->sender, arp->sender_mac);
    }
}

void qx_hear_arp(struct qx_engine *engine, int64_t now, int port) {
    uint8_t bytes[128];
    /* Bounded like the advertisements: ARP storms exist. */
    for (int i = 0; i < BATCH * ROUNDS; i++) {
        struct qx_arp arp;
        ssize_t got = recv(engine->setup.sockets.arp[port], bytes, sizeof bytes, MSG_DONTWAIT);
        if (got < 0)
            return;
        if (got > QX_ETHERNET_HEADER &&
            qx_frame_read_arp(bytes + QX_ETHERNET_HEADER, (size_t)got - QX_ETHERNET_HEADER, &arp))
            on_arp(engine, now, port, &arp);
    }
}

/* --- hello ---------------------------------------------------------------------------------------------- */

static bool differs(const struct qx_hello *a, const struct qx_hello *b) {
    return a->state != b->state || a->armed != b->armed || a->passive != b->passive || a->deaf != b->deaf ||
           a->term != b->term || a->vrid != b->vrid || a->version != b->version ||
           a->interval_cs != b->interval_cs || a->virtual_mac != b->virtual_mac ||
           a->lan_service != b->lan_service || a->lan_prefix != b->lan_prefix ||
           a->wan_service != b->wan_service || a->wan_prefix != b->wan_prefix ||
           strcmp(a->serial, b->serial) != 0 || strcmp(a->model, b->model) != 0 ||
           strcmp(a->firmware, b->firmware) != 0;
}

static void on_inquiry(struct qx_engine *engine, const uint8_t *bytes, size_t length) {
    uint8_t key[QX_SIPHASH_KEY];
    struct qx_inquiry inquiry;
    if (!qx_carry_key(engine, key) || !qx_inquiry_read(bytes, length, key, &inquiry) ||
        inquiry.from != engine->setup.plan.peer || inquiry.vrid != engine->setup.plan.vrid) {
        engine->status.inquiries_refused++;
        return;
    }
    if (inquiry.kind == QX_INQUIRY_QUESTION) {
        qx_carry_answer(engine, inquiry.nonce);
    } else if (memcmp(inquiry.nonce, engine->nonce, sizeof engine->nonce) == 0) {
        engine->status.inquiries_answered++;
        engine->counted = true;
        qx_group_answered(&engine->group, inquiry.state);
    }
}

void qx_hear_hello(struct qx_engine *engine, int64_t now) {
    uint8_t bytes[QX_HELLO_SIZE + 1]; /* an inquiry is shorter */
    for (int i = 0; i < BATCH; i++) {
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        struct qx_hello hello;
        ssize_t got = recvfrom(engine->setup.sockets.hello, bytes, sizeof bytes, MSG_DONTWAIT,
                               (struct sockaddr *)&from, &size);
        if (got < 0)
            return;
        if (ntohl(from.sin_addr.s_addr) == engine->setup.plan.peer && qx_inquiry_is(bytes, (size_t)got)) {
            on_inquiry(engine, bytes, (size_t)got);
            continue;
        }
        if (ntohl(from.sin_addr.s_addr) != engine->setup.plan.peer ||
            !qx_hello_read(bytes, (size_t)got, &hello)) {
            engine->status.hellos_refused++;
            continue;
        }
        engine->status.hellos_received++;
        bool news = !engine->peer_known || differs(&hello, &engine->group.hello);
        /* It was Master until now, says that it was a moment ago, or was out of sight and may have been:
         * neighbours may have followed it, and it may have stood down without an advertisement that we heard.
         */
        bool astray = engine->group.hello.state == QX_MASTER || hello.stood_down ||
                      now - engine->group.hello_seen > HELLO_GAP;
        struct qx_round round;
        qx_round_begin(engine, &round);
        qx_group_hello(&engine->group, now, &hello, &round.actions);
        qx_round_end(engine, now, &round);
        engine->peer_known = true;
        engine->changed = true;
        if (astray && hello.state != QX_MASTER && engine->group.fsm.state == QX_MASTER)
            qx_announce_again(&engine->announce, now);
        struct qx_event event = {.kind = QX_EVENT_PEER, .a = 1, .at = now};
        if (news)
            qx_tell(engine, &event);
    }
}

/* --- links ---------------------------------------------------------------------------------------------- */

static void start_probe(struct qx_engine *engine, int64_t now, int probe, uint32_t address, bool shared) {
    engine->random = engine->random * 6364136223846793005ULL + 1442695040888963407ULL;
    int64_t spread = (int64_t)(engine->random >> 33) % (200 * QX_MS);
    if (address)
        qx_probe_start(&engine->probes[probe], address, shared, now, spread);
}

void qx_hear_link(struct qx_engine *engine, int64_t now, int port, bool up) {
    const struct qx_plan *plan = &engine->setup.plan;
    struct qx_round round;
    if (up)
        sem_post(&engine->renew_now); /* the kernel dropped routes with the link */
    qx_round_begin(engine, &round);
    if (port)
        qx_group_wan(&engine->group, now, up);
    else
        qx_group_link(&engine->group, now, up, &round.actions);
    qx_round_end(engine, now, &round);
    if (!up)
        return;
    /* What could not be asked without link is asked now. */
    if (!port && plan->group && !engine->group.ready)
        start_probe(engine, now, QX_PROBE_VIRTUAL, plan->virtual_ip, false);
    if (!plan->group && plan->hold) {
        if (!port && !engine->held[0])
            start_probe(engine, now, QX_PROBE_LAN, plan->lan_service, false);
        if (port && plan->wan_service && !engine->held[1])
            start_probe(engine, now, QX_PROBE_WAN, plan->wan_service, false);
    }
}

static void on_link(const struct qx_link *link, bool gone, void *data) {
    struct qx_engine *engine = data;
    int64_t now = qx_now();
    bool up = link->carrier && !gone;
    if (!engine->attached)
        return;
    const int ports[2] = {engine->setup.lan.index, engine->setup.wan.index};
    for (int port = 0; port < 2; port++) {
        bool before = port ? engine->group.wan_link : engine->group.link;
        struct qx_event event = {.kind = QX_EVENT_LINK, .a = port, .b = up, .at = now};
        if (link->index != ports[port] || up == before)
            continue;
        qx_tell(engine, &event);
        qx_hear_link(engine, now, port, up);
    }
}

void qx_hear_links(struct qx_engine *engine, int64_t now) {
    (void)now;
    if (qx_netlink_read(&engine->watch, on_link, engine) == -ENOBUFS && engine->attached) {
        struct qx_link link;
        if (qx_netlink_link(&engine->netlink, engine->setup.lan.name, &link) == 0)
            on_link(&link, false, engine);
        if (engine->setup.wan.index && qx_netlink_link(&engine->netlink, engine->setup.wan.name, &link) == 0)
            on_link(&link, false, engine);
    }
}
