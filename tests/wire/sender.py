# SPDX-License-Identifier: Apache-2.0
"""Advertisements of our own making, sent from the PC's LAN port: a few, or as many as the kernel takes.

`packet()` of tests/unit/packets.py makes the IP packets. A flood goes out of a packet socket by sendmmsg, the
same 1,024 frames again and again, so that no Python runs between two of them.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections.abc import Sequence

from board.lab import namespace
from board.lab.demo import GROUP_ID
from board.lab.pair import Lab

BATCH = 1024
GROUP_MAC = bytes.fromhex("01005e000012")
FROM_MAC = bytes.fromhex("025158770001")  # a station that is neither unit nor PC
_QDISC_BYPASS = 20


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("iov", ctypes.POINTER(_Iovec)),
        ("iov_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint),
    )


def port_of_the_pc(lab: Lab) -> socket.socket:
    """A packet socket on the PC's LAN port."""
    sock = namespace.socket_in(lab.network.name("pc"), socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind(("lan", 0x0800))
    return sock


def frame(packet: bytes, source: bytes = FROM_MAC, destination: bytes = GROUP_MAC) -> bytes:
    return destination + source + b"\x08\x00" + packet


def advert(
    priority: int, source: str, service: str, *, version: int, interval: int, pseudo: bool = True
) -> bytes:
    """A frame with an advertisement of our group that is right in every way. `interval` as on the wire."""
    from unit.packets import packet

    made = packet(
        version=version,
        vrid=GROUP_ID,
        priority=priority,
        interval=interval,
        addresses=[service],
        source=source,
        pseudo=pseudo,
    )
    return frame(made)


def flood(sock: socket.socket, frames: Sequence[bytes], count: int) -> tuple[list[int], float]:
    """Send `count` frames, the given ones in turn, as fast as they go: how often each, and the seconds."""
    libc = ctypes.CDLL(None, use_errno=True)
    sock.setsockopt(263, _QDISC_BYPASS, struct.pack("i", 1))  # SOL_PACKET
    buffers = [ctypes.create_string_buffer(each, len(each)) for each in frames]
    vectors = (_Iovec * BATCH)()
    messages = (_Message * BATCH)()
    for place in range(BATCH):
        which = place % len(frames)
        vectors[place] = _Iovec(ctypes.cast(buffers[which], ctypes.c_void_p), len(frames[which]))
        messages[place].iov = ctypes.pointer(vectors[place])
        messages[place].iov_count = 1
    # A batch begins with the first frame: only whole turns are sent, until the last one.
    turn = BATCH - BATCH % len(frames)
    sent = [0] * len(frames)
    left, began = count, time.monotonic()
    while left:
        wanted = min(turn, left)
        done = 0
        while done < wanted:
            start = ctypes.byref(messages, done * ctypes.sizeof(_Message))
            result = libc.sendmmsg(sock.fileno(), start, wanted - done, 0)
            if result < 0:
                raise OSError(ctypes.get_errno(), "sendmmsg")
            done += result
        for place in range(wanted):
            sent[place % len(frames)] += 1
        left -= wanted
    return sent, time.monotonic() - began
