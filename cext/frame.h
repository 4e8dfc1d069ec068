/* SPDX-License-Identifier: Apache-2.0 */
/* frame: Ethernet frames that the engine sends and reads, ARP above all. Pure: bytes in, bytes out. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QX_ETHERNET_HEADER 14
#define QX_ARP_FRAME       42 /* the link pads it to 60 */

struct qx_arp {
    uint8_t sender_mac[6];
    uint32_t sender; /* host order; 0 in a probe */
    uint32_t target;
    bool reply;
};

/* The virtual router's MAC, 00:00:5e:00:01:VRID (RFC 3768 7.3). */
void qx_virtual_mac(uint8_t mac[6], uint8_t vrid);
/* The WAN's: locally administered, made from the service address, which is unique on that link. The WAN
 * speaks no VRRP, so the registered range is not ours to use there. */
void qx_wan_mac(uint8_t mac[6], uint32_t address);

/* The Ethernet header of an advertisement (01:00:5e:00:00:12) from `mac`. Returns its 14 octets. */
size_t qx_frame_advert_header(uint8_t *bytes, const uint8_t mac[6]);
/* A gratuitous ARP request: sender and target address are `address` (RFC 5227 3). Returns QX_ARP_FRAME. */
size_t qx_frame_announce(uint8_t *bytes, const uint8_t mac[6], uint32_t address);
/* An ARP probe: sender address 0 (RFC 5227 2.1.1). Returns QX_ARP_FRAME. */
size_t qx_frame_probe(uint8_t *bytes, const uint8_t mac[6], uint32_t address);
/* Reads an ARP packet as it follows the Ethernet header; false where it is not Ethernet/IPv4 ARP. */
bool qx_frame_read_arp(const uint8_t *bytes, size_t length, struct qx_arp *arp);
