/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

enum { BUFFER = 8192 };

int qx_netlink_open(struct qx_netlink *netlink) {
    memset(netlink, 0, sizeof *netlink);
    netlink->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!netlink->socket)
        return -errno;
    if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0)
        return -errno;
    netlink->port = mnl_socket_get_portid(netlink->socket);
    return 0;
}

void qx_netlink_close(struct qx_netlink *netlink) {
    if (netlink->socket)
        mnl_socket_close(netlink->socket);
    netlink->socket = NULL;
}

/* Sends the request and reads until its acknowledgement; what else it answers goes to the callback. */
static int ask(struct qx_netlink *netlink, struct nlmsghdr *request, mnl_cb_t callback, void *data) {
    _Alignas(struct nlmsghdr) char buffer[BUFFER];
    request->nlmsg_seq = ++netlink->sequence;
    if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0)
        return -errno;
    for (;;) {
        ssize_t got = mnl_socket_recvfrom(netlink->socket, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        int more = mnl_cb_run(buffer, (size_t)got, netlink->sequence, netlink->port, callback, data);
        if (more < 0 && errno == ESRCH) /* an answer to an earlier request that was given up */
            continue;
        if (more < 0)
            return -errno;
        if (more == MNL_CB_STOP)
            return 0;
    }
}

static struct nlmsghdr *start(char *buffer, uint16_t type, uint16_t flags) {
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    return header;
}

/* --- links ---------------------------------------------------------------------------------------------- */

static void read_link(const struct nlmsghdr *header, struct qx_link *link) {
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
    const struct nlattr *attribute;
    memset(link, 0, sizeof *link);
    link->index = info->ifi_index;
    link->up = info->ifi_flags & IFF_UP;
    link->carrier = link->up && (info->ifi_flags & IFF_LOWER_UP);
    mnl_attr_for_each(attribute, header, sizeof *info) {
        uint16_t length = mnl_attr_get_payload_len(attribute);
        const void *payload = mnl_attr_get_payload(attribute);
        switch (mnl_attr_get_type(attribute)) {
        case IFLA_IFNAME:
            memcpy(link->name, payload, strnlen(payload, length < QX_NAME ? length : QX_NAME - 1));
            break;
        case IFLA_ADDRESS:
            if (length == sizeof link->mac)
                memcpy(link->mac, payload, sizeof link->mac);
            break;
        }
    }
}

static int on_link(const struct nlmsghdr *header, void *data) {
    if (header->nlmsg_type == RTM_NEWLINK)
        read_link(header, data);
    return MNL_CB_OK;
}

int qx_netlink_link(struct qx_netlink *netlink, const char *name, struct qx_link *link) {
    _Alignas(struct nlmsghdr) char buffer[BUFFER];
    struct nlmsghdr *header = start(buffer, RTM_GETLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof *info);
    info->ifi_family = AF_UNSPEC;
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    memset(link, 0, sizeof *link);
    return ask(netlink, header, on_link, link);
}

int qx_netlink_link_up(struct qx_netlink *netlink, int index, bool up) {
    _Alignas(struct nlmsghdr) char buffer[BUFFER];
    struct nlmsghdr *header = start(buffer, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof *info);
    info->ifi_family = AF_UNSPEC;
    info->ifi_index = index;
    info->ifi_change = IFF_UP;
    info->ifi_flags = up ? IFF_UP : 0;
    return ask(netlink, header, NULL, NULL);
}

int qx_netlink_link_delete(struct qx_netlink *netlink, int index) {
    _Alignas(struct nlmsghdr) char buffer[BUFFER];
    struct nlmsghdr *header = start(buffer, RTM_DELLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof *info);
    info->ifi_family = AF_UNSPEC;
    info->ifi_index = index;
    return ask(netlink, header, NULL, NULL);
}

