# SPDX-License-Identifier: Apache-2.0
"""agent: what this unit answers to SNMP: the RFCs' VRRP tables (RFC 2787 in version 2, RFC 6527 in version 3)
and our own MIB. Pure: status, settings and events in, values by OID out; `serve` speaks net-snmp's protocol
`pass_persist` on two streams.

Everything is read-only. What VRRP leaves to the administrator (authentication, owner) has the value of what
the units do: none.
"""

from __future__ import annotations

import bisect
import ipaddress
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TextIO

from . import oids, words
from .event import DESCRIPTION_MAX

Oid = tuple[int, ...]
Value = tuple[str, str]  # a type of pass_persist, and the text
FRESH = 1.0  # seconds for which what was asked of the daemon serves

ROLES = {"standalone": 1, "starting": 2, "master": 3, "backup": 4, "fault": 5}
MODES = {"active": 1, "passive": 2}
PEERS = {"starting": 1, "master": 2, "backup": 3, "down": 4}
STATES = {"backup": 2, "master": 3}  # of VRRP; initialize 1
# What the RFCs count as one: cext/advert.c tells more reasons apart, and remarks (`…_err`) from refusals.
COUNTED = {
    "adver_int": ("adver_int", "adver_int_err", "interval_zero"),
    "addr_list": ("addr_list", "addr_list_err", "linklocal"),
    "length": ("length", "short", "count_zero"),
}
ERRORS = ("checksum", "version", "vrid")  # of packets of no virtual router, in the order of their columns
REASONS = {"silence": 3, "released": 1, "order": 1, "nobody": 1}  # vrrpv3StatisticsNewMasterReason


def oid(text: str) -> Oid:
    return tuple(int(part) for part in text.strip(".").split("."))


def _integer(value: Any) -> Value:
    return "integer", str(int(value))


def _string(value: Any, most: int = 255) -> Value:
    return "string", words.line("" if value is None else value, most)


def _counter(value: Any) -> Value:
    return "counter", str(int(value) % (1 << 32))


def _counter64(value: Any) -> Value:
    return "counter64", str(int(value))


def _gauge(value: Any) -> Value:
    return "gauge", str(max(0, int(value)))


def _truth(value: Any) -> Value:
    return "integer", "1" if value else "2"


def _ticks(seconds: float | None) -> Value:
    return "timeticks", str(int((seconds or 0) * 100) % (1 << 32))


def _octets(octets: bytes) -> Value:
    return "octet", octets.hex(" ")


class Tree:
    """Values in the order of their OIDs."""

    def __init__(self, values: dict[Oid, Value]) -> None:
        self._values = values
        self._order = sorted(values)

    def get(self, wanted: Oid) -> Value | None:
        return self._values.get(wanted)

    def after(self, wanted: Oid) -> tuple[Oid, Value] | None:
        at = bisect.bisect_right(self._order, wanted)
        return (self._order[at], self._values[self._order[at]]) if at < len(self._order) else None


class Here(NamedTuple):
    """What the status does not say of this unit."""

    interface: int  # ifIndex of the LAN's
    address: str  # the service address on it, which VRRP is about, in every role; empty: none is set
    pending: int  # events to be read
    agent_s: float  # seconds that the agent runs: its sysUpTime


def tree(status: dict[str, Any], events: Iterable[dict[str, Any]], here: Here) -> Tree:
    values = dict(_pair(status, here.pending))
    values.update(_events(events))
    vrrp = status.get("vrrp") or {}
    if status.get("group_id"):
        values.update((_version3 if vrrp.get("version") == 3 else _version2)(status, vrrp, here))
    return Tree(values)


