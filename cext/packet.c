/* SPDX-License-Identifier: Apache-2.0 */
/* packet: the ladder of checks that every received advertisement climbs; packet.h says what for.
 *
 * The RFCs list what must be checked and leave the order open. Ours goes from the outside in, because a
 * field means something only when the one around it is sound: the IP header before the protocol, the
 * destination and TTL before anything that a remote sender could have written, the VRID before the checksum
 * (another group's advertisement on the same LAN is not ours to judge), the checksum before any field
 * is compared with the configuration. One rung, one reason.
 */
#include "packet.h"

#include <string.h>

#define IPV4_HEADER       20 /* octets without options */
#define IPV6_HEADER       40
#define FRAGMENT_HEADER   8   /* RFC 8200 4.5 */
#define PROTOCOL_VRRP     112 /* RFC 3768 5.2.4, RFC 9568 5.1.1.4 */
#define PROTOCOL_FRAGMENT 44
#define TTL               255 /* RFC 3768 5.2.3: proves that no router has passed it on */
#define MESSAGE_HEADER    8
#define AUTHENTICATION    8 /* octets behind a version 2 list, used or not (RFC 3768 5.3.10) */
#define ADVERTISEMENT     1 /* the only type there is */
#define AUTH_TYPE_MAX     2 /* none, simple text, IP authentication header (RFC 2338 5.3.6) */
#define OWNER             255

static const uint8_t GROUP_IPV4[4] = {224, 0, 0, 18};
static const uint8_t GROUP_IPV6[16] = {0xff, 0x02, [15] = 0x12};

/* The VRRP message inside the packet, and what of the IP header is needed once only. */
struct message {
    const uint8_t *bytes;
    size_t length;
    uint8_t ttl;
};

