/* SPDX-License-Identifier: Apache-2.0 */
/* sockets: what the engine hears and speaks through. */
#pragma once
#include <stdbool.h>

#include "netlink.h"

struct qx_sockets {
    int vrrp;   /* packet socket on the LAN port; -1 where there is no group */
    int arp[2]; /* packet sockets on LAN and WAN port; send every frame as well; -1: none */
    int hello;  /* UDP between the Virtual IPs; -1 */
};

void qx_sockets_none(struct qx_sockets *sockets);
/* Opens them all, or says in `error` why not: then the rest is for qx_sockets_close. A port without an index
 * is not there; without a group there is only ARP. */
int qx_sockets_open(struct qx_sockets *sockets, const struct qx_link *lan, const struct qx_link *wan,
                    bool group, uint32_t virtual_ip, char *error);
void qx_sockets_close(struct qx_sockets *sockets);
