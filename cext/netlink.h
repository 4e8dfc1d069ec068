/* SPDX-License-Identifier: Apache-2.0 */
/* netlink: addresses, routes and macvlan interfaces, over libmnl. Synchronous; errors are negative errno.
 *
 * Allocates when it is opened and never after. Addresses are in host order.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define QX_NAME 16 /* IFNAMSIZ */

struct mnl_socket;

struct qx_netlink {
    struct mnl_socket *socket;
    uint32_t sequence;
    uint32_t port;
};

struct qx_link {
    int index;
    bool up;      /* administratively */
    bool carrier; /* and with link */
    uint8_t mac[6];
    char name[QX_NAME];
};

struct qx_address {
    int index;
    uint32_t address;
    uint8_t prefix;
    uint32_t lifetime; /* seconds; 0: for ever */
    uint32_t metric;   /* of its subnet route; 0: the kernel's */
};

struct qx_route {
    int index;
    uint32_t destination; /* 0/0: the default route */
    uint8_t prefix;
    uint32_t gateway; /* 0: on link */
    uint32_t source;  /* preferred source; the kernel removes the route with this address */
    uint32_t metric;
};

int qx_netlink_open(struct qx_netlink *netlink);
void qx_netlink_close(struct qx_netlink *netlink);

int qx_netlink_link(struct qx_netlink *netlink, const char *name, struct qx_link *link);
int qx_netlink_link_up(struct qx_netlink *netlink, int index, bool up);
/* A macvlan in bridge mode with that MAC on the parent; an existing one of the name goes first. */
int qx_netlink_macvlan(struct qx_netlink *netlink, int parent, const char *name, const uint8_t mac[6]);
int qx_netlink_link_delete(struct qx_netlink *netlink, int index);

/* Puts it there, or renews its lifetime; 0 as well where it is there. */
int qx_netlink_address_add(struct qx_netlink *netlink, const struct qx_address *address);
/* 0 as well where it is not there. */
int qx_netlink_address_remove(struct qx_netlink *netlink, const struct qx_address *address);
/* 1: it is on the interface; 0: not. */
int qx_netlink_address_present(struct qx_netlink *netlink, int index, uint32_t address);
int qx_netlink_route_add(struct qx_netlink *netlink, const struct qx_route *route);

/* A second socket that hears of links; `callback` for each change read. Returns 0, or -errno (-ENOBUFS:
 * changes were lost, ask anew). */
int qx_netlink_watch(struct qx_netlink *netlink);
int qx_netlink_descriptor(const struct qx_netlink *netlink);
int qx_netlink_read(struct qx_netlink *netlink,
                    void (*callback)(const struct qx_link *link, bool gone, void *data), void *data);
