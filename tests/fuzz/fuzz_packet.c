/* SPDX-License-Identifier: Apache-2.0 */
/* R3: no bytes harm the ladder, and what it says of them holds together (libFuzzer, ASan, UBSan).
 *
 * The first octet chooses the group that judges, the rest is the packet; tests/fuzz/seed.py writes seeds.
 * libFuzzer hands each input over in a block of its exact size, so that a read beyond it is seen.
 */
#include "fuzz.h"
#include "packet.h"

#include <string.h>

/* The groups of the vectors (192.0.2.100 over IPv4, fe80::64 and 2001:db8::64 over IPv6), the group that
 * takes anything, and an owner with a known peer. seed.py knows the order. */
static const struct qx_local GROUPS[] = {
    {.version = 0},
    {.family = 4,
     .version = 2,
     .vrid = 51,
     .priority = 100,
     .interval_cs = 100,
     .has_primary = true,
     .primary = {192, 0, 2, 12},
     .check_addresses = true,
     .address_count = 1,
     .addresses = {{192, 0, 2, 100}}},
    {.family = 4,
     .version = 3,
     .vrid = 51,
     .priority = 100,
     .interval_cs = 100,
     .has_primary = true,
     .primary = {192, 0, 2, 12},
     .check_addresses = true,
     .address_count = 1,
     .addresses = {{192, 0, 2, 100}}},
    {.family = 6,
     .version = 3,
     .vrid = 51,
     .priority = 100,
     .interval_cs = 100,
     .has_primary = true,
     .primary = {0xfe, 0x80, [15] = 0x12},
     .check_addresses = true,
     .address_count = 2,
     .addresses = {{0xfe, 0x80, [15] = 0x64}, {0x20, 0x01, 0x0d, 0xb8, [15] = 0x64}}},
    {.family = 4,
     .priority = 255,
     .has_peer = true,
     .peer = {192, 0, 2, 11},
     .check_addresses = true,
     .address_count = 1,
     .addresses = {{10, 0, 0, 1}}},
};
#define GROUP_COUNT (sizeof GROUPS / sizeof GROUPS[0])

/* What we could have sent ourselves and took must be taken again when we do send it. */
static void send_it_ourselves(const struct qx_verdict *verdict, const struct qx_local *local) {
    const struct qx_advert *advert = &verdict->advert;
    if (advert->family != 4 || advert->auth_type != 0 || advert->count == 0 ||
        advert->count > QX_ADDRESSES_MAX)
        return;
    struct qx_outgoing outgoing = {.version = advert->version,
                                   .vrid = advert->vrid,
                                   .priority = advert->priority,
                                   .interval_cs = advert->interval_cs,
                                   .address_count = advert->count,
                                   .rfc9568_checksum = verdict->remarks & QX_REMARK_CHECKSUM_RFC9568};
    memcpy(outgoing.source, advert->source, 4);
    memcpy(outgoing.addresses, advert->addresses, 4 * (size_t)advert->count);
    uint8_t bytes[QX_ADVERT_MAX];
    size_t length = qx_packet_build(bytes, sizeof bytes, &outgoing);
    REQUIRE(length != 0);
    struct qx_verdict again;
    qx_packet_judge(bytes, length, local, &again);
    REQUIRE(again.reason == QX_ACCEPTED);
    REQUIRE((again.remarks | QX_REMARK_CHECKSUM_RFC9568) == (verdict->remarks | QX_REMARK_CHECKSUM_RFC9568));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    const struct qx_local *local = &GROUPS[data[0] % GROUP_COUNT];
    struct qx_verdict verdict;
    qx_packet_judge(data + 1, size - 1, local, &verdict);
    const struct qx_advert *advert = &verdict.advert;
    REQUIRE(verdict.reason < QX_REASONS);
    REQUIRE(qx_reason_name(verdict.reason)[0] != '\0');
    REQUIRE((qx_reason_counter(verdict.reason)[0] == '\0') == (verdict.reason == QX_ACCEPTED));
    REQUIRE((advert->addresses != NULL) == (advert->known == 3));
    if (advert->known == 3) {
        size_t octets = advert->count * (size_t)(advert->family == 6 ? 16 : 4);
        REQUIRE(advert->addresses >= data + 1 && octets <= (size_t)(data + size - advert->addresses));
    }
    if (verdict.reason != QX_ACCEPTED) {
        REQUIRE(verdict.remarks == 0);
        return 0;
    }
    REQUIRE(advert->known == 3 && advert->type == 1 && advert->vrid != 0 && advert->interval_cs != 0);
    send_it_ourselves(&verdict, local);
    return 0;
}
