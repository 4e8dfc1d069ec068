/* SPDX-License-Identifier: Apache-2.0 */
/* advert: our own advertisement written, the checksum, and the names of reasons and counters. */
#include "packet.h"

#include <string.h>

#define IP_HEADER        20
#define PSEUDO_IPV4      12
#define PSEUDO_IPV6      40
#define MESSAGE_HEADER   8
#define AUTHENTICATION   8
#define PROTOCOL_VRRP    112
#define INTERVAL_V2_MAX  25500 /* one octet of seconds */
#define INTERVAL_V3_MAX  4095  /* twelve bits of centiseconds */
#define TOS_INTERNETWORK 0xc0  /* as keepalived, FRR and holo send; the RFCs are silent */

_Static_assert(IP_HEADER + MESSAGE_HEADER + 4 * QX_ADDRESSES_MAX + AUTHENTICATION <= QX_ADVERT_MAX,
               "QX_ADVERT_MAX holds the longest list");

static const uint8_t GROUP[4] = {224, 0, 0, 18};

/* Words are summed in the machine's order: the carry goes round, so that the sum comes out in the order of
 * the octets whatever the machine (RFC 1071 2 B). 64 bits hold the carries of any length. */
static uint64_t sum(uint64_t so_far, const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i + 1 < length; i += 2) {
        uint16_t word;
        memcpy(&word, bytes + i, 2);
        so_far += word;
    }
    if (length % 2 != 0) {
        uint16_t word = 0;
        memcpy(&word, bytes + length - 1, 1);
        so_far += word;
    }
    return so_far;
}

static uint16_t folded(uint64_t so_far) {
    while (so_far > 0xffff)
        so_far = (so_far & 0xffff) + (so_far >> 16);
    return (uint16_t)~so_far;
}

uint16_t qx_checksum(const uint8_t *bytes, size_t length) {
    return folded(sum(0, bytes, length));
}

uint16_t qx_message_checksum(const uint8_t *message, size_t length, int family, const uint8_t *source,
                             const uint8_t *destination) {
    uint8_t pseudo[PSEUDO_IPV6] = {0};
    size_t width = family == 6 ? 16 : 4;
    size_t octets = family == 6 ? PSEUDO_IPV6 : PSEUDO_IPV4;
    memcpy(pseudo, source, width);
    memcpy(pseudo + width, destination, width);
    /* IPv4: zero, protocol, length (RFC 793 3.1); IPv6: length in 32 bits, three zeros, next header (RFC 8200
     * 8.1). A message is shorter than 65536 octets, so the length's two octets are all it takes. */
    uint8_t *tail = pseudo + 2 * width;
    tail[family == 6 ? 7 : 1] = PROTOCOL_VRRP;
    tail[2] = (uint8_t)(length >> 8);
    tail[3] = (uint8_t)length;
    return folded(sum(sum(0, pseudo, octets), message, length));
}

static bool sendable(const struct qx_outgoing *outgoing) {
    if (outgoing->vrid == 0 || outgoing->address_count == 0 || outgoing->address_count > QX_ADDRESSES_MAX)
        return false;
    uint16_t interval = outgoing->interval_cs;
    if (outgoing->version == 2)
        return interval != 0 && interval % 100 == 0 && interval <= INTERVAL_V2_MAX;
    return outgoing->version == 3 && interval != 0 && interval <= INTERVAL_V3_MAX;
}

