/* SPDX-License-Identifier: Apache-2.0 */
/* packet: VRRP advertisements, read and written. No clock, no socket, no allocation.
 *
 * Reading is a ladder of checks in a fixed order; the first rung that fails is the reason, and each
 * reason has a counter of its own (RFC 3768 7.1, RFC 5798 7.1, RFC 9568 7.1 with its errata).
 * Bounds are checked before every read, so any bytes may be handed in.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses of our own list; a received list may be longer and is compared as it stands. */
#define QX_ADDRESSES_MAX 16
/* Octets of the largest IPv4 packet that qx_packet_build writes. */
#define QX_ADVERT_MAX 128

/* Why an advertisement was refused. The order is the order of the ladder. */
enum qx_reason {
    QX_ACCEPTED = 0,
    QX_IP_HEADER,
    QX_NOT_VRRP,
    QX_FRAGMENT,
    QX_DST,
    QX_TTL,
    QX_OWN_SOURCE,
    QX_SHORT,
    QX_VERSION,
    QX_TYPE,
    QX_VRID,
    QX_COUNT_ZERO,
    QX_LENGTH,
    QX_CHECKSUM,
    QX_AUTH_INVALID,
    QX_AUTH_MISMATCH,
    QX_OWNER,
    QX_ADDR_LIST,
    QX_ADVER_INT,
    QX_INTERVAL_ZERO,
    QX_LINKLOCAL,
    QX_REASONS
};

/* What was remarkable about an advertisement that was accepted all the same: bits of qx_verdict.remarks.
 * A refused one has no remarks: its one reason raises its one counter. */
enum qx_remark {
    QX_REMARK_PRIO_ZERO = 1,        /* the sender stops being Master */
    QX_REMARK_CHECKSUM_RFC9568 = 2, /* version 3 over IPv4 summed without the pseudo header */
    QX_REMARK_ADDR_LIST = 4,        /* another address list: counted and named, not dropped */
    QX_REMARK_ADVER_INT = 8,        /* version 3: another interval, which a Backup adopts */
    QX_REMARK_OWNER = 16            /* version 3: we own the address and hear another Master */
};

/* The group as the ladder judges against it. Zero in a field marked so accepts anything there. */
struct qx_local {
    uint8_t family;       /* 4 or 6, another is QX_VRID; 0: that of the packet */
    uint8_t version;      /* 2 or 3; 0: either */
    uint8_t vrid;         /* 1-255; 0: any */
    uint8_t priority;     /* 255: we own the address */
    uint8_t auth_type;    /* version 2; 0: none */
    uint16_t interval_cs; /* centiseconds; 0: any */
    bool has_primary;     /* our own primary address is known */
    bool has_peer;        /* the pair's other unit is known */
    bool check_addresses; /* compare the address list */
    uint8_t address_count;
    uint8_t primary[16]; /* network order; IPv4 in the first four octets */
    uint8_t peer[16];    /* from here a version 2 address list that differs is a remark, not a drop */
    uint8_t addresses[QX_ADDRESSES_MAX][16];
};

/* Fields of an advertisement. `known` says how far the ladder came, so that a dropped packet can be shown. */
struct qx_advert {
    uint8_t known;  /* 0 nothing, 1 IP addresses, 2 the eight fixed octets of VRRP, 3 the address list too */
    uint8_t family; /* 4 or 6 */
    uint8_t source[16];
    uint8_t destination[16];
    uint8_t version;
    uint8_t type;
    uint8_t vrid;
    uint8_t priority;
    uint8_t count;
    uint8_t auth_type;    /* version 2 */
    uint16_t interval_cs; /* version 2: seconds times 100 */
    const uint8_t
        *addresses; /* into the bytes handed in; count times 4 or 16 octets; NULL unless known is 3 */
};

struct qx_verdict {
    enum qx_reason reason;
    int32_t surplus;  /* QX_LENGTH: octets beyond what version and count call for; negative: missing */
    uint32_t remarks; /* enum qx_remark */
    struct qx_advert advert;
};

/* Judges one IP packet as a packet socket delivers it (link-layer padding allowed behind it). */
void qx_packet_judge(const uint8_t *bytes, size_t length, const struct qx_local *local,
                     struct qx_verdict *verdict);

/* An advertisement of ours, IPv4. Addresses are in network order. */
struct qx_outgoing {
    uint8_t version;
    uint8_t vrid;
    uint8_t priority;
    uint16_t interval_cs;
    bool rfc9568_checksum; /* version 3: leave the pseudo header out of the sum */
    uint8_t source[4];
    uint8_t address_count;
    uint8_t addresses[QX_ADDRESSES_MAX][4];
};

/* Writes the IPv4 packet (TTL 255, TOS 0xc0, to 224.0.0.18). Returns its octets; 0, with nothing written,
 * where it does not fit or cannot be said: version 2 or 3, VRID 1-255, 1 to QX_ADDRESSES_MAX addresses, an
 * interval of 1-255 whole seconds (version 2) or 1-4095 centiseconds (version 3). */
size_t qx_packet_build(uint8_t *bytes, size_t size, const struct qx_outgoing *outgoing);

/* The internet checksum (RFC 1071) of `length` octets, in memory order: to be stored as it is, with memcpy.
 * Over octets that hold a right checksum it is 0. */
uint16_t qx_checksum(const uint8_t *bytes, size_t length);

/* The same with the pseudo header of family 4 or 6 before the message (RFC 5798 5.2.8, RFC 8200 8.1). */
uint16_t qx_message_checksum(const uint8_t *message, size_t length, int family, const uint8_t *source,
                             const uint8_t *destination);

/* The reason's name in the vectors, status and events; "accepted" for 0. Static text. */
const char *qx_reason_name(int reason);

/* Who may have sent a message of that many octets too many, as a question for the log; "" where nobody is
 * known. Static text. */
const char *qx_surplus_hint(int surplus);

/* The counter that a reason or a single remark bit raises, by the vectors' name. Static text; "" for none. */
const char *qx_reason_counter(int reason);
const char *qx_remark_counter(uint32_t remark);
