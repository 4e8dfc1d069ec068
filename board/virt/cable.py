# SPDX-License-Identifier: Apache-2.0
"""cable: a computer on the emulated pair's LAN: a network namespace of this one, plugged into the switch.

Phones, a prober or tcpdump run in it as on a PC of the office. The far end of its veth is a packet socket in
a second namespace, whose frames go to a port of the switch and back, in a thread. Needs root.
"""

from __future__ import annotations

import ctypes
import fcntl
import selectors
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

from ..lab import namespace
from .switch import framed, frames

ETH_P_ALL = 0x0003
OUTGOING = 4  # linux/if_packet.h PACKET_OUTGOING
SIOCETHTOOL = 0x8946  # linux/sockios.h
ETHTOOL_STXCSUM = 0x17  # linux/ethtool.h


class Cable:
    """`prefix` names its namespaces, `lan` is the socket of a `switch.Switch`; between `with` and its end."""

    def __init__(self, prefix: str, lan: Path, address: str) -> None:
        self._prefix, self._lan, self._address = prefix, lan, address
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="cable", daemon=True)

    def name(self, host: str) -> str:
        """The namespace of the computer, `pc`, or of the cable's other end, `sw`."""
        return f"{self._prefix}-{host}"

    def __enter__(self) -> Cable:
        pc, end = self.name("pc"), self.name("sw")
        namespace.batch([f"netns add {pc}", f"netns add {end}"])
        commands = (
            f"link add lan type veth peer name lan netns {end}",
            f"address add {self._address} dev lan", "link set lo up", "link set lan up",
        )  # fmt: skip
        namespace.batch(commands, pc)
        namespace.batch(["link set lan up"], end)
        with namespace.socket_in(pc, socket.AF_INET, socket.SOCK_DGRAM) as sock:
            _whole_checksums(sock, "lan")
        self._wire = namespace.socket_in(end, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._wire.bind(("lan", ETH_P_ALL))
        self._port = socket.socket(socket.AF_UNIX)
        self._port.connect(str(self._lan))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._wire.close()
        self._port.close()
        for host in ("pc", "sw"):
            namespace.kill_all(self.name(host))
        namespace.remove([self.name("pc"), self.name("sw")])

    def _carry(self) -> None:
        waiting = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._wire, selectors.EVENT_READ)
            selector.register(self._port, selectors.EVENT_READ)
            while not self._over.is_set():
                for key, _ in selector.select(0.2):
                    if key.fileobj is self._wire:
                        frame, about = self._wire.recvfrom(1 << 16)
                        if about[2] != OUTGOING:
                            self._port.sendall(framed(frame))
                    else:
                        octets = self._port.recv(1 << 16)
                        if not octets:
                            return  # the switch has ended
                        waiting += octets
                        for frame in frames(waiting):
                            with suppress(OSError):  # longer than the interface takes, or its queue is full
                                self._wire.send(frame)


def _whole_checksums(sock: socket.socket, interface: str) -> None:
    """Between two veths the kernel leaves checksums to a card that is not there, and an emulated one reads
    them."""
    value = ctypes.create_string_buffer(struct.pack("II", ETHTOOL_STXCSUM, 0))  # ethtool_value
    request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))  # ifreq
    fcntl.ioctl(sock, SIOCETHTOOL, request)
