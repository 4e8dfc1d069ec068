# SPDX-License-Identifier: Apache-2.0
"""check: whether settings as a whole are valid: each value by its type, then the rules that span several.

A transaction is judged by what it would leave behind, so the order of its changes never matters. Each error
names the field and what was expected (R2, Bad input). Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from ..errors import Refusal
from .schema import Setting
from .values import BadValue, Plain, accept, centiseconds_text, shorten
from .view import Settings


@dataclass(frozen=True, slots=True)
class FieldError:
    path: str
    problem: str  # what is wrong and what was expected

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class BadSettings(Refusal):
    """Settings that would not be valid; `errors` has one entry a problem, the text is one line."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(str(error) for error in dict.fromkeys(errors)))
        self.errors = tuple(errors)


def read_changes(settings: Settings, texts: Mapping[str, str]) -> dict[str, Plain]:
    """Reads PATH=TEXT as a user gives them into plain values. Raises BadSettings with every bad one."""
    values: dict[str, Plain] = {}
    errors: list[FieldError] = []
    for path, text in texts.items():
        setting = settings.schema.find(path)
        if setting is None or not setting.on(settings.model):
            errors.append(_unknown(settings, path))
            continue
        try:
            values[path] = setting.type.parse(text)
        except BadValue as error:
            given = "this value" if setting.secret else shorten(text)
            errors.append(FieldError(path, f"{given}: expected {error}"))
    if errors:
        raise BadSettings(errors)
    return values


def validate(before: Settings, changes: Mapping[str, Plain]) -> Settings:
    """The settings after `changes`, judged whole. Raises BadSettings; `before` is left as it is."""
    errors: list[FieldError] = []
    for path, value in changes.items():
        setting = before.schema.find(path)
        if setting is None or not setting.on(before.model):
            errors.append(_unknown(before, path))
        elif value is not None:
            errors += _value_error(setting, path, value)
    if errors:
        raise BadSettings(errors)
    after = before.replaced(changes)
    errors = check(after)
    if errors:
        raise BadSettings(errors)
    return after


def _value_error(setting: Setting, path: str, value: Plain) -> list[FieldError]:
    try:
        accept(setting.type, value)
    except BadValue as error:
        given = "this value" if setting.secret else shorten(str(value))
        return [FieldError(path, f"{given}: expected {error}")]
    return []


def unknown(settings: Settings, path: str) -> BadSettings:
    """The error for a path that this unit does not have, with near ones."""
    return BadSettings([_unknown(settings, path)])


def _unknown(settings: Settings, path: str) -> FieldError:
    if settings.schema.find(path) is not None:
        return FieldError(path, f"not on the {settings.model.title}")
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistyped path needs it

    known = [setting.path for setting in settings.schema.on(settings.model)]
    # A last segment alone is a common slip, and is far from the whole path in letters.
    near = [p for p in known if p.rpartition(".")[2] == path.rpartition(".")[2]]
    near += [p for p in get_close_matches(path[:100], known, n=3, cutoff=0.6) if p not in near]
    hint = f"; near it: {', '.join(near[:3])}" if near else ""
    return FieldError(shorten(path)[1:-1], f"unknown setting{hint}")


def check(settings: Settings) -> list[FieldError]:
    """The rules that span several settings."""
    return [error for rule in RULES for error in rule(settings)]


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


def _ports(settings: Settings) -> Iterator[FieldError]:
    port = settings.number("redundancy.backup_gui_port")
    if port in (80, 443):
        yield FieldError(
            "redundancy.backup_gui_port", f"{port}: the Master's own pages; expected another port"
        )


RULES: tuple[Callable[[Settings], Iterator[FieldError]], ...] = (
    _required,
    _virtual_ips,
    _services,
    _subnets,
    _gateways,
    _name_servers,
    _interval,
    _ports,
)