def _pair(status: dict[str, Any], pending: int) -> Iterator[tuple[Oid, Value]]:
    peer, sync = status.get("peer") or {}, status.get("sync") or {}
    backup = status if status.get("role") == "backup" else peer
    protected = status.get("role") in ("master", "backup") and backup.get("mode") == "active"
    protected = protected and (peer.get("armed") if status.get("role") == "master" else not status.get("why"))
    age = sync.get("age_s")
    found = (
        _string(status.get("serial")), _string(str(status.get("model")).upper()),
        _string(status.get("firmware")), _integer(ROLES.get(str(status.get("role")), 2)),
        _integer(MODES.get(str(status.get("mode")), 0)), _string(status.get("why")),
        _gauge(status.get("group_id") or 0), _truth(protected), _string(peer.get("serial")),
        _integer(PEERS.get(str(peer.get("state")), 0)), _integer(MODES.get(str(peer.get("mode")), 0)),
        _string(sync.get("state")), _integer(-1 if age is None else age), _gauge(pending),
    )  # fmt: skip
    yield from _columns(oids.PAIR, dict(enumerate(found, 1)), "0")


def _events(events: Iterable[dict[str, Any]]) -> Iterator[tuple[Oid, Value]]:
    for event in events:
        row = (
            _string(event["uid"]), _string(event["unit"]), _string(words.utc(event["time"])),
            _integer(oids.SEVERITY[event["severity"]]), _string(event["source"]), _string(event["name"]),
            _string(event["description"], DESCRIPTION_MAX), _integer(2 if event["state"] == "read" else 1),
            _truth(event["cleared"]),
        )  # fmt: skip
        yield from _columns(oids.EVENT_ENTRY, dict(enumerate(row, 2)), str(event["id"]))


def _mac(status: dict[str, Any]) -> bytes:
    return bytes((0, 0, 0x5E, 0, 1, int(status["group_id"])))


def _own(status: dict[str, Any]) -> str:
    return str(status.get("virtual_ip") or "0.0.0.0").partition("/")[0]


def _master(status: dict[str, Any], vrrp: dict[str, Any]) -> str:
    """The Master's address as it stands in its advertisements; a Master hears none but is one."""
    return _own(status) if vrrp.get("state") == "master" else str(vrrp.get("master") or "0.0.0.0")


def _version2(status: dict[str, Any], vrrp: dict[str, Any], here: Here) -> Iterator[tuple[Oid, Value]]:
    counters = vrrp.get("counters") or {}
    row = f"{here.interface}.{status['group_id']}"
    yield oid(f"{oids.VRRP2}.1.1.0"), _integer(2)  # vrrpNodeVersion
    yield oid(f"{oids.VRRP2}.1.2.0"), _integer(1)  # vrrpNotificationCntl: enabled
    operation: dict[int, Value] = {
        2: _octets(_mac(status)),
        3: _integer(STATES.get(str(vrrp.get("state")), 1)),
        4: _integer(1),  # up
        5: _integer(vrrp.get("priority") or 0),
        6: _integer(bool(here.address)),
        7: ("ipaddress", _master(status, vrrp)),
        8: ("ipaddress", _own(status)),
        9: _integer(1),  # no authentication
        10: ("string", ""),  # never shown, as the RFC demands
        11: _integer(vrrp.get("advertisement_interval") or 1),
        12: _truth(False),
        13: _ticks(_since(vrrp, here)),
        14: _integer(1),  # ip
        15: _integer(1),  # active
    }
    yield from _columns(f"{oids.VRRP2}.1.3.1", operation, row)
    if here.address:
        yield oid(f"{oids.VRRP2}.1.4.1.2.{row}.{here.address}"), _integer(1)
    errors = dict(enumerate((_counter(counters.get(name, 0)) for name in ERRORS), 1))
    yield from _columns(f"{oids.VRRP2}.2", errors, "0")
    counted = ("become_master", "adverts_received", "adver_int", "", "ttl", "prio_zero_received",
               "prio_zero_sent", "type", "addr_list", "auth_invalid", "auth_mismatch", "length")  # fmt: skip
    statistics = dict(enumerate((_counter(_count(counters, name)) for name in counted), 1))
    yield from _columns(f"{oids.VRRP2}.2.4.1", statistics, row)