int qx_netlink_macvlan(struct qx_netlink *netlink, int parent, const char *name, const uint8_t mac[6]) {
    _Alignas(struct nlmsghdr) char buffer[BUFFER];
    struct qx_link old;
    if (qx_netlink_link(netlink, name, &old) == 0 && old.index)
        qx_netlink_link_delete(netlink, old.index);
    struct nlmsghdr *header = start(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof *info);
    info->ifi_family = AF_UNSPEC;
    mnl_attr_put_strz(header, IFLA_IFNAME, name);
    mnl_attr_put_u32(header, IFLA_LINK, (uint32_t)parent);
    mnl_attr_put(header, IFLA_ADDRESS, 6, mac);
    struct nlattr *kind = mnl_attr_nest_start(header, IFLA_LINKINFO);
    mnl_attr_put_strz(header, IFLA_INFO_KIND, "macvlan");
    struct nlattr *data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
    /* In private mode a multicast frame whose source is the macvlan's own MAC reaches the macvlan only (Linux
     * drivers/net/macvlan.c, macvlan_handle_frame). Another Master of the group has that very source, and its
     * advertisements must reach the port: after a split the two would never hear each other again. */
    mnl_attr_put_u32(header, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
    mnl_attr_nest_end(header, data);
    mnl_attr_nest_end(header, kind);
    return ask(netlink, header, NULL, NULL);
}

/* --- addresses and routes ------------------------------------------------------------------------------- */

static struct nlmsghdr *start_address(char *buffer, uint16_t type, uint16_t flags,
                                      const struct qx_address *address) {
    struct nlmsghdr *header = start(buffer, type, flags);
    struct ifaddrmsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->ifa_family = AF_INET;
    message->ifa_prefixlen = address->prefix;
    message->ifa_scope = RT_SCOPE_UNIVERSE;
    message->ifa_index = (uint32_t)address->index;
    mnl_attr_put_u32(header, IFA_LOCAL, htonl(address->address));
    mnl_attr_put_u32(header, IFA_ADDRESS, htonl(address->address));
    return header;
}

int qx_netlink_address_add(struct qx_netlink *netlink, const struct qx_address *address) {
    _Alignas(struct nlmsghdr) char buffer[BUFFER];
    struct nlmsghdr *header = start_address(buffer, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, address);
    if (address->prefix < 31)
        mnl_attr_put_u32(header, IFA_BROADCAST, htonl(address->address | (0xffffffffu >> address->prefix)));
    uint32_t lifetime = address->lifetime ? address->lifetime : 0xffffffffu;
    struct ifa_cacheinfo times = {.ifa_prefered = lifetime, .ifa_valid = lifetime};
    mnl_attr_put(header, IFA_CACHEINFO, sizeof times, &times);
    if (address->metric)
        mnl_attr_put_u32(header, IFA_RT_PRIORITY, address->metric);
    return ask(netlink, header, NULL, NULL);
}

int qx_netlink_address_remove(struct qx_netlink *netlink, const struct qx_address *address) {
    _Alignas(struct nlmsghdr) char buffer[BUFFER];
    struct nlmsghdr *header = start_address(buffer, RTM_DELADDR, 0, address);
    int result = ask(netlink, header, NULL, NULL);
    return result == -EADDRNOTAVAIL || result == -ENODEV ? 0 : result;
}

struct wanted {
    int index;
    uint32_t address;
    int found;
};

static int on_address(const struct nlmsghdr *header, void *data) {
    struct wanted *wanted = data;
    const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);
    const struct nlattr *attribute;
    if (header->nlmsg_type != RTM_NEWADDR || (int)message->ifa_index != wanted->index)
        return MNL_CB_OK;
    mnl_attr_for_each(attribute, header, sizeof *message) {
        if (mnl_attr_get_type(attribute) == IFA_LOCAL && mnl_attr_get_payload_len(attribute) == 4 &&
            ntohl(mnl_attr_get_u32(attribute)) == wanted->address)
            wanted->found = 1;
    }
    return MNL_CB_OK;
}

int qx_netlink_address_present(struct qx_netlink *netlink, int index, uint32_t address) {
    _Alignas(struct nlmsghdr) char buffer[BUFFER];
    struct wanted wanted = {.index = index, .address = address};
    struct nlmsghdr *header = start(buffer, RTM_GETADDR, NLM_F_DUMP);
    struct ifaddrmsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->ifa_family = AF_INET;
    int result = ask(netlink, header, on_address, &wanted);
    return result < 0 ? result : wanted.found;
}

int qx_netlink_route_add(struct qx_netlink *netlink, const struct qx_route *route) {
    _Alignas(struct nlmsghdr) char buffer[BUFFER];
    struct nlmsghdr *header = start(buffer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
    struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof *message);
    message->rtm_family = AF_INET;
    message->rtm_dst_len = route->prefix;
    message->rtm_table = RT_TABLE_MAIN;
    message->rtm_protocol = RTPROT_STATIC;
    message->rtm_scope = route->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    message->rtm_type = RTN_UNICAST;
    if (route->prefix)
        mnl_attr_put_u32(header, RTA_DST, htonl(route->destination));
    if (route->gateway)
        mnl_attr_put_u32(header, RTA_GATEWAY, htonl(route->gateway));
    if (route->source)
        mnl_attr_put_u32(header, RTA_PREFSRC, htonl(route->source));
    if (route->metric)
        mnl_attr_put_u32(header, RTA_PRIORITY, route->metric);
    mnl_attr_put_u32(header, RTA_OIF, (uint32_t)route->index);
    return ask(netlink, header, NULL, NULL);
}

/* --- changes of links ----------------------------------------------------------------------------------- */

int qx_netlink_watch(struct qx_netlink *netlink) {
    memset(netlink, 0, sizeof *netlink);
    netlink->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!netlink->socket)
        return -errno;
    if (mnl_socket_bind(netlink->socket, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
        return -errno;
    return 0;
}

int qx_netlink_descriptor(const struct qx_netlink *netlink) {
    return mnl_socket_get_fd(netlink->socket);
}

struct watcher {
    void (*callback)(const struct qx_link *link, bool gone, void *data);
    void *data;
};

static int on_change(const struct nlmsghdr *header, void *data) {
    const struct watcher *watcher = data;
    if (header->nlmsg_type == RTM_NEWLINK || header->nlmsg_type == RTM_DELLINK) {
        struct qx_link link;
        read_link(header, &link);
        watcher->callback(&link, header->nlmsg_type == RTM_DELLINK, watcher->data);
    }
    return MNL_CB_OK;
}

int qx_netlink_read(struct qx_netlink *netlink, void (*callback)(const struct qx_link *, bool, void *),
                    void *data) {
    _Alignas(struct nlmsghdr) char buffer[BUFFER];
    struct watcher watcher = {.callback = callback, .data = data};
    for (;;) {
        ssize_t got = mnl_socket_recvfrom(netlink->socket, buffer, sizeof buffer);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (mnl_cb_run(buffer, (size_t)got, 0, 0, on_change, &watcher) < 0)
            return -errno;
    }
}
