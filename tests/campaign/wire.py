# SPDX-License-Identifier: Apache-2.0
"""wire: a unit's line to the switch in user space: frames come late, twice, out of order, or not at all.

The unit's port leaves the bridge, and each frame is carried by hand between it and a port in its place.
Frames keep the kernel's own header (PACKET_VNET_HDR), so that sums it has not filled in yet are filled in
later.
"""

from __future__ import annotations

import heapq
import itertools
import random
import select
import socket
import threading
import time
from collections.abc import Callable

from board.lab import namespace
from board.lab.network import BRIDGES
from board.lab.pair import Lab

_ALL, _VNET_HDR = 0x0003, 15  # ETH_P_ALL, PACKET_VNET_HDR
_SOL_PACKET = 263
_MOST = 1 << 17

# Of a frame: seconds after which copies of it go on. `inward`: to the unit.
Fate = Callable[[random.Random, bool], tuple[float, ...]]
FATES: dict[str, Fate] = {
    "late": lambda chance, _: (0.02 + 0.01 * chance.random(),),
    "twice": lambda chance, _: (0.0, 0.0) if chance.random() < 0.5 else (0.0,),
    "out of order": lambda chance, _: (0.03 * chance.random(),),
    "one in ten": lambda chance, _: () if chance.random() < 0.1 else (0.0,),
    "to": lambda _, inward: () if inward else (0.0,),
    "from": lambda _, inward: (0.0,) if inward else (),
}


class Wire:
    """From here to `mend`, every frame of the unit's LAN has that fate."""

    def __init__(self, lab: Lab, unit: str, fate: str, seed: str) -> None:
        self._switch, self._port = lab.network.name("sw"), f"lan-{unit}"
        self._fate, self._chance = FATES[fate], random.Random(seed)
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, socket.socket, bytes]] = []
        self._over = threading.Event()
        self._bridge = BRIDGES["lan"]
        namespace.batch(
            [
                "link add wire type veth peer name wire-in",
                "link set wire up",
                f"link set wire-in master {self._bridge} up",
                f"link set {self._port} nomaster",
            ],
            self._switch,
        )
        self._unit, self._lan = self._open(self._port), self._open("wire")
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self._thread.start()

    def mend(self) -> None:
        """The port is on the bridge again; what was on its way is lost."""
        self._over.set()
        self._thread.join()
        for end in (self._unit, self._lan):
            end.close()
        namespace.batch(["link del wire", f"link set {self._port} master {self._bridge}"], self._switch)

    def _open(self, port: str) -> socket.socket:
        end = namespace.socket_in(self._switch, socket.AF_PACKET, socket.SOCK_RAW)
        end.setsockopt(_SOL_PACKET, _VNET_HDR, 1)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        end.bind((port, _ALL))
        end.setblocking(False)
        return end

    def _run(self) -> None:
        ends = {self._unit: self._lan, self._lan: self._unit}
        while not self._over.is_set():
            now = time.monotonic()
            due = min(self._waiting[0][0] - now, 0.05) if self._waiting else 0.05
            for end in select.select(list(ends), [], [], max(due, 0.0))[0]:
                self._take(end, ends[end])
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, _, to, frame = heapq.heappop(self._waiting)
                self._send(to, frame)

    def _take(self, end: socket.socket, to: socket.socket) -> None:
        try:
            frame, (_, _, kind, *_) = end.recvfrom(_MOST)
        except OSError:  # the port went, or there was nothing
            return
        if kind == socket.PACKET_OUTGOING:
            return
        for after in self._fate(self._chance, end is self._lan):
            if after == 0.0:
                self._send(to, frame)
            else:
                heapq.heappush(self._waiting, (time.monotonic() + after, next(self._order), to, frame))

    @staticmethod
    def _send(to: socket.socket, frame: bytes) -> None:
        try:
            to.send(frame)
        except OSError:  # its queue is full or the port went: a switch drops too
            return
