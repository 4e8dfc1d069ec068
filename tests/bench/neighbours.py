# SPDX-License-Identifier: Apache-2.0
"""Other pairs on the LAN: `python -m bench.neighbours NAMESPACE GROUPS INTERVAL SECONDS`.

Each group has a Master that advertises as it must (version 3, RFC 5798 section 5.2), all within the interval.
It says `advertising` when it begins, and at its end how many were sent and the longest pause in seconds.
"""

import socket
import struct
import sys
import time
from collections.abc import Sequence

from board.lab import namespace
from board.lab.demo import GROUP_ID, PLANS, VIRTUAL_IP
from board.lab.network import PC_LAN

from .flooder import GROUP_ADDRESS, checksum
from .setting import PLAN


def advertisement(group: int, interval: float) -> bytes:
    """Of a Master whose own and whose service address name the group."""
    source = socket.inet_aton(f"10.77.0.{group}")
    service = socket.inet_aton(f"10.78.0.{group}")
    head = struct.pack("!BBBBH", 0x31, group, 100, 1, round(100 * interval))
    length = len(head) + 2 + len(service)
    pseudo = source + socket.inet_aton(GROUP_ADDRESS) + struct.pack("!BBH", 0, 112, length)
    message = head + struct.pack("!H", checksum(pseudo + head + bytes(2) + service)) + service
    header = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(message), 0, 0, 255, 112, 0)
    return header + source + socket.inet_aton(GROUP_ADDRESS) + message


def groups(count: int) -> list[int]:
    """So many numbers of groups, at most 249; not the lab's own, and none that is a host of its LAN."""
    hosts = (PC_LAN, *VIRTUAL_IP.values(), PLANS[PLAN])
    taken = {GROUP_ID, *(address.ip.packed[-1] for address in hosts)}
    return [number for number in range(1, 255) if number not in taken][:count]


def run(arguments: Sequence[str]) -> None:
    netns, count, interval, seconds = (
        arguments[0],
        int(arguments[1]),
        float(arguments[2]),
        float(arguments[3]),
    )
    namespace.enter(netns)
    packets = [advertisement(group, interval) for group in groups(count)]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, PC_LAN.ip.packed)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        sock.connect((GROUP_ADDRESS, 0))
        print("advertising", flush=True)
        began = last = time.monotonic()
        sent, longest = 0, 0.0
        while (now := time.monotonic()) < began + seconds:
            longest, last = max(longest, now - last), now
            due = int((now - began) / interval * count)
            for number in range(sent, due):
                sock.send(packets[number % count])
            sent = due
            time.sleep(interval / max(count, 1) / 2)
        print(sent, f"{longest:.3f}")


if __name__ == "__main__":
    run(sys.argv[1:])
