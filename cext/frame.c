/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include <string.h>

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t vrrp_multicast[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0x12};
/* Hardware Ethernet, protocol IPv4, lengths 6 and 4 (RFC 826); the operation follows. */
static const uint8_t arp_header[6] = {0x00, 0x01, 0x08, 0x00, 6, 4};

enum { ARP_LENGTH = 28 };

void qx_virtual_mac(uint8_t mac[6], uint8_t vrid) {
    const uint8_t made[6] = {0x00, 0x00, 0x5e, 0x00, 0x01, vrid};
    memcpy(mac, made, sizeof made);
}

void qx_wan_mac(uint8_t mac[6], uint32_t address) {
    const uint8_t made[6] = {0x02,
                             0x51,
                             (uint8_t)(address >> 24),
                             (uint8_t)(address >> 16),
                             (uint8_t)(address >> 8),
                             (uint8_t)address};
    memcpy(mac, made, sizeof made);
}

static size_t header(uint8_t *bytes, const uint8_t to[6], const uint8_t from[6], uint16_t type) {
    memcpy(bytes, to, 6);
    memcpy(bytes + 6, from, 6);
    bytes[12] = (uint8_t)(type >> 8);
    bytes[13] = (uint8_t)type;
    return QX_ETHERNET_HEADER;
}

static void put_address(uint8_t *at, uint32_t address) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(address >> (24 - 8 * i));
}

static uint32_t get_address(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static size_t request(uint8_t *bytes, const uint8_t mac[6], uint32_t sender, const uint8_t target_mac[6],
                      uint32_t target) {
    uint8_t *at = bytes + header(bytes, broadcast, mac, 0x0806);
    memcpy(at, arp_header, sizeof arp_header);
    at[6] = 0;
    at[7] = 1; /* request */
    memcpy(at + 8, mac, 6);
    put_address(at + 14, sender);
    memcpy(at + 18, target_mac, 6);
    put_address(at + 24, target);
    return QX_ARP_FRAME;
}

size_t qx_frame_advert_header(uint8_t *bytes, const uint8_t mac[6]) {
    return header(bytes, vrrp_multicast, mac, 0x0800);
}

size_t qx_frame_announce(uint8_t *bytes, const uint8_t mac[6], uint32_t address) {
    return request(bytes, mac, address, broadcast, address);
}

size_t qx_frame_probe(uint8_t *bytes, const uint8_t mac[6], uint32_t address) {
    static const uint8_t nobody[6];
    return request(bytes, mac, 0, nobody, address);
}

bool qx_frame_read_arp(const uint8_t *bytes, size_t length, struct qx_arp *arp) {
    if (length < ARP_LENGTH || memcmp(bytes, arp_header, sizeof arp_header) != 0)
        return false;
    memcpy(arp->sender_mac, bytes + 8, 6);
    arp->sender = get_address(bytes + 14);
    arp->target = get_address(bytes + 24);
    arp->reply = bytes[7] == 2;
    return true;
}