static uint16_t get16(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static size_t address_width(const struct qx_advert *advert) {
    return advert->family == 6 ? 16 : 4;
}

static enum qx_reason read_ipv4(const uint8_t *bytes, size_t length, struct qx_advert *advert,
                                struct message *message) {
    if (length < IPV4_HEADER)
        return QX_IP_HEADER;
    size_t header = (size_t)(bytes[0] & 0x0f) * 4;
    size_t total = get16(bytes + 2);
    if (header < IPV4_HEADER || header > total || total > length)
        return QX_IP_HEADER;
    advert->family = 4;
    memcpy(advert->source, bytes + 12, 4);
    memcpy(advert->destination, bytes + 16, 4);
    advert->known = 1;
    if (bytes[9] != PROTOCOL_VRRP)
        return QX_NOT_VRRP;
    if (get16(bytes + 6) & 0x3fff) /* more fragments, or an offset */
        return QX_FRAGMENT;
    message->bytes = bytes + header;
    message->length = total - header; /* what follows is padding of a short Ethernet frame */
    message->ttl = bytes[8];
    return QX_ACCEPTED;
}

/* An extension header before VRRP is refused: no sender of advertisements has a use for one. */
static enum qx_reason read_ipv6(const uint8_t *bytes, size_t length, struct qx_advert *advert,
                                struct message *message) {
    if (length < IPV6_HEADER)
        return QX_IP_HEADER;
    size_t payload = get16(bytes + 4);
    if (payload > length - IPV6_HEADER)
        return QX_IP_HEADER;
    advert->family = 6;
    memcpy(advert->source, bytes + 8, 16);
    memcpy(advert->destination, bytes + 24, 16);
    advert->known = 1;
    if (bytes[6] == PROTOCOL_FRAGMENT && payload >= FRAGMENT_HEADER && bytes[IPV6_HEADER] == PROTOCOL_VRRP)
        return QX_FRAGMENT;
    if (bytes[6] != PROTOCOL_VRRP)
        return QX_NOT_VRRP;
    message->bytes = bytes + IPV6_HEADER;
    message->length = payload;
    message->ttl = bytes[7];
    return QX_ACCEPTED;
}

static enum qx_reason read_ip(const uint8_t *bytes, size_t length, struct qx_advert *advert,
                              struct message *message) {
    uint8_t version = length > 0 ? bytes[0] >> 4 : 0;
    if (version == 4)
        return read_ipv4(bytes, length, advert, message);
    if (version == 6)
        return read_ipv6(bytes, length, advert, message);
    return QX_IP_HEADER;
}

static bool to_the_group(const struct qx_advert *advert) {
    const uint8_t *group = advert->family == 6 ? GROUP_IPV6 : GROUP_IPV4;
    return memcmp(advert->destination, group, address_width(advert)) == 0;
}

/* Our configuration has addresses of one family only; a packet of the other is never from them. */
static bool same_family(const struct qx_advert *advert, const struct qx_local *local) {
    return local->family == 0 || local->family == advert->family;
}

static bool sent_by(const struct qx_advert *advert, const struct qx_local *local, const uint8_t address[16]) {
    return same_family(advert, local) && memcmp(advert->source, address, address_width(advert)) == 0;
}

static void read_fixed(const struct message *message, struct qx_advert *advert) {
    const uint8_t *bytes = message->bytes;
    advert->version = bytes[0] >> 4;
    advert->type = bytes[0] & 0x0f;
    advert->vrid = bytes[1];
    advert->priority = bytes[2];
    advert->count = bytes[3];
    if (advert->version == 2) {
        advert->auth_type = bytes[4];
        advert->interval_cs = (uint16_t)(bytes[5] * 100);
    } else if (advert->version == 3) {
        advert->interval_cs = get16(bytes + 4) & 0x0fff; /* RFC 9568 5.2.6: the upper four are reserved */
    }
    advert->known = 2;
}

static size_t expected_length(const struct qx_advert *advert) {
    size_t trailer = advert->version == 2 ? AUTHENTICATION : 0;
    return MESSAGE_HEADER + advert->count * address_width(advert) + trailer;
}

/* A right checksum stands in its own sum and makes it zero (RFC 1071 1). */
static bool checksum_right(const struct message *message, const struct qx_advert *advert, uint32_t *remarks) {
    const uint8_t *bytes = message->bytes;
    if (advert->version == 2) /* RFC 3768 5.3.8: the message alone */
        return qx_checksum(bytes, message->length) == 0;
    if (qx_message_checksum(bytes, message->length, advert->family, advert->source, advert->destination) == 0)
        return true;
    /* RFC 9568 5.2.8 took the pseudo header out of IPv4's sum and left it in IPv6's. Both forms are on the
     * wire. */
    if (advert->family == 4 && qx_checksum(bytes, message->length) == 0) {
        *remarks |= QX_REMARK_CHECKSUM_RFC9568;
        return true;
    }
    return false;
}

static bool among(const uint8_t *address, const uint8_t *list, size_t count, size_t stride, size_t width) {
    for (size_t i = 0; i < count; i++)
        if (memcmp(address, list + i * stride, width) == 0)
            return true;
    return false;
}

/* As sets: routers sort their lists differently, and nothing forbids an address twice. */
static bool same_addresses(const struct qx_advert *advert, const struct qx_local *local) {
    size_t width = address_width(advert);
    const uint8_t *ours = local->addresses[0];
    const size_t stride = sizeof local->addresses[0];
    size_t count = local->address_count < QX_ADDRESSES_MAX ? local->address_count : QX_ADDRESSES_MAX;
    for (size_t i = 0; i < advert->count; i++)
        if (!among(advert->addresses + i * width, ours, count, stride, width))
            return false;
    for (size_t i = 0; i < count; i++)
        if (!among(ours + i * stride, advert->addresses, advert->count, width, width))
            return false;
    return true;
}

static bool first_is_linklocal(const struct qx_advert *advert) {
    return advert->addresses[0] == 0xfe && (advert->addresses[1] & 0xc0) == 0x80;
}

/* Rungs that only version 2 has as a drop: RFC 3768 7.1. */
static enum qx_reason compare_v2(const struct qx_advert *advert, const struct qx_local *local,
                                 uint32_t *remarks) {
    if (advert->auth_type > AUTH_TYPE_MAX)
        return QX_AUTH_INVALID;
    if (advert->auth_type != local->auth_type)
        return QX_AUTH_MISMATCH;
    if (local->priority == OWNER)
        return QX_OWNER;
    if (local->check_addresses && !same_addresses(advert, local)) {
        /* The owner's list is believed (RFC 3768 7.1). So is the other unit's: a replacement arrives with
         * factory addresses, and dropping it would make two Masters. */
        bool peer = local->has_peer && sent_by(advert, local, local->peer);
        if (advert->priority != OWNER && !peer)
            return QX_ADDR_LIST;
        *remarks |= QX_REMARK_ADDR_LIST;
    }
    /* Zero seconds equals no interval that can be configured, so it is never accepted. */
    if (advert->interval_cs == 0 || (local->interval_cs != 0 && advert->interval_cs != local->interval_cs))
        return QX_ADVER_INT;
    return QX_ACCEPTED;
}

/* Version 3 logs what version 2 drops (RFC 9568 7.1, errata 8298, 8300 and 8301). */
static enum qx_reason compare_v3(const struct qx_advert *advert, const struct qx_local *local,
                                 uint32_t *remarks) {
    if (local->priority == OWNER)
        *remarks |= QX_REMARK_OWNER;
    if (local->check_addresses && !same_addresses(advert, local))
        *remarks |= QX_REMARK_ADDR_LIST;
    if (advert->interval_cs == 0)
        return QX_INTERVAL_ZERO;
    if (local->interval_cs != 0 && advert->interval_cs != local->interval_cs)
        *remarks |= QX_REMARK_ADVER_INT;
    if (advert->family == 6 && !first_is_linklocal(advert))
        return QX_LINKLOCAL;
    return QX_ACCEPTED;
}

static enum qx_reason climb(const uint8_t *bytes, size_t length, const struct qx_local *local,
                            struct qx_verdict *verdict) {
    struct qx_advert *advert = &verdict->advert;
    uint32_t *remarks = &verdict->remarks;
    struct message message;
    enum qx_reason reason = read_ip(bytes, length, advert, &message);
    if (reason != QX_ACCEPTED)
        return reason;
    if (!to_the_group(advert))
        return QX_DST;
    if (message.ttl != TTL)
        return QX_TTL;
    if (local->has_primary && sent_by(advert, local, local->primary))
        return QX_OWN_SOURCE;
    if (message.length < MESSAGE_HEADER)
        return QX_SHORT;
    read_fixed(&message, advert);
    if (advert->version != 3 && !(advert->version == 2 && advert->family == 4))
        return QX_VERSION;
    if (advert->type != ADVERTISEMENT)
        return QX_TYPE;
    if (advert->vrid == 0 || (local->vrid != 0 && advert->vrid != local->vrid) || !same_family(advert, local))
        return QX_VRID;
    if (local->version != 0 && advert->version != local->version)
        return QX_VERSION;
    if (advert->version == 3 && advert->count == 0)
        return QX_COUNT_ZERO;
    verdict->surplus = (int32_t)message.length - (int32_t)expected_length(advert);
    if (verdict->surplus != 0)
        return QX_LENGTH;
    advert->addresses = message.bytes + MESSAGE_HEADER;
    advert->known = 3;
    if (!checksum_right(&message, advert, remarks))
        return QX_CHECKSUM;
    if (advert->priority == 0)
        *remarks |= QX_REMARK_PRIO_ZERO;
    return advert->version == 2 ? compare_v2(advert, local, remarks) : compare_v3(advert, local, remarks);
}

void qx_packet_judge(const uint8_t *bytes, size_t length, const struct qx_local *local,
                     struct qx_verdict *verdict) {
    memset(verdict, 0, sizeof *verdict);
    verdict->reason = climb(bytes, length, local, verdict);
    if (verdict->reason != QX_ACCEPTED)
        verdict->remarks = 0; /* one reason, one counter */
}