def _version3(status: dict[str, Any], vrrp: dict[str, Any], here: Here) -> Iterator[tuple[Oid, Value]]:
    counters = vrrp.get("counters") or {}
    row = f"{here.interface}.{status['group_id']}.1"  # ipv4
    operation: dict[int, Value] = {
        3: _octets(ipaddress.IPv4Address(_master(status, vrrp)).packed),
        4: _octets(ipaddress.IPv4Address(_own(status)).packed),
        5: _octets(_mac(status)),
        6: _integer(STATES.get(str(vrrp.get("state")), 1)),
        7: _gauge(vrrp.get("priority") or 0),
        8: _integer(bool(here.address)),
        9: _integer(round((vrrp.get("advertisement_interval") or 1) * 100)),
        10: _truth(False),
        11: _truth(True),
        12: _ticks(vrrp.get("up_s")),
        13: _integer(1),
    }
    yield from _columns(f"{oids.VRRP3}.1.1.1.1", operation, row)
    if here.address:
        yield oid(f"{oids.VRRP3}.1.1.2.1.2.{row}.4.{here.address}"), _integer(1)
    errors = dict(enumerate((_counter64(counters.get(name, 0)) for name in ERRORS), 1))
    yield from _columns(f"{oids.VRRP3}.1.2", {**errors, 4: _ticks(0)}, "0")
    cause = REASONS.get(str(vrrp.get("cause")), 1) if vrrp.get("state") == "master" else 0
    statistics: dict[int, Value] = {
        1: _counter(_count(counters, "become_master")),
        2: _integer(cause),
        3: _counter64(_count(counters, "adverts_received")),
        4: _counter64(_count(counters, "adver_int")),
        5: _counter64(_count(counters, "ttl")),
        6: _integer(0),
        7: _counter64(_count(counters, "prio_zero_received")),
        8: _counter64(_count(counters, "prio_zero_sent")),
        9: _counter64(_count(counters, "type")),
        10: _counter64(_count(counters, "addr_list")),
        11: _counter64(_count(counters, "length")),
        12: _ticks(0),
        13: _gauge(1000),
    }
    yield from _columns(f"{oids.VRRP3}.1.2.5.1", statistics, row)


def _columns(table: str, values: Mapping[int, Value], row: str) -> Iterator[tuple[Oid, Value]]:
    for number, value in values.items():
        yield oid(f"{table}.{number}.{row}"), value


def _since(vrrp: dict[str, Any], here: Here) -> float:
    """TimeStamp of RFC 2579: the agent's sysUpTime when the virtual router left `initialize`; 0 if that was
    before the agent."""
    up = vrrp.get("up_s")
    return 0.0 if up is None else max(0.0, here.agent_s - up)


def _count(counters: dict[str, int], name: str) -> int:
    return sum(counters.get(one, 0) for one in COUNTED.get(name, (name,)))


def serve(fresh: Callable[[], Tree], asked: TextIO, answers: TextIO) -> None:
    """Until the agent closes its end. A request that is none is answered with NONE."""
    found, until = Tree({}), 0.0

    def say(*lines: str) -> None:
        answers.write("".join(f"{line}\n" for line in lines))
        answers.flush()

    for line in asked:
        command = line.strip().lower()
        if command == "ping":
            say("PONG")
        elif command in ("get", "getnext"):
            wanted = asked.readline()
            if time.monotonic() > until:
                found, until = fresh(), time.monotonic() + FRESH
            say(*_answered(found, command, wanted))
        elif command == "set":
            asked.readline()
            asked.readline()
            say("not-writable")
        elif command:
            say("NONE")


def _answered(found: Tree, command: str, wanted: str) -> tuple[str, ...]:
    try:
        at = oid(wanted.strip())
    except ValueError:
        return ("NONE",)
    value = found.get(at) if command == "get" else None
    if command == "getnext":
        after = found.after(at)
        at, value = after or (at, None)
    if value is None:
        return ("NONE",)
    return ("." + ".".join(map(str, at)), *value)
