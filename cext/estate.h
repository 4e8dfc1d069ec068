/* SPDX-License-Identifier: Apache-2.0 */
/* estate: what the engine has put on the interfaces, in memory shared with the guardian.
 *
 * The guardian made the memory before it forked, so it outlives a daemon that dies in any way. Two copies
 * and an index: the engine writes the one that is not shown and then shows it, so that a daemon killed in
 * the middle leaves a whole one.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "netlink.h"
#include "packet.h"

enum { QX_SERVICES = 2 /* the LAN's is always there and first, the WAN's second */, QX_FRAME = 160 };

_Static_assert(QX_FRAME >= 14 + QX_ADVERT_MAX, "an advertisement with its Ethernet header fits a frame");

struct qx_service {
    int parent;     /* index of the port */
    int device;     /* that holds the address: the port or the macvlan */
    bool macvlan;   /* device is down while the address is not held */
    uint8_t mac[6]; /* that answers for the address */
    struct qx_address address;
    struct qx_route routes[2];
    uint8_t route_count;
};

struct qx_holdings {
    bool holding; /* the service addresses are on the interfaces */
    bool group;
    int port; /* where advertisements leave */
    uint8_t service_count;
    struct qx_service services[QX_SERVICES];
    int64_t interval;    /* ns */
    int64_t peer_active; /* when the peer was last seen as active Backup; 0: never */
    uint16_t advert_length;
    uint16_t release_length;
    uint8_t advert[QX_FRAME];
    uint8_t release[QX_FRAME]; /* priority 0 */
};

struct qx_estate {
    _Atomic uint64_t beat;    /* counts the engine's rounds */
    _Atomic uint32_t beating; /* the engine's thread runs */
    _Atomic uint32_t hang_ms; /* without a beat for so long it hangs */
    _Atomic uint32_t working; /* it waits for the kernel's routing lock, which others may hold for long */
    _Atomic uint32_t restart; /* the engine asks to be restarted: the control plane is gone */
    _Atomic uint32_t kept;    /* the guardian keeps the addresses for the next daemon */
    _Atomic uint32_t shown;   /* which copy holds */
    _Atomic uint32_t taken;   /* the next daemon holds them itself */
    struct qx_holdings copy[2];
};

/* Of this process; NULL where no guardian is. Set by the launcher before Python starts. */
extern struct qx_estate *qx_estate;
