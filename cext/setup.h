/* SPDX-License-Identifier: Apache-2.0 */
/* setup: a plan made ready on the interfaces, and cleared away again.
 *
 * All that is slow and may fail happens here, in the caller's thread: names are looked up, macvlan interfaces
 * and sockets made, settings changed and noted. What is left for the engine at a takeover is to bring a link
 * up and put addresses on it.
 *
 * Virtual-MAC recipe, per port: arp_ignore 1 and arp_announce 2 on the port, so that it neither answers nor
 * asks for an address of the macvlan; arp_ignore 1 and rp_filter 2 on the macvlan (the effective value is the
 * larger of all's and its own, and loose beats strict). The service address has prefix 32 where the Virtual
 * IP's subnet contains it, its own otherwise. Nothing global is touched.
 */
#pragma once
#include "engine.h"
#include "estate.h"
#include "journal.h"
#include "sockets.h"

struct qx_setup {
    struct qx_plan plan;
    struct qx_link lan;
    struct qx_link wan;
    struct qx_address virtual_ip;
    bool virtual_present;  /* it is on the interface already */
    uint8_t advert_mac[6]; /* source of advertisements */
    uint8_t service_count;
    struct qx_service services[QX_SERVICES];
    struct qx_sockets sockets;
};

/* Virtual IP metric of its subnet route: behind the service address's own, so that applications reach the
 * network with the service address as their source. */
enum { QX_VIRTUAL_METRIC = 1024 };

int qx_setup_make(struct qx_setup *setup, const struct qx_plan *plan, struct qx_journal *journal,
                  struct qx_netlink *netlink, char *error);
/* Closes sockets; removes macvlans, addresses and settings by the journal. The Virtual IP only with `all`. */
void qx_setup_clear(struct qx_setup *setup, struct qx_journal *journal, struct qx_netlink *netlink, bool all);
