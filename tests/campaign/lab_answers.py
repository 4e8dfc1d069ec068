# SPDX-License-Identifier: Apache-2.0
"""lab_answers: which units of a lab answer for the service address: asked from its PC, fifty times a second.

Times are of the kernel's stamps.
"""

from __future__ import annotations

import contextlib
import ctypes
import select
import socket
import struct
import time
from ipaddress import IPv4Interface

from board.lab import namespace
from board.lab.network import UNITS
from board.lab.pair import Lab

from . import arp
from .watch import Watch

EVERY = 0.02  # seconds between two questions
_ALL = 0x0003  # ETH_P_ALL: before the bridge takes the frame
_ATTACH_FILTER, _STAMPS = 26, 35  # SO_ATTACH_FILTER, SO_TIMESTAMPNS
_INCOMING = {f"lan-{unit}": unit for unit in UNITS} | {"lan-pc": "pc"}
# ldh [12]; jeq #0x806, take; ret #0; take: ret #128
_ONLY_ARP = [(0x28, 0, 0, 12), (0x15, 1, 0, arp.ETHERTYPE), (0x06, 0, 0, 0), (0x06, 0, 0, 128)]


class Answers(Watch):
    def __init__(self, lab: Lab) -> None:
        super().__init__(EVERY)
        self._address = IPv4Interface(lab.service_addresses()[0]).ip.packed
        self._ask = namespace.socket_in(lab.network.name("pc"), socket.AF_PACKET, socket.SOCK_RAW)
        self._ask.bind(("lan", arp.ETHERTYPE))
        # Every interface of the switch, also ports that are plugged in later.
        self._hear = namespace.socket_in(
            lab.network.name("sw"), socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL)
        )
        _filter(self._hear)
        self._hear.setsockopt(socket.SOL_SOCKET, _STAMPS, 1)
        self._hear.setblocking(False)
        self._frame = arp.question(self._ask.getsockname()[4], self._address)

    def _close(self) -> None:
        self._ask.close()
        self._hear.close()

    def _watch(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            now = time.monotonic()
            if now >= due:
                with contextlib.suppress(OSError):  # the PC's queue is full
                    self._ask.send(self._frame)
                due = max(due + EVERY, now)
            if select.select([self._hear], [], [], max(0.0, due - time.monotonic()))[0]:
                self._drain()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, extra, _, whence = self._hear.recvmsg(128, 64)
                # (interface, protocol, packet type, …): what leaves through a port is no answer of its unit
                if whence[2] != socket.PACKET_OUTGOING:
                    self._take(frame, _stamp(extra), _INCOMING.get(whence[0], ""))

    def _take(self, frame: bytes, at: float, port: str) -> None:
        seen = arp.what(frame, self._address)
        if port == "pc" and seen == "question":
            self.record.ask(at)
        elif port in UNITS and seen == "answer":
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
