"""The probing process: `python -m board.lab.prober FD NAMESPACE ADDRESS`, 1,000 ICMP echo requests a second.

It runs inside the PC's namespace, at real-time priority when permitted (the lowest, below any engine), and
writes into memory shared with its owner, so that no disk and no pipe delays it. Requests leave on an absolute
schedule of CLOCK_MONOTONIC; one that is late is skipped, never sent in a burst, and every gap of the prober's
own is recorded.

Replies are timed by the kernel (SO_TIMESTAMPNS). That clock is the wall's, so only a reply's age is taken
from it and is bounded by what CLOCK_MONOTONIC allows: a clock step cannot forge a silence.
"""

import contextlib
import gc
import mmap
import os
import select
import socket
import struct
import sys
import time
from array import array
from collections.abc import Sequence

from . import namespace
from .namespace import LabError

RATE = 1000
KEPT = 1 << 20  # replies remembered: 17 minutes
STALLS = 1 << 12
STALL_NS = 2_000_000
# Cells of the shared memory, each a signed 64-bit number; then the stalls (end, length), then the replies.
STARTED, SENT, REPLIES, LAST_SENT, STALL_COUNT, REAL_TIME, STOP, DUPLICATES, ENDED = range(9)
STALL_AT, REPLY_AT = 16, 16 + 2 * STALLS
CELLS = REPLY_AT + KEPT
_ECHO = struct.Struct("!BBHHHqq40x")  # type, code, checksum, id, sequence; nonce, long sequence
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("qq")
_ICMP_FILTER = 1


def _checksum(packet: bytes | bytearray) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def run(arguments: Sequence[str]) -> None:
    """Descriptor of the shared memory, namespace, address. Ends with its owner."""
    descriptor, netns, address = int(arguments[0]), arguments[1], arguments[2]
    cells = memoryview(mmap.mmap(descriptor, 8 * CELLS)).cast("q")
    namespace.enter(netns)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        cells[REAL_TIME] = 1
    except PermissionError:
        pass  # the report says so, and what gaps it led to
    awake = _keep_awake()
    gc.disable()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.setsockopt(socket.IPPROTO_RAW, _ICMP_FILTER, struct.pack("I", 0xFFFFFFFE))  # echo replies only
        sock.connect((address, 0))  # replies of this address only
        _Prober(cells, sock).run()
    if awake is not None:
        os.close(awake)


def _keep_awake() -> int | None:
    """Ask the kernel for processors that do not sleep while this is open (PM QoS, as cyclictest does).

    On a virtual machine an idle processor that halts comes back when the host pleases: wake-ups were measured
    up to 17 ms late on an idle machine, and 0.3 to 4 ms with this.
    """
    try:
        descriptor = os.open("/dev/cpu_dma_latency", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return None  # no such device here: the report shows the gaps
    os.write(descriptor, struct.pack("i", 0))
    return descriptor


class _Prober:
    """The loop: send when due, otherwise take replies."""

    def __init__(self, cells: memoryview, sock: socket.socket) -> None:
        self._cells = cells
        self._sock = sock
        self._identifier = os.getpid() & 0xFFFF
        self._nonce = int.from_bytes(os.urandom(7), "big")
        self._seen = array("q", [-1]) * 65536
        self._looked = time.monotonic_ns()

    def run(self) -> None:
        owner, period = os.getppid(), 1_000_000_000 // RATE
        self._cells[STARTED] = due = time.monotonic_ns()
        while not self._cells[STOP] and os.getppid() == owner:
            now = time.monotonic_ns()
            if now >= due:
                self._send(now)
                due += period * ((now - due) // period + 1)
            if select.select([self._sock], [], [], max(due - time.monotonic_ns(), 0) / 1e9)[0]:
                self._receive()
        self._cells[ENDED] = time.monotonic_ns()

    def _send(self, now: int) -> None:
        cells, number = self._cells, self._cells[SENT]
        if number and now - cells[LAST_SENT] > STALL_NS:
            place = STALL_AT + 2 * (cells[STALL_COUNT] % STALLS)
            cells[place], cells[place + 1] = now, now - cells[LAST_SENT]
            cells[STALL_COUNT] += 1
        short = number & 0xFFFF
        packet = bytearray(_ECHO.pack(8, 0, 0, self._identifier, short, self._nonce, number))
        struct.pack_into("!H", packet, 2, _checksum(packet))
        with contextlib.suppress(OSError):  # no route or neighbour: asked, and not answered
            self._sock.send(packet)
        cells[LAST_SENT] = now
        cells[SENT] = number + 1

    def _receive(self) -> None:
        cells = self._cells
        try:
            packet, ancillary, _, _ = self._sock.recvmsg(512, 64)
        except OSError:
            return  # an ICMP error queued on the connected socket: read away
        wall, now = time.time_ns(), time.monotonic_ns()
        header = 4 * (packet[0] & 0x0F)
        if len(packet) < header + _ECHO.size:
            return
        _, _, _, identifier, short, nonce, number = _ECHO.unpack_from(packet, header)
        if identifier != self._identifier or nonce != self._nonce:
            return
        arrived = now
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack_from(data)
                age = wall - (seconds * 1_000_000_000 + nanoseconds)
                arrived = now - min(max(age, 0), now - self._looked)
        self._looked = now
        if self._seen[short] == number:
            cells[DUPLICATES] += 1  # two hosts answer for the address
        self._seen[short] = number
        cells[REPLY_AT + cells[REPLIES] % KEPT] = arrived
        cells[REPLIES] += 1


if __name__ == "__main__":
    try:
        run(sys.argv[1:])
    except (LabError, OSError) as error:
        sys.exit(str(error))
