# SPDX-License-Identifier: Apache-2.0
"""switch: the LAN between emulated units: every frame goes to every other port. A thread and a socket.

Ports are QEMU's `-netdev stream` connections (each frame with its length before it, four octets, big endian).
A machine that dies is a port that goes. `watch` sees each frame with the time of its arrival and its port's
number, so a test measures an outage here, outside of the guests. `passes` says of each frame whether it goes
on from one port to another: a fault of the LAN that no cable shows.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

MOST = 1 << 17  # octets of a frame; QEMU's own limit is 68 KiB
Watch = Callable[[float, bytes, int], None]  # CLOCK_MONOTONIC seconds, frame, port
Passes = Callable[[bytes, int, int], bool]  # frame, the port that it came from, the port that it would go to


def framed(frame: bytes) -> bytes:
    """The frame as it stands in the stream of a port."""
    return len(frame).to_bytes(4, "big") + frame


def frames(waiting: bytearray) -> Iterator[bytes]:
    """Takes the whole frames away from what came of a stream. Raises ValueError for one that is too long."""
    while len(waiting) >= 4:
        length = int.from_bytes(waiting[:4], "big")
        if length > MOST:
            raise ValueError(f"a frame of {length} octets; expected at most {MOST}")
        if len(waiting) < 4 + length:
            return
        frame = bytes(waiting[4 : 4 + length])
        del waiting[: 4 + length]
        yield frame


class Switch:
    """Listens on the Unix socket `path`; `stop()` ends it."""

    def __init__(self, path: Path, watch: Watch | None = None) -> None:
        path.unlink(missing_ok=True)
        self.path = path
        self.watch = watch
        self.passes: Passes | None = None
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(path))
        self._door.listen(8)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._door, selectors.EVENT_READ)
        self._ports: dict[socket.socket, tuple[int, bytearray]] = {}
        self._count = 0
        self._over, self._bell = socket.socketpair()
        self._selector.register(self._over, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="switch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._bell.send(b"x")
        self._thread.join()
        for port in list(self._ports):
            self._drop(port)
        self._door.close()
        self._selector.close()
        self.path.unlink(missing_ok=True)

    def send(self, frame: bytes) -> None:
        """A frame of our own to every port: what a host on this LAN would send."""
        self._spread(frame, None)

    # --- the thread ---------------------------------------------------------------------------------
    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._over:
                    return
                if key.fileobj is self._door:
                    port, _address = self._door.accept()
                    port.setblocking(False)
                    self._count += 1
                    self._ports[port] = (self._count, bytearray())
                    self._selector.register(port, selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket):
                    self._read(key.fileobj)

    def _read(self, port: socket.socket) -> None:
        number, waiting = self._ports[port]
        try:
            octets = port.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self._drop(port)
            return
        waiting += octets
        try:
            for frame in frames(waiting):
                if self.watch:
                    self.watch(time.monotonic(), frame, number)
                self._spread(frame, port, number)
        except ValueError:
            self._drop(port)

    def _spread(self, frame: bytes, source: socket.socket | None, came_from: int = 0) -> None:
        octets = framed(frame)
        for port, (number, _) in list(self._ports.items()):
            if port is source or not (self.passes is None or self.passes(frame, came_from, number)):
                continue
            try:
                sent = port.send(octets)
                if sent < len(octets):  # a frame begun must be ended, or the stream is lost
                    port.setblocking(True)
                    port.sendall(octets[sent:])
                    port.setblocking(False)
            except BlockingIOError:
                pass  # its queue is full: a switch drops too
            except OSError:
                self._drop(port)

    def _drop(self, port: socket.socket) -> None:
        if self._ports.pop(port, None):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(port)
            port.close()
