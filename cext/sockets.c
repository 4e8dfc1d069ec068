/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hello.h"
#include "refuse.h"

enum {
    RECEIVE_BUFFER = 8 << 20,
    CONTROL_PRIORITY = 7 /* TC_PRIO_CONTROL: before data in the port's queue */
};

static int packet_socket(int index, uint16_t protocol, int type) {
    int fd = socket(AF_PACKET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = index};
    int priority = CONTROL_PRIORITY;
    if (setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority) < 0 ||
        bind(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        int failed = -errno;
        close(fd);
        return failed;
    }
    return fd;
}

/* Advertisements, and whatever else is sent to their group but IGMP, which keeps it. A packet socket hears
 * them whatever the firewall and rp_filter say; padding and fragments come with it and are judged. It is one
 * for all protocols because those are served before a macvlan's receive handler, which puts fragments
 * together (drivers/net/macvlan.c, ip_check_defrag); so another protocol and a VLAN's frames are left out
 * here. */
static int vrrp_socket(int index) {
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_PROTOCOL),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 7),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),          /* IPv4 protocol */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 112, 4, 0), /* VRRP: take it */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 2, 0),   /* IGMP: leave it */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),         /* destination */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xe0000012, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int size = RECEIVE_BUFFER, yes = 1;
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes); /* or our own would cost time */
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);       /* a flood is counted, not lost */
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ||
        bind(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        int failed = -errno;
        close(fd);
        return failed;
    }
    return fd;
}

/* The group is joined here, on the port and never on the macvlan: a Backup must not send the virtual MAC. */
static int hello_socket(const struct qx_link *lan, uint32_t virtual_ip) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1, tos = 0xc0;
    if (fd < 0)
        return -errno;
    struct sockaddr_in from = {
        .sin_family = AF_INET, .sin_port = htons(QX_HELLO_PORT), .sin_addr.s_addr = htonl(virtual_ip)};
    struct ip_mreqn group = {.imr_multiaddr.s_addr = htonl(0xe0000012), .imr_ifindex = lan->index};
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, lan->name, (socklen_t)strlen(lan->name)) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &yes, sizeof yes) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) < 0 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) < 0) {
        int failed = -errno;
        close(fd);
        return failed;
    }
    return fd;
}

void qx_sockets_none(struct qx_sockets *sockets) {
    *sockets = (struct qx_sockets){.vrrp = -1, .arp = {-1, -1}, .hello = -1};
}

int qx_sockets_open(struct qx_sockets *sockets, const struct qx_link *lan, const struct qx_link *wan,
                    bool group, uint32_t virtual_ip, char *error) {
    const struct qx_link *links[2] = {lan, wan};
    for (int i = 0; i < 2; i++) {
        if (!links[i]->index)
            continue;
        sockets->arp[i] = packet_socket(links[i]->index, ETH_P_ARP, SOCK_RAW);
        if (sockets->arp[i] < 0)
            return qx_refuse(error, sockets->arp[i], "cannot open a packet socket on", links[i]->name);
    }
    if (!group)
        return 0;
    sockets->vrrp = vrrp_socket(lan->index);
    if (sockets->vrrp < 0)
        return qx_refuse(error, sockets->vrrp, "cannot open a VRRP socket on", lan->name);
    sockets->hello = hello_socket(lan, virtual_ip);
    if (sockets->hello < 0)
        return qx_refuse(error, sockets->hello, "cannot open the socket of the Virtual IP on", lan->name);
    return 0;
}

void qx_sockets_close(struct qx_sockets *sockets) {
    const int open[] = {sockets->vrrp, sockets->hello, sockets->arp[0], sockets->arp[1]};
    for (unsigned i = 0; i < sizeof open / sizeof open[0]; i++)
        if (open[i] >= 0)
            close(open[i]);
    qx_sockets_none(sockets);
}
