/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "frame.h"
#include "refuse.h"

static const char *macvlan_names[QX_SERVICES] = {"qx-lan", "qx-wan"};

static uint32_t mask(uint8_t prefix) {
    return prefix ? 0xffffffffu << (32 - prefix) : 0;
}

static void note_address(struct qx_journal *journal, enum qx_entry kind, const char *name, uint32_t address,
                         uint8_t prefix) {
    char text[QX_JOURNAL_VALUE];
    snprintf(text, sizeof text, "%u.%u.%u.%u/%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
             address & 255, prefix);
    qx_journal_add(journal, kind, name, text);
}

/* --- ports ---------------------------------------------------------------------------------------------- */

static int port(struct qx_netlink *netlink, const char *name, const char *setting, struct qx_link *link,
                char *error) {
    int failed = qx_netlink_link(netlink, name, link);
    if (failed || !link->index) {
        snprintf(error, QX_ERROR, "%s: there is no interface %s on this machine", setting, name);
        return failed ? failed : -ENODEV;
    }
    if (!link->up) {
        failed = qx_netlink_link_up(netlink, link->index, true);
        if (failed)
            return qx_refuse(error, failed, "cannot bring up interface", name);
    }
    return qx_netlink_link(netlink, name, link);
}

static int port_settings(struct qx_journal *journal, const char *name, char *error) {
    int failed = qx_sysctl_set(journal, name, "arp_ignore", "1");
    if (!failed)
        failed = qx_sysctl_set(journal, name, "arp_announce", "2");
    return failed ? qx_refuse(error, failed, "cannot set arp_ignore and arp_announce of", name) : 0;
}

/* The macvlan of a service; one that a daemon before us left with the addresses on it is taken over. */
static int macvlan(struct qx_netlink *netlink, struct qx_journal *journal, const char *name, bool resume,
                   struct qx_service *service, char *error) {
    struct qx_link link;
    qx_journal_add(journal, QX_ENTRY_LINK, name, "-");
    int failed = qx_journal_save(journal);
    if (failed)
        return qx_refuse(error, failed, "cannot write", journal->path);
    failed = qx_netlink_link(netlink, name, &link);
    if (failed || !resume || memcmp(link.mac, service->mac, 6) != 0) {
        failed = qx_netlink_macvlan(netlink, service->parent, name, service->mac);
        if (!failed)
            failed = qx_netlink_link(netlink, name, &link);
        if (failed)
            return qx_refuse(error, failed, "cannot make macvlan interface", name);
    }
    service->device = link.index;
    service->macvlan = true;
    failed = qx_sysctl_set(NULL, name, "arp_ignore", "1");
    if (!failed)
        failed = qx_sysctl_set(NULL, name, "arp_announce", "2");
    if (!failed)
        failed = qx_sysctl_set(NULL, name, "rp_filter", "2");
    if (!failed)
        failed = qx_ipv6_off(name); /* it would speak for itself, from the virtual MAC, on a Backup as well */
    return failed ? qx_refuse(error, failed, "cannot set arp_ignore and rp_filter of", name) : 0;
}

/* --- services ------------------------------------------------------------------------------------------- */

static void routes(struct qx_service *service, const struct qx_address *within, uint32_t address,
                   uint32_t gateway) {
    /* In the Virtual IP's subnet the address has no subnet route of its own: this one lets applications
     * reach the subnet with it as their source. */
    if (within)
        service->routes[service->route_count++] = (struct qx_route){
            .index = within->index,
            .destination = within->address & mask(within->prefix),
            .prefix = within->prefix,
            .source = address,
        };
    if (gateway)
        service->routes[service->route_count++] = (struct qx_route){
            .index = within ? within->index : service->device, .gateway = gateway, .source = address};
}

static int make_service(struct qx_setup *setup, int which, struct qx_journal *journal,
                        struct qx_netlink *netlink, char *error) {
    const struct qx_plan *plan = &setup->plan;
    const struct qx_link *link = which ? &setup->wan : &setup->lan;
    uint32_t address = which ? plan->wan_service : plan->lan_service;
    uint8_t prefix = which ? plan->wan_prefix : plan->lan_prefix;
    uint32_t gateway = which ? plan->wan_gateway : plan->lan_gateway;
    struct qx_service *service = &setup->services[setup->service_count];
    if (!address || !link->index)
        return 0;
    memset(service, 0, sizeof *service);
    service->parent = service->device = link->index;
    memcpy(service->mac, link->mac, 6);
    if (plan->group && plan->virtual_mac) {
        if (which)
            qx_wan_mac(service->mac, address);
        else
            qx_virtual_mac(service->mac, plan->vrid);
        int failed = port_settings(journal, link->name, error);
        if (!failed)
            failed = macvlan(netlink, journal, macvlan_names[which], plan->resume, service, error);
        if (failed)
            return failed;
    }
    bool shared = !which && plan->group &&
                  ((address ^ setup->virtual_ip.address) & mask(setup->virtual_ip.prefix)) == 0;
    service->address = (struct qx_address){
        .index = service->device, .address = address, .prefix = shared ? 32 : prefix, .lifetime = 3};
    routes(service, shared ? &setup->virtual_ip : NULL, address, gateway);
    note_address(journal, QX_ENTRY_SERVICE, service->macvlan ? macvlan_names[which] : link->name, address,
                 service->address.prefix);
    setup->service_count++;
    return 0;
}

