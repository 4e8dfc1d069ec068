"""The process behind `Pages`: `python -m board.lab.forwarder PC-NAMESPACE FD=ADDRESS…`.

Each connection is taken in the host's namespace and goes on from the PC's, as if the browser ran there. An FD
is a listening socket that the owner opened; ADDRESS is whose port 80 it leads to. SIGTERM ends it.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence

from . import namespace
from .namespace import LabError

_CONNECT_TIMEOUT = 3.0


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(65536):
            sink.write(piece)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
    except OSError:
        sink.close()  # one side is gone; the other copy ends when its reader does


async def _forward(pc: str, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        outward = await asyncio.to_thread(namespace.socket_in, pc, socket.AF_INET, socket.SOCK_STREAM)
        outward.setblocking(False)
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await asyncio.get_running_loop().sock_connect(outward, (target, 80))
        except BaseException:
            outward.close()
            raise
        unit_reader, unit_writer = await asyncio.open_connection(sock=outward)
        try:
            await asyncio.gather(_copy(reader, unit_writer), _copy(unit_reader, writer))
        finally:
            unit_writer.close()
    except (OSError, TimeoutError, LabError):
        pass  # no such page now: the browser sees the connection closed
    finally:
        writer.close()


async def _serve(pc: str, handed: Sequence[str]) -> None:
    servers: list[asyncio.Server] = []
    for entry in handed:
        descriptor, _, target = entry.partition("=")

        async def client(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str = target
        ) -> None:
            await _forward(pc, target, reader, writer)

        servers.append(await asyncio.start_server(client, sock=socket.socket(fileno=int(descriptor))))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    for server in servers:
        server.close()
    os._exit(0)  # connections that are open end with the process; nobody is to wait for them


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2:]))
