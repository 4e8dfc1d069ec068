# SPDX-License-Identifier: Apache-2.0
"""peer_strangers: who speaks to a unit of `peer_bench` without being its peer, with streams of his own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from peer_bench import Unit, addresses, both_up, two

from qx.packing import unpack
from qx.redundancy.peer.message import HEADER
from qx.redundancy.peer.told import Down

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Three = tuple[IPv4Address, IPv4Address, IPv4Address]


async def connected(
    source: IPv4Address, to: IPv4Address, port: int, context: ssl.SSLContext | None = None
) -> Streams:
    """A connection of a stranger, from an address of his choice."""
    return await asyncio.open_connection(
        str(to), port, local_addr=(str(source), 0), ssl=context, server_hostname="" if context else None
    )


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end, however it ends."""
    got = b""
    with suppress(OSError):
        while octets := await asyncio.wait_for(reader.read(1 << 16), 8):
            got += octets
    return got


async def message(reader: asyncio.StreamReader) -> tuple[int, Any]:
    """The next message: its kind and its body."""
    kind, length = HEADER.unpack(await reader.readexactly(HEADER.size))
    return kind, unpack(await reader.readexactly(length))


@asynccontextmanager
async def listening(folder: Path, paired: bool = True) -> AsyncIterator[tuple[Unit, Unit, Three]]:
    """Unit a listens and waits for b, which it has met before if `paired`, and which is away now. The
    addresses are a's, b's and a stranger's. b keeps its keyring and certificate, for strangers who have
    stolen some of it."""
    async with two(folder) as (a, b):
        low, high, third = addresses()
        a.place(low, high)
        if paired:
            b.place(high, low)
            await both_up(a, b)
            b.place(None, None)
            b.at = (high, low)
            await a.tells(Down)
        else:
            await asyncio.sleep(0.05)
        a.told.clear()
        yield a, b, (low, high, third)