/* --- the whole ------------------------------------------------------------------------------------------ */

/* A Virtual IP that an earlier plan put there and this one does not have. */
static void drop_old_virtual(const struct qx_setup *setup, struct qx_journal *journal,
                             struct qx_netlink *netlink) {
    struct qx_journal old = *journal;
    char text[QX_JOURNAL_VALUE];
    uint32_t address = setup->virtual_ip.address;
    snprintf(text, sizeof text, "%u.%u.%u.%u/%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
             address & 255, setup->virtual_ip.prefix);
    journal->count = 0;
    for (int i = 0; i < old.count; i++) {
        struct qx_journal one = {.count = 1};
        one.entries[0] = old.entries[i];
        bool stale = old.entries[i].kind == QX_ENTRY_VIRTUAL &&
                     (!setup->plan.group || strcmp(old.entries[i].value, text) != 0 ||
                      strcmp(old.entries[i].name, setup->lan.name) != 0);
        if (stale)
            qx_journal_undo(&one, QX_ENTRY_VIRTUAL, netlink);
        else
            journal->entries[journal->count++] = old.entries[i];
    }
}

static int make(struct qx_setup *setup, struct qx_journal *journal, struct qx_netlink *netlink, char *error) {
    const struct qx_plan *plan = &setup->plan;
    int failed = port(netlink, plan->lan, "LAN port", &setup->lan, error);
    if (!failed && plan->wan[0])
        failed = port(netlink, plan->wan, "WAN port", &setup->wan, error);
    if (failed)
        return failed;
    setup->virtual_ip = (struct qx_address){.index = setup->lan.index,
                                            .address = plan->virtual_ip,
                                            .prefix = plan->virtual_prefix,
                                            .metric = QX_VIRTUAL_METRIC};
    drop_old_virtual(setup, journal, netlink);
    memcpy(setup->advert_mac, setup->lan.mac, 6);
    if (plan->group) {
        int present = qx_netlink_address_present(netlink, setup->lan.index, plan->virtual_ip);
        if (present < 0)
            return qx_refuse(error, present, "cannot read the addresses of", setup->lan.name);
        setup->virtual_present = present;
        note_address(journal, QX_ENTRY_VIRTUAL, setup->lan.name, plan->virtual_ip, plan->virtual_prefix);
        if (plan->virtual_mac)
            qx_virtual_mac(setup->advert_mac, plan->vrid);
    }
    for (int which = 0; which < QX_SERVICES && !failed; which++)
        failed = make_service(setup, which, journal, netlink, error);
    if (!failed) {
        failed = qx_journal_save(journal);
        if (failed)
            qx_refuse(error, failed, "cannot write", journal->path);
    }
    return failed ? failed
                  : qx_sockets_open(&setup->sockets, &setup->lan, &setup->wan, plan->group, plan->virtual_ip,
                                    error);
}

int qx_setup_make(struct qx_setup *setup, const struct qx_plan *plan, struct qx_journal *journal,
                  struct qx_netlink *netlink, char *error) {
    memset(setup, 0, sizeof *setup);
    setup->plan = *plan;
    qx_sockets_none(&setup->sockets);
    int failed = make(setup, journal, netlink, error);
    if (failed)
        qx_setup_clear(setup, journal, netlink, true);
    return failed;
}

void qx_setup_clear(struct qx_setup *setup, struct qx_journal *journal, struct qx_netlink *netlink,
                    bool all) {
    qx_sockets_close(&setup->sockets);
    unsigned kinds = QX_ENTRY_SERVICE | QX_ENTRY_LINK | QX_ENTRY_SYSCTL;
    qx_journal_undo(journal, all ? kinds | QX_ENTRY_VIRTUAL : kinds, netlink);
    qx_journal_save(journal);
}
