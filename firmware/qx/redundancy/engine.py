# SPDX-License-Identifier: Apache-2.0
"""engine: the C engine as Python sees it: plans in, events and a view out, all in Python's own types.

Owns every use of `_qx` that is not decoding (type checking is relaxed here and nowhere else). Holds no
decision. `attach` and `detach` may take milliseconds and belong into a worker thread; the rest only posts a
word or copies a structure. Contracts and units are those of cext/engine.h.
"""

# pyright: reportMissingModuleSource=false

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from _qx import ffi, lib

from ..errors import Refusal
from ..paths import Paths
from .plan import Plan

NANOSECONDS = 1_000_000_000


class State(IntEnum):
    INITIALIZE = lib.QX_INITIALIZE
    BACKUP = lib.QX_BACKUP
    MASTER = lib.QX_MASTER


class Block(IntEnum):
    NONE = lib.QX_BLOCK_NONE
    CONTROL = lib.QX_BLOCK_CONTROL
    UNARMED = lib.QX_BLOCK_UNARMED
    ADDRESS = lib.QX_BLOCK_ADDRESS
    PROBING = lib.QX_BLOCK_PROBING
    CONFLICT = lib.QX_BLOCK_CONFLICT
    PARAMETER = lib.QX_BLOCK_PARAMETER
    ALIVE = lib.QX_BLOCK_ALIVE


class Cause(IntEnum):
    NONE = lib.QX_CAUSE_NONE
    START = lib.QX_CAUSE_START
    NOBODY = lib.QX_CAUSE_NOBODY
    SILENCE = lib.QX_CAUSE_SILENCE
    RELEASED = lib.QX_CAUSE_RELEASED
    ORDER = lib.QX_CAUSE_ORDER
    RESUMED = lib.QX_CAUSE_RESUMED
    HIGHER = lib.QX_CAUSE_HIGHER
    LINK = lib.QX_CAUSE_LINK
    WAN = lib.QX_CAUSE_WAN
    LATE = lib.QX_CAUSE_LATE
    CONTROL = lib.QX_CAUSE_CONTROL
    PARAMETER = lib.QX_CAUSE_PARAMETER
    PASSIVE = lib.QX_CAUSE_PASSIVE
    STOP = lib.QX_CAUSE_STOP


class Parameter(IntEnum):
    SAME = lib.QX_SAME
    GROUP = lib.QX_DIFFERS_GROUP
    VERSION = lib.QX_DIFFERS_VERSION
    INTERVAL = lib.QX_DIFFERS_INTERVAL


class Kind(IntEnum):
    STATE = lib.QX_EVENT_STATE
    BLOCK = lib.QX_EVENT_BLOCK
    LINK = lib.QX_EVENT_LINK
    CLAIM = lib.QX_EVENT_CLAIM
    CONFLICT = lib.QX_EVENT_CONFLICT
    REFUSED = lib.QX_EVENT_REFUSED
    FOREIGN = lib.QX_EVENT_FOREIGN
    ADDRESSES = lib.QX_EVENT_ADDRESSES
    PARAMETER = lib.QX_EVENT_PARAMETER
    PEER = lib.QX_EVENT_PEER
    LATE = lib.QX_EVENT_LATE
    LEASE = lib.QX_EVENT_LEASE
    FAILED = lib.QX_EVENT_FAILED
    OVERRUN = lib.QX_EVENT_OVERRUN


STEPS = {
    lib.QX_STEP_ADDRESS: "an address",
    lib.QX_STEP_ROUTE: "a route",
    lib.QX_STEP_LINK: "an interface",
    lib.QX_STEP_SEND: "sending",
    lib.QX_STEP_RECEIVE: "receiving",
}


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """`struct qx_event`; times in CLOCK_MONOTONIC ns."""

    kind: Kind
    a: int
    b: int
    address: IPv4Address
    source: IPv4Address
    mac: str
    at: int
    addresses: int
    announced: int


