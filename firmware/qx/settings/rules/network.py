# SPDX-License-Identifier: Apache-2.0
"""network: the rules between addresses, gateways and the interval (R2, Words). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from ..field import FieldError
from ..values import centiseconds_text
from ..view import Settings


def _unusable(address: IPv4Address, network: IPv4Network | None = None) -> str:
    """Why no host can have this address; empty where one can."""
    if address.is_loopback:
        return "a loopback address"
    if address.is_multicast:
        return "a multicast address"
    if address in IPv4Network("0.0.0.0/8"):
        return 'an address of "this network"'
    if address in IPv4Network("240.0.0.0/4"):
        return "a reserved address"
    if network and address == network.network_address:
        return f"the network address of {network}"
    if network and address == network.broadcast_address:
        return f"the broadcast address of {network}"
    return ""


def _host(path: str, address: IPv4Address, network: IPv4Network | None = None) -> Iterator[FieldError]:
    why = _unusable(address, network)
    if why:
        yield FieldError(path, f"{address} is {why}; expected the address of a host")


VIRTUAL_IP = "redundancy.virtual_ip"
PEER = "redundancy.peer_virtual_ip"
SERVICES = ("network.lan.address", "network.wan.address")


def _required(settings: Settings) -> Iterator[FieldError]:
    if settings.flag("redundancy.enabled"):
        for path, what in ((VIRTUAL_IP, "ADDRESS/PREFIX"), (PEER, "the other unit's Virtual IP Address")):
            if not settings.text(path):
                yield FieldError(path, f"not set; expected {what}, because redundancy.enabled is true")


def _virtual_ips(settings: Settings) -> Iterator[FieldError]:
    virtual, peer = settings.interface(VIRTUAL_IP), settings.host(PEER)
    if virtual:
        yield from _host(VIRTUAL_IP, virtual.ip, virtual.network)
    if peer:
        yield from _host(PEER, peer, virtual.network if virtual and peer in virtual.network else None)
    if virtual and peer and peer not in virtual.network:
        yield FieldError(
            PEER, f"{peer}: expected an address in {virtual.network}, the subnet of {VIRTUAL_IP}"
        )
    if virtual and peer == virtual.ip:
        yield FieldError(PEER, f"{peer} is this unit's own {VIRTUAL_IP}; expected a different address")


def _services(settings: Settings) -> Iterator[FieldError]:
    virtual, peer = settings.interface(VIRTUAL_IP), settings.host(PEER)
    for path in SERVICES:
        word = settings.text(path)
        service = settings.interface(path)
        if word and not service and settings.flag("redundancy.enabled"):
            yield FieldError(path, f"{word}: expected a static ADDRESS/PREFIX while redundancy is on")
        if service is None:
            continue
        yield from _host(path, service.ip, service.network)
        if virtual and service.ip in virtual.network and service.network != virtual.network:
            yield from _host(path, service.ip, virtual.network)
        for other, address in ((VIRTUAL_IP, virtual.ip if virtual else None), (PEER, peer)):
            if service.ip == address:
                yield FieldError(path, f"{address} is {other}; expected an address of its own")


def _subnets(settings: Settings) -> Iterator[FieldError]:
    wan = settings.interface("network.wan.address")
    for path in ("network.lan.address", VIRTUAL_IP):
        lan = settings.interface(path)
        if wan and lan and wan.network.overlaps(lan.network):
            yield FieldError("network.wan.address", f"{wan.network} overlaps {lan.network} of {path}; "
                             "expected another subnet than the LAN's")  # fmt: skip


def _gateways(settings: Settings) -> Iterator[FieldError]:
    virtual, peer = settings.interface(VIRTUAL_IP), settings.host(PEER)
    for port in ("lan", "wan"):
        path, of = f"network.{port}.gateway", f"network.{port}.address"
        gateway, address = settings.host(path), settings.interface(of)
        if gateway is None:
            continue
        if address is None:
            got = settings.text(of) or "not set"
            yield FieldError(path, f"{gateway} cannot be used, {of} is {got}; expected a static {of} as well")
        elif gateway not in address.network:
            yield FieldError(path, f"{gateway}: expected an address in {address.network}, the subnet of {of}")
        else:
            yield from _gateway(path, gateway, address, of)
        for other, own in ((VIRTUAL_IP, virtual.ip if virtual else None), (PEER, peer)):
            if gateway == own:
                yield FieldError(path, f"{gateway} is {other}; expected the address of a router")


def _gateway(path: str, gateway: IPv4Address, address: IPv4Interface, of: str) -> Iterator[FieldError]:
    yield from _host(path, gateway, address.network)
    if gateway == address.ip:
        yield FieldError(path, f"{gateway} is {of} itself; expected the address of a router")


def _name_servers(settings: Settings) -> Iterator[FieldError]:
    for text in settings.words("network.dns"):
        address = IPv4Address(text)
        if not address.is_loopback:  # a resolver on the unit itself is a good choice
            yield from _host("network.dns", address)


def _interval(settings: Settings) -> Iterator[FieldError]:
    path = "redundancy.advertisement_interval"
    version, interval = settings.number("redundancy.vrrp_version"), settings.number(path)
    if version == 2 and (interval % 100 or interval < 100):
        yield FieldError(path, f"{centiseconds_text(interval)} in version 2; expected whole seconds 1 to 255 "
                         "(0.01 to 40.95 with redundancy.vrrp_version=3)")  # fmt: skip
    if version == 3 and interval > 4095:
        yield FieldError(path, f"{centiseconds_text(interval)} in version 3; "
                         "expected seconds from 0.01 to 40.95")  # fmt: skip


GROUPS = ("redundancy", "network")
RULES = (_required, _virtual_ips, _services, _subnets, _gateways, _name_servers, _interval)
