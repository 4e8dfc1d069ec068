# SPDX-License-Identifier: Apache-2.0
"""passage: the Backup's pages through the Master (R27), over mutual TLS with the certificates of the pair.

The Master's pages take connections at the Backup Device GUI Access Port and carry them, octet for octet, to
the Backup's, which listen at its Virtual IP Address for nobody but the peer. The first line says who asks, as
the PROXY protocol does (version 1, haproxy's proxy-protocol.txt), so that a lockout finds the right address.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from .. import ports
from ..errors import Refusal
from ..trust import kept, tls
from ..trust.certificate import own_certificate
from .connections import Gone, Stream

PLACES = 32
CONNECT = 3.0  # seconds
IDLE = 60.0  # seconds in which something has to pass; news does every 15 s
PIECE = 64 << 10

AWAY = b"The Backup device does not answer now.\n"
UNREACHED = (
    b"HTTP/1.0 503 Service Unavailable\r\nContent-Type: text/plain; charset=UTF-8\r\nRetry-After: 3\r\n"
    b"Refresh: 5\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(AWAY), AWAY)
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the two units are, and the certificate (DER) that the peer has."""

    own: str
    peer: str
    pin: bytes


def place(folder: Path, values: dict[str, str]) -> Place | None:
    """From the settings and data/qx/trust; None where this unit is in no pair."""
    own, peer = values.get("redundancy.virtual_ip", ""), values.get("redundancy.peer_virtual_ip", "")
    try:
        found = kept.read_peer(folder)
    except Refusal:
        return None
    if not own or not peer or found is None or found.pin.certificate is None or not found.pin.settled:
        return None
    return Place(str(IPv4Interface(own).ip), peer, found.pin.certificate)


def context(folder: Path, serial: str, where: Place, server: bool) -> ssl.SSLContext:
    """Raises Refusal where this unit has no good certificate."""
    return tls.session_context(own_certificate(folder, serial), where.pin, server)


async def introduced(stream: Stream, pin: bytes) -> None:
    """On the Backup, of a connection that the Master carries: who it is from. Raises Gone for
    anything else."""
    connection = stream.get_extra_info("ssl_object")
    assert isinstance(connection, ssl.SSLObject)
    try:
        tls.check_peer(connection, pin)
    except Refusal:
        raise Gone("not the peer") from None
    async with asyncio.timeout(CONNECT):
        line = await stream.readline()
    found = re.fullmatch(rb"PROXY TCP4 ([0-9.]{7,15}) [0-9.]{7,15} [0-9]{1,5} [0-9]{1,5}\r\n", line)
    if found is None:
        raise Gone("the peer did not say for whom it asks")
    stream.address = found[1].decode()
    stream.scheme = "http"  # what the browser speaks with the Master


async def carry(stream: Stream, where: Place, secured: ssl.SSLContext) -> None:
    """On the Master: one connection, to its end."""
    try:
        async with asyncio.timeout(CONNECT):
            reader, writer = await asyncio.open_connection(
                where.peer, ports.PASSAGE, ssl=secured, server_hostname="", local_addr=(where.own, 0)
            )
    except (OSError, TimeoutError):
        stream.asked = True
        await stream.raw(UNREACHED)
        await stream.aclose()
        return
    try:
        connection = writer.get_extra_info("ssl_object")
        tls.check_peer(connection, where.pin)
        writer.write(f"PROXY TCP4 {stream.address or '0.0.0.0'} {where.own} 0 0\r\n".encode())
        there = asyncio.create_task(_there(stream, writer))
        back = asyncio.create_task(_back(reader, stream))
        # The answer's end is the end; whoever asks may have ended his half long before.
        await asyncio.wait((back,))
        there.cancel()
        await asyncio.gather(there, back, return_exceptions=True)
        await stream.aclose()
    except Refusal:
        raise Gone("not the peer") from None
    finally:
        writer.transport.abort()


async def _there(stream: Stream, writer: asyncio.StreamWriter) -> None:
    while octets := await stream.some(PIECE):
        stream.asked = True
        writer.write(octets)
        await writer.drain()


async def _back(reader: asyncio.StreamReader, stream: Stream) -> None:
    while True:
        async with asyncio.timeout(IDLE):
            octets = await reader.read(PIECE)
        if not octets:
            return
        stream.asked = True
        await stream.raw(octets)
