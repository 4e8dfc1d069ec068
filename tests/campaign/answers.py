# SPDX-License-Identifier: Apache-2.0
"""answers: which units answer for the service address: asked by ARP from the PC, seen at the switch.

Fifty times a second the PC asks who has the address, and each answer is counted for the port of the switch
through which it comes in: nothing on a unit is believed, and two units with one virtual MAC are told apart.
Times are of the kernel's stamps on CLOCK_REALTIME, which no lab sets.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import select
import socket
import struct
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from ipaddress import IPv4Interface

from board.lab import namespace
from board.lab.network import UNITS
from board.lab.pair import Lab

from background import Background

EVERY = 0.02  # seconds between two questions
_ALL, _ARP = 0x0003, 0x0806  # ETH_P_ALL: before the bridge takes the frame
_ATTACH_FILTER, _STAMPS = 26, 35  # SO_ATTACH_FILTER, SO_TIMESTAMPNS
_INCOMING = {f"lan-{unit}": unit for unit in UNITS} | {"lan-pc": "pc"}
# ldh [12]; jeq #0x806, take; ret #0; take: ret #128
_ONLY_ARP = [(0x28, 0, 0, 12), (0x15, 1, 0, _ARP), (0x06, 0, 0, 0), (0x06, 0, 0, 128)]


@dataclass
class Question:
    at: float
    by: set[str] = field(default_factory=set[str])  # units that answered before the next question


class Record:
    """Questions in their order and who answered. Pure."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def ask(self, at: float) -> None:
        self.asked.append(Question(at))

    def answer(self, unit: str) -> None:
        if self.asked:
            self.asked[-1].by.add(unit)

    def _window(self, since: float, until: float) -> list[Question]:
        """The last answered one before is the begin of a silence, so it belongs to it."""
        first = bisect_left(self.asked, since, key=lambda one: one.at)
        while first > 0 and (first >= len(self.asked) or not self.asked[first].by):
            first -= 1
        last = bisect_left(self.asked, until, key=lambda one: one.at)
        return self.asked[first:last]

    def silence(self, since: float, until: float) -> float:
        """The longest time in seconds from one answered question to the next. The asker's own pauses are
        none: at least two questions in a row went unanswered."""
        longest, start, unanswered = 0.0, since, 0
        window = self._window(since, until)
        for one in window:
            if one.by:
                longest = max(longest, one.at - start if unanswered > 1 else 0.0)
                start, unanswered = one.at, 0
            else:
                unanswered += 1
        return max(longest, until - start if unanswered > 1 else 0.0)

    def two(self, since: float, until: float) -> float:
        """The longest time in seconds in which every question was answered by two units."""
        inside = [one for one in self.asked if since <= one.at < until]
        longest = 0.0
        for both, run in itertools.groupby(inside, key=lambda one: len(one.by) > 1):
            found = list(run)
            if both and len(found) > 1:
                longest = max(longest, found[-1].at - found[0].at)
        return longest

    def by(self, since: float, until: float) -> set[str]:
        return set().union(*(one.by for one in self.asked if since <= one.at < until))

    def forget(self, before: float) -> None:
        del self.asked[: bisect_left(self.asked, before, key=lambda one: one.at)]


class Answers(Background):
    """A running watch; `record` is read by its owner between steps."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(self._run)
        self.address = IPv4Interface(lab.service_addresses()[0]).ip
        self.record = Record()
        self._failed: list[BaseException] = []
        self._ask = namespace.socket_in(lab.network.name("pc"), socket.AF_PACKET, socket.SOCK_RAW)
        self._ask.bind(("lan", _ARP))
        # Every interface of the switch, also ports that are plugged in later.
        self._hear = namespace.socket_in(
            lab.network.name("sw"), socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL)
        )
        _filter(self._hear)
        self._hear.setsockopt(socket.SOL_SOCKET, _STAMPS, 1)
        self._hear.setblocking(False)
        mac = self._ask.getsockname()[4]
        target = self.address.packed
        # A probe (RFC 5227 2.1.1): the sender's address is 0, so nobody learns anything from it.
        self._frame = (
            b"\xff" * 6 + mac + struct.pack("!HHHBBH", _ARP, 1, 0x0800, 6, 4, 1) + mac + bytes(10) + target
        )

    def _close(self) -> None:
        self._ask.close()
        self._hear.close()

    def until_now(self) -> float:
        """The time up to which the record is whole; what was asked just before has had its time."""
        if self._failed:
            raise RuntimeError("the watch of answers ended") from self._failed[0]
        time.sleep(2 * EVERY)
        return time.time() - EVERY

    def _run(self) -> None:
        try:
            due = time.monotonic()
            while not self._over.is_set():
                now = time.monotonic()
                if now >= due:
                    with contextlib.suppress(OSError):  # the PC's queue is full
                        self._ask.send(self._frame)
                    due = max(due + EVERY, now)
                if select.select([self._hear], [], [], max(0.0, due - time.monotonic()))[0]:
                    self._drain()
        except BaseException as error:
            self._failed.append(error)
            raise

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, extra, _, whence = self._hear.recvmsg(128, 64)
                # (interface, protocol, packet type, …): what leaves through a port is no answer of its unit
                if whence[2] == socket.PACKET_OUTGOING or len(frame) < 42:
                    continue
                self._take(frame, _stamp(extra), _INCOMING.get(whence[0], ""))

    def _take(self, frame: bytes, at: float, port: str) -> None:
        if frame[12:14] != _ARP.to_bytes(2, "big"):  # came before the filter
            return
        operation = int.from_bytes(frame[20:22], "big")
        if port == "pc" and operation == 1 and frame[38:42] == self.address.packed and not any(frame[28:32]):
            self.record.ask(at)
        elif port in UNITS and operation == 2 and frame[28:32] == self.address.packed:
            self.record.answer(port)


def _stamp(extra: list[tuple[int, int, bytes]]) -> float:
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == _STAMPS:
            seconds, nanoseconds = struct.unpack("@qq", data[:16])
            return seconds + nanoseconds / 1e9
    return time.time()


def _filter(sock: socket.socket) -> None:
    code = b"".join(struct.pack("@HBBI", *one) for one in _ONLY_ARP)
    kept = ctypes.create_string_buffer(code)
    program = struct.pack("@HP", len(_ONLY_ARP), ctypes.addressof(kept))
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
