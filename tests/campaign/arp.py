# SPDX-License-Identifier: Apache-2.0
"""arp: the frames that ask who has an IPv4 address, and say it (RFC 826). Pure."""

from __future__ import annotations

import struct
from typing import Literal

ETHERTYPE = 0x0806
LENGTH = 42  # octets of a frame, without padding
_TYPE = ETHERTYPE.to_bytes(2, "big")


def question(mac: bytes, address: bytes) -> bytes:
    """A probe (RFC 5227 2.1.1): the sender's address is 0, so nobody learns anything from it."""
    request = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    return b"\xff" * 6 + mac + _TYPE + request + mac + bytes(10) + address


def what(frame: bytes, address: bytes) -> Literal["question", "answer", ""]:
    """Whether the frame is a `question` for this address, or says who has it."""
    if len(frame) < LENGTH or frame[12:14] != _TYPE:
        return ""
    operation, sender, target = int.from_bytes(frame[20:22], "big"), frame[28:32], frame[38:42]
    if operation == 1 and target == address and not any(sender):
        return "question"
    return "answer" if operation == 2 and sender == address else ""
