# SPDX-License-Identifier: Apache-2.0
"""door: the TCP sockets between the two units: who listens, who calls, and how a dead line is noticed.

Both ends are the units' Virtual IP Addresses, so a connection from any other address is none of the peer's.
Knows neither TLS nor what is said. On the loop; nothing here waits for a disk.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address

from ...errors import Refusal

UNPROVEN_MAX = 8  # connections at once that have not authenticated
BACKLOG = 16
UNSENT = 64 << 10  # octets that the kernel takes beyond what is on its way
DEAD = 3000  # milliseconds without an acknowledgement, then the kernel gives the connection up
_TCP_NOTSENT_LOWAT = 25  # linux/tcp.h, which `socket` names from Python 3.12 on


class NoAddress(Refusal):
    """The unit's own address is on none of its interfaces now."""


@dataclass(frozen=True, slots=True)
class Place:
    """The Virtual IP Addresses of the two units. The lower one listens, in every role."""

    own: IPv4Address
    peer: IPv4Address

    @property
    def calls(self) -> bool:
        return self.own > self.peer


def listening(own: IPv4Address, port: int) -> socket.socket:
    """Raises NoAddress, OSError."""
    listener = _new()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(listener, own, port)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


async def called(place: Place, port: int) -> socket.socket:
    """A connection to the peer, from this unit's own address. Raises NoAddress, OSError."""
    caller = _new()
    try:
        tune(caller)
        _bind(caller, place.own, 0)
        await asyncio.get_running_loop().sock_connect(caller, (str(place.peer), port))
    except BaseException:
        caller.close()
        raise
    return caller


def _bind(end: socket.socket, own: IPv4Address, port: int) -> None:
    try:
        end.bind((str(own), port))
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise NoAddress(f"{own}: not an address of this unit now; expected it on the LAN port") from None
        raise


def tune(connection: socket.socket) -> None:
    """Small messages at once, little in the kernel before them, and a vanished peer noticed in seconds."""
    tcp = socket.IPPROTO_TCP
    connection.setsockopt(tcp, socket.TCP_NODELAY, 1)
    connection.setsockopt(tcp, _TCP_NOTSENT_LOWAT, UNSENT)
    connection.setsockopt(tcp, socket.TCP_USER_TIMEOUT, DEAD)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, 1),
        (socket.TCP_KEEPINTVL, 1),
        (socket.TCP_KEEPCNT, 3),
    ):
        connection.setsockopt(tcp, option, value)


def _new() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
