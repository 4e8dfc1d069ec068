# SPDX-License-Identifier: Apache-2.0
"""vm_answers: which emulated units answer for the service address: asked on a port of their LAN's switch, ten
times a second.

A unit is known by the port from which frames of its own MAC come; one that is powered on anew has another.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from ipaddress import IPv4Interface

from board.virt.switch import framed
from board.virt.vm import LAN, UNITS, Pair

from . import arp
from .watch import Watch

EVERY = 0.1  # seconds between two questions: each costs an emulated processor something
MAC = bytes.fromhex("02515800ff01")  # the asker's
_UNIT = {bytes.fromhex(who.macs[0].replace(":", "")): name for name, who in UNITS.items()}


class Answers(Watch):
    def __init__(self, pair: Pair) -> None:
        super().__init__(EVERY)
        assert pair.lan
        self.ports: dict[int, str] = {}  # units by the number of their port
        self._address = IPv4Interface(LAN).ip.packed
        self._frame = framed(arp.question(MAC, self._address))
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(str(pair.lan.path))
        self._lan = pair.lan
        self._lan.watch = self._see

    def _close(self) -> None:
        self._lan.watch = None
        self._line.close()

    def _watch(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            now = time.monotonic()
            if now >= due:
                self._line.sendall(self._frame)
                due = max(due + EVERY, now)
            if select.select([self._line], [], [], max(0.0, due - time.monotonic()))[0]:
                with contextlib.suppress(BlockingIOError):  # what the LAN says is seen at the switch
                    self._line.recv(1 << 16, socket.MSG_DONTWAIT)

    def _see(self, _at: float, frame: bytes, port: int) -> None:
        """In the thread of the switch."""
        if unit := _UNIT.get(frame[6:12]):
            self.ports[port] = unit
        match arp.what(frame, self._address):
            case "question" if frame[6:12] == MAC:
                self.record.ask(time.time())
            case "answer" if port in self.ports:
                self.record.answer(self.ports[port])
            case _:
                pass