static void put16(uint8_t *bytes, size_t value) {
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static void write_ip(uint8_t *bytes, size_t length, const struct qx_outgoing *outgoing) {
    memset(bytes, 0, IP_HEADER);
    bytes[0] = 0x45;
    bytes[1] = TOS_INTERNETWORK;
    put16(bytes + 2, length);
    bytes[8] = 255;
    bytes[9] = PROTOCOL_VRRP;
    memcpy(bytes + 12, outgoing->source, 4);
    memcpy(bytes + 16, GROUP, 4);
    uint16_t checksum = qx_checksum(bytes, IP_HEADER);
    memcpy(bytes + 10, &checksum, 2);
}

static void write_message(uint8_t *bytes, size_t length, const struct qx_outgoing *outgoing) {
    memset(bytes, 0, length);
    bytes[0] = (uint8_t)(outgoing->version << 4 | 1);
    bytes[1] = outgoing->vrid;
    bytes[2] = outgoing->priority;
    bytes[3] = outgoing->address_count;
    put16(bytes + 4, outgoing->version == 2 ? outgoing->interval_cs / 100 : outgoing->interval_cs);
    memcpy(bytes + MESSAGE_HEADER, outgoing->addresses, 4 * (size_t)outgoing->address_count);
    bool alone = outgoing->version == 2 || outgoing->rfc9568_checksum;
    uint16_t checksum =
        alone ? qx_checksum(bytes, length) : qx_message_checksum(bytes, length, 4, outgoing->source, GROUP);
    memcpy(bytes + 6, &checksum, 2);
}

size_t qx_packet_build(uint8_t *bytes, size_t size, const struct qx_outgoing *outgoing) {
    if (!sendable(outgoing))
        return 0;
    size_t message = MESSAGE_HEADER + 4 * (size_t)outgoing->address_count;
    if (outgoing->version == 2)
        message += AUTHENTICATION;
    if (size < IP_HEADER + message)
        return 0;
    write_ip(bytes, IP_HEADER + message, outgoing);
    write_message(bytes + IP_HEADER, message, outgoing);
    return IP_HEADER + message;
}

/* Counters with an object in RFC 2787 or RFC 6527 carry its name; the others are ours. */
static const struct {
    const char *name;
    const char *counter;
} REASONS[QX_REASONS] = {
    [QX_ACCEPTED] = {"accepted", ""},
    [QX_IP_HEADER] = {"ip_header", "ip_header_err"},
    [QX_NOT_VRRP] = {"not_vrrp", "not_vrrp"},
    [QX_FRAGMENT] = {"fragment", "fragment"},
    [QX_DST] = {"dst", "dst_err"},
    [QX_TTL] = {"ttl", "ip_ttl_err"},
    [QX_OWN_SOURCE] = {"own_source", "own_source"},
    [QX_SHORT] = {"short", "packet_len_err"},
    [QX_VERSION] = {"version", "version_err"},
    [QX_TYPE] = {"type", "invalid_type_rcvd"},
    [QX_VRID] = {"vrid", "vrid_err"},
    [QX_COUNT_ZERO] = {"count_zero", "packet_len_err"},
    [QX_LENGTH] = {"length", "packet_len_err"},
    [QX_CHECKSUM] = {"checksum", "checksum_err"},
    [QX_AUTH_INVALID] = {"auth_invalid", "invalid_auth_type"},
    [QX_AUTH_MISMATCH] = {"auth_mismatch", "auth_type_mismatch"},
    [QX_OWNER] = {"owner", "owner_conflict"},
    [QX_ADDR_LIST] = {"addr_list", "addr_list_err"},
    [QX_ADVER_INT] = {"adver_int", "adver_int_err"},
    [QX_INTERVAL_ZERO] = {"interval_zero", "adver_int_err"},
    [QX_LINKLOCAL] = {"linklocal", "addr_list_err"},
};

const char *qx_reason_name(int reason) {
    return reason >= 0 && reason < QX_REASONS ? REASONS[reason].name : "unknown";
}

const char *qx_reason_counter(int reason) {
    return reason >= 0 && reason < QX_REASONS ? REASONS[reason].counter : "";
}

/* keepalived's auth_hmac appends a trailer of so many octets to the message. */
enum { KEEPALIVED_HMAC = 28 };

const char *qx_surplus_hint(int surplus) {
    return surplus == KEEPALIVED_HMAC ? "keepalived HMAC authentication?" : "";
}

const char *qx_remark_counter(uint32_t remark) {
    switch (remark) {
    case QX_REMARK_PRIO_ZERO:
        return "prio_zero_rcvd";
    case QX_REMARK_CHECKSUM_RFC9568:
        return "checksum_rfc9568_form";
    case QX_REMARK_ADDR_LIST:
        return "addr_list_err";
    case QX_REMARK_ADVER_INT:
        return "adver_int_err";
    case QX_REMARK_OWNER:
        return "owner_conflict";
    default:
        return "";
    }
}
