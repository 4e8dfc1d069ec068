# SPDX-License-Identifier: Apache-2.0
"""Who held a service address when: both units' namespaces watched through netlink, every change of it.

The kernel tells of each address that comes or goes, so nothing falls between two samples. A process of its
own at real-time priority listens, so that a busy machine delays no time stamp; it follows units through
power cuts and boots. It writes one line a change: ns (CLOCK_MONOTONIC), unit, address, 1 or 0.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path
from types import TracebackType

from board.lab import namespace
from board.lab.namespace import PROJECT, LabError
from board.lab.network import UNITS
from board.lab.pair import Lab

_NEW, _DELETED, _GET, _DONE = 20, 21, 22, 3  # RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR, NLMSG_DONE
_LOCAL = 2  # IFA_LOCAL
_WATCHING = "watching"  # the line after what was held at the begin
_DUMP = struct.pack("=IHHIIBxxxI", 24, _GET, 0x301, 1, 0, socket.AF_INET, 0)


@dataclass(frozen=True)
class Span:
    """A time in which a unit held an address. `end` is infinite while it does."""

    unit: str
    address: str
    start: float
    end: float


class Holders:
    """A running watch. Times are CLOCK_MONOTONIC seconds, durations milliseconds."""

    def __init__(self, lab: Lab) -> None:
        self.addresses = [str(IPv4Interface(address).ip) for address in lab.service_addresses()]
        self._file = lab.folder / f"holders-{time.monotonic_ns()}"
        self._argv = [sys.executable, "-m", "tests.holders", lab.prefix, str(self._file), *self.addresses]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Holders:
        self._process = subprocess.Popen(self._argv, stdin=subprocess.PIPE, cwd=PROJECT)
        deadline = time.monotonic() + 5.0
        while not self._file.exists() or _WATCHING not in self._file.read_text():
            assert time.monotonic() < deadline and self._process.poll() is None, "the watch did not start"
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process:
            self._process.communicate()  # its standard input ends, and so does it

    def spans(self) -> list[Span]:
        """All that was held since the watch began, in the order in which it came."""
        time.sleep(0.02)  # what has just happened is on its way
        assert self._process is None or self._process.poll() is None, "the watch ended by itself"
        open_since: dict[tuple[str, str], float] = {}
        found: list[Span] = []
        for line in self._file.read_text().splitlines():
            if line == _WATCHING:
                continue
            at, unit, address, held = line.split()
            if held == "1":
                open_since.setdefault((unit, address), int(at) / 1e9)
            elif (unit, address) in open_since:
                found.append(Span(unit, address, open_since.pop((unit, address)), int(at) / 1e9))
        found += [Span(*key, since, float("inf")) for key, since in open_since.items()]
        return sorted(found, key=lambda span: span.start)

    def now(self, address: str | None = None) -> list[str]:
        """The units that hold the address (the LAN service address, if none is given) at the moment."""
        return self.at(time.monotonic(), address)

    def at(self, moment: float, address: str | None = None) -> list[str]:
        wanted = address or self.addresses[0]
        return sorted({s.unit for s in self.spans() if s.address == wanted and s.start <= moment < s.end})

    def overlap(self, since: float = 0.0, until: float | None = None) -> float:
        """The longest time in which two units held the same address, 0 if there was none."""
        end = time.monotonic() if until is None else until
        longest = 0.0
        for one, another in itertools.combinations(self.spans(), 2):
            if one.address == another.address and one.unit != another.unit:
                both = min(one.end, another.end, end) - max(one.start, another.start, since)
                longest = max(longest, both * 1000)
        return longest

    def held_throughout(self, unit: str, since: float, until: float | None = None) -> bool:
        """The unit held every service address without a pause."""
        end = time.monotonic() if until is None else until
        spans = self.spans()
        return all(
            any(s.unit == unit and s.address == a and s.start <= since and s.end >= end for s in spans)
            for a in self.addresses
        )


# ── the process ──


class _Watched:
    """One namespace: a netlink socket in it and what it holds."""

    def __init__(self, unit: str, name: str, inode: int) -> None:
        self.unit, self.inode = unit, inode
        self.held: set[tuple[str, int]] = set()  # address, interface
        self.socket = namespace.socket_in(name, socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((0, 0x10))  # RTMGRP_IPV4_IFADDR
        self.socket.send(_DUMP)

    def news(self, wanted: Sequence[str]) -> Iterator[tuple[str, bool]]:
        """Addresses that came to the unit, or left its last interface."""
        with contextlib.suppress(BlockingIOError):
            while True:
                for kind, body in _messages(self.socket.recv(1 << 16)):
                    address = _local(body)
                    if address not in wanted:
                        continue
                    before = self.holds(address)
                    entry = (address, struct.unpack_from("=I", body, 4)[0])
                    (self.held.add if kind == _NEW else self.held.discard)(entry)
                    if self.holds(address) != before:
                        yield address, not before

    def holds(self, address: str) -> bool:
        return any(address == one for one, _ in self.held)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind in (_NEW, _DELETED):
            yield kind, data[at + 16 : at + length]
        at += (length + 3) & ~3


def _local(body: bytes) -> str:
    at = 8
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        if kind == _LOCAL:
            return socket.inet_ntoa(body[at + 4 : at + 8])
        at += max((length + 3) & ~3, 4)
    return ""


def _watch(prefix: str, file: Path, wanted: Sequence[str]) -> None:
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
    watched: dict[str, _Watched] = {}
    with file.open("w", buffering=1) as out:

        def write(unit: str, address: str, held: bool) -> None:
            print(time.monotonic_ns(), unit, address, int(held), file=out)

        def follow(unit: str) -> None:
            name = f"{prefix}-{unit}"
            inode = namespace.identity(name) if namespace.exists(name) else None
            old = watched.get(unit)
            if old and old.inode != inode:  # power went
                for address in {address for address, _ in old.held}:
                    write(unit, address, False)
                watched.pop(unit).socket.close()
            if inode and unit not in watched:
                with contextlib.suppress(LabError):  # gone between two looks
                    watched[unit] = _Watched(unit, name, inode)

        for unit in UNITS:
            follow(unit)
        for one in watched.values():  # what is held already, before anybody is told that we watch
            for address, held in one.news(wanted):
                write(one.unit, address, held)
        print(_WATCHING, file=out)
        looked = time.monotonic()
        while True:
            ready = select.select([0, *(one.socket for one in watched.values())], [], [], 0.005)[0]
            if 0 in ready:
                return
            for one in watched.values():
                if one.socket in ready:
                    for address, held in one.news(wanted):
                        write(one.unit, address, held)
            if time.monotonic() - looked > 0.005:
                looked = time.monotonic()
                for unit in UNITS:
                    follow(unit)


if __name__ == "__main__":
    _watch(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