@dataclass(frozen=True, slots=True)
class Hello:
    """What the peer says of itself (`struct qx_hello`). `age` in seconds since it said so."""

    age: float
    state: State
    priority: int
    vrid: int
    version: int
    interval_cs: int
    virtual_mac: bool
    armed: bool
    passive: bool
    wan_link: bool
    deaf: bool
    term: int
    uptime: int
    lan_service: IPv4Interface | None
    wan_service: IPv4Interface | None
    serial: str
    model: str
    firmware: str


@dataclass(frozen=True, slots=True)
class EngineView:
    """`struct qx_status`. Times in CLOCK_MONOTONIC ns; `state_age` in seconds since the state was entered,
    None without a group; `up_age` since it left INITIALIZE, None while it has not."""

    realtime: bool
    locked: bool
    group: bool
    state: State
    priority: int
    block: Block
    cause: Cause
    parameter: Parameter
    parameter_theirs: int
    link: bool
    wan_link: bool
    ready: bool
    holding: bool
    armed: bool
    peer_active: bool
    state_age: float | None
    up_age: float | None
    master: IPv4Address | None
    master_priority: int
    master_heard: int
    hello: Hello | None
    counters: dict[str, int]


REASONS: list[str] = [ffi.string(lib.qx_reason_name(number)).decode() for number in range(lib.QX_REASONS)]
# fmt: off
COUNTERS = (
    "adverts_received", "adverts_sent", "prio_zero_received", "prio_zero_sent", "become_master",
    "release_master", "addr_list_err", "adver_int_err", "checksum_rfc9568_form", "owner_conflict",
    "foreign", "announces_sent", "hellos_sent", "hellos_received", "hellos_refused", "inquiries_sent",
    "inquiries_answered", "inquiries_refused", "overruns", "late", "events_lost",
)
# fmt: on


def _octets(address: IPv4Address | None) -> int:
    return int(address) if address else 0


def _interface(address: int, prefix: int) -> IPv4Interface | None:
    return IPv4Interface((address, prefix)) if address and prefix <= 32 else None


def reason_text(number: int, surplus: int = 0) -> str:
    """The reason's name, and who may send so many octets too many where that is known."""
    name = REASONS[number] if 0 <= number < len(REASONS) else "unknown"
    hint = ffi.string(lib.qx_surplus_hint(surplus)).decode()
    return f"{name} ({hint})" if hint else name


