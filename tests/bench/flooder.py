# SPDX-License-Identifier: Apache-2.0
"""The flooding process: `python -m bench.flooder NAMESPACE COUNT`, malformed advertisements at full speed.

They are malformed in ways that both contestants refuse: checksum, TTL, version, type, length, another group.
They claim priority 254, so one that is believed changes a role. It prints the seconds that it took.
"""

import socket
import struct
import sys
import time
from collections.abc import Sequence

from board.lab import namespace
from board.lab.demo import GROUP_ID
from board.lab.network import PC_LAN

from .setting import SERVICE

KINDS = ("checksum", "ttl", "version", "type", "short", "group")
GROUP_ADDRESS = "224.0.0.18"


def checksum(octets: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def malformed(kind: str) -> bytes:
    """One IPv4 packet that is right but for one thing."""
    version = 7 if kind == "version" else 2
    group = GROUP_ID + 1 if kind == "group" else GROUP_ID
    message = struct.pack("!BBBBBBH", version << 4 | (2 if kind == "type" else 1), group, 254, 1, 0, 1, 0)
    message += socket.inet_aton(SERVICE) + bytes(8)
    sum_ = checksum(message) ^ (0x5555 if kind == "checksum" else 0)
    message = message[:6] + struct.pack("!H", sum_) + message[8:]
    if kind == "short":
        message = message[:7]
    ttl = 254 if kind == "ttl" else 255
    header = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(message), 0, 0, ttl, 112, 0)
    return header + PC_LAN.ip.packed + socket.inet_aton(GROUP_ADDRESS) + message


def run(arguments: Sequence[str]) -> None:
    netns, count = arguments[0], int(arguments[1])
    namespace.enter(netns)
    packets = [malformed(kind) for kind in KINDS]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, PC_LAN.ip.packed)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        sock.connect((GROUP_ADDRESS, 0))
        began = time.monotonic()
        for number in range(count):
            sock.send(packets[number % len(packets)])
        print(f"{time.monotonic() - began:.3f}")


if __name__ == "__main__":
    run(sys.argv[1:])