class Engine:
    """The one engine of this process."""

    def __init__(self, paths: Paths) -> None:
        self._error: Any = ffi.new("char[]", lib.QX_ERROR)
        self._event: Any = ffi.new("struct qx_event *")
        self._status: Any = ffi.new("struct qx_status *")
        self._up: int | None = None  # CLOCK_MONOTONIC ns at which the virtual router left INITIALIZE
        self._check(lib.qx_engine_start(os.fsencode(paths.run_qx), self._error))

    def _check(self, code: int) -> None:
        if code < 0:
            raise Refusal(ffi.string(self._error).decode(errors="replace"))

    @property
    def kept(self) -> bool:
        """The guardian kept the addresses of the daemon before this one in place."""
        return bool(lib.qx_engine_kept())

    def now(self) -> int:
        return int(lib.qx_engine_now())

    def attach(self, plan: Plan, resume: bool, term: int) -> None:
        """Makes the plan true. Raises Refusal that names the interface or what failed."""
        c: Any = ffi.new("struct qx_plan *")
        c.group, c.resume, c.passive, c.hold = plan.group, resume, plan.passive, plan.claim
        c.lan, c.wan = plan.lan.encode(), plan.wan.encode()
        c.version, c.vrid, c.interval_cs = plan.version, plan.vrid, plan.interval_cs
        c.hang_ms = plan.hang_ms
        c.virtual_mac, c.only_peer, c.wan_tracking = plan.virtual_mac, plan.only_peer, plan.wan_tracking
        for name in ("virtual", "lan", "wan"):
            address = plan.virtual_ip if name == "virtual" else getattr(plan, name + "_service")
            setattr(
                c, "virtual_ip" if name == "virtual" else name + "_service", _octets(address and address.ip)
            )
            setattr(c, name + "_prefix", address.network.prefixlen if address else 0)
        c.peer = _octets(plan.peer)
        c.lan_gateway, c.wan_gateway = _octets(plan.lan_gateway), _octets(plan.wan_gateway)
        c.term = term
        c.serial, c.model, c.firmware = plan.serial.encode(), plan.model.encode(), plan.firmware.encode()
        self._check(lib.qx_engine_attach(c, self._error))

    def detach(self) -> None:
        """Lets go as a Master does, and takes everything off the interfaces."""
        lib.qx_engine_detach(self._error)  # the one refusal is that there is nothing to detach

    def stop(self) -> None:
        lib.qx_engine_stop()

    def lease(self, seconds: float, armed: bool) -> None:
        lib.qx_engine_lease(int(seconds * 1000), armed)

    def passive(self, passive: bool) -> None:
        lib.qx_engine_passive(passive)

    def release(self) -> None:
        lib.qx_engine_release()

    def promote(self) -> None:
        lib.qx_engine_promote()

    def adjust(self, plan: Plan) -> None:
        """What can change while the group runs."""
        lib.qx_engine_passive(plan.passive)
        lib.qx_engine_only_peer(plan.only_peer)
        lib.qx_engine_wan_tracking(plan.wan_tracking)

    def key(self, key: bytes) -> None:
        """With which the engine asks the other unit's, and answers it. Octets: lib.QX_SIPHASH_KEY."""
        lib.qx_engine_key(key)

    def term(self, term: int) -> None:
        lib.qx_engine_term(term)

    @property
    def descriptor(self) -> int:
        """Readable when events wait; `events` empties it."""
        return int(lib.qx_engine_descriptor())

    def events(self) -> Iterator[EngineEvent]:
        with suppress(BlockingIOError):
            os.read(self.descriptor, 8)
        while lib.qx_engine_event(self._event):
            e = self._event
            if e.kind == Kind.STATE and (e.a == State.INITIALIZE or self._up is None):
                self._up = None if e.a == State.INITIALIZE else int(e.at)
            yield EngineEvent(
                Kind(e.kind), e.a, e.b, IPv4Address(e.address), IPv4Address(getattr(e, "from")),
                bytes(e.mac).hex(":"), e.at, e.addresses, e.announced,
            )  # fmt: skip

    def view(self) -> EngineView:
        lib.qx_engine_status(self._status)
        s = self._status
        counters = {name: int(getattr(s, name)) for name in COUNTERS}
        counters |= {reason: int(s.refused[number]) for number, reason in enumerate(REASONS) if number}
        return EngineView(
            realtime=bool(s.realtime),
            locked=bool(s.locked),
            group=bool(s.group),
            state=State(s.state),
            priority=s.priority,
            block=Block(s.block),
            cause=Cause(s.cause),
            parameter=Parameter(s.parameter),
            parameter_theirs=s.parameter_theirs,
            link=bool(s.link),
            wan_link=bool(s.wan_link),
            ready=bool(s.ready),
            holding=bool(s.holding),
            armed=bool(s.armed),
            peer_active=bool(s.peer_active),
            state_age=self._age(s.since) if s.group else None,
            up_age=self._age(self._up) if s.group and self._up is not None else None,
            master=IPv4Address(s.master) if s.master else None,
            master_priority=s.master_priority,
            master_heard=s.master_heard,
            hello=self._hello(s),
            counters=counters,
        )

    def _age(self, moment: int) -> float:
        return max(0.0, (self.now() - moment) / NANOSECONDS)

    def _hello(self, s: Any) -> Hello | None:
        if not s.hello_seen:
            return None
        h = s.hello
        lan, wan = _interface(h.lan_service, h.lan_prefix), _interface(h.wan_service, h.wan_prefix)
        return Hello(
            age=self._age(s.hello_seen),
            state=State(h.state),
            priority=h.priority,
            vrid=h.vrid,
            version=h.version,
            interval_cs=h.interval_cs,
            virtual_mac=bool(h.virtual_mac),
            armed=bool(h.armed),
            passive=bool(h.passive),
            wan_link=bool(h.wan_link),
            deaf=bool(h.deaf),
            term=h.term,
            uptime=h.uptime_s,
            lan_service=lan,
            wan_service=wan,
            serial=ffi.string(h.serial).decode(),
            model=ffi.string(h.model).decode(),
            firmware=ffi.string(h.firmware).decode(),
        )
