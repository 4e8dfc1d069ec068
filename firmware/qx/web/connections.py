# SPDX-License-Identifier: Apache-2.0
"""connections: the pages' TCP connections, bounded in number, in time and in what they may send.

One request a connection. Where all places are taken, whoever has waited longest without having asked for
anything gives way, so connections that send nothing never keep a user out. What a request means is the
`answer`'s; nothing here knows HTTP beyond the end of its head.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

log = logging.getLogger("qx.web")

PLACES = 96
BACKLOG = 128
HANDSHAKE = 5.0  # seconds of TLS
HEAD_MAX = 16 << 10  # octets of request line and headers
LINE_MAX = 8 << 10
SILENCE = 20.0  # seconds in which something of a body has to come, or of an answer to be taken
LINGER = 2.0  # seconds for whoever still sends when the answer is out

Answer = Callable[["Stream"], Awaitable[None]]


class Gone(ConnectionError):
    """The other end is not there any more, or too slow to wait for."""


class Stream:
    """One connection, as microdot reads and writes it (`awrite`, `aclose`)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, scheme: str) -> None:
        self._reader, self._writer = reader, writer
        self._head = 0  # octets of the head that came
        self._unsent: bytearray | None = bytearray()  # the head of the answer, until its body begins
        self.scheme = scheme
        self.asked = False  # the request is there
        self.through = False  # it came through the Master
        peer = writer.get_extra_info("peername")
        self.address: str = peer[0] if isinstance(peer, tuple) else ""

    def get_extra_info(self, name: str) -> object:
        return self._writer.get_extra_info(name)

    # --- reading --------------------------------------------------------------------------------------------
    async def readline(self) -> bytes:
        """A line of the head. Raises ValueError where it or the head is too long."""
        line = await self._reader.readline()
        self._head += len(line)
        if self._head > HEAD_MAX:
            raise ValueError("the head of the request is too long")
        return line

    async def readexactly(self, count: int) -> bytes:
        return await self._reader.readexactly(count)

    async def read(self, count: int) -> bytes:
        """Some of the body. Raises Gone when nothing comes."""
        try:
            async with asyncio.timeout(SILENCE):
                return await self._reader.read(count)
        except TimeoutError:
            raise Gone(f"nothing was sent for {SILENCE:g} s") from None

    async def left(self) -> None:
        """Returns when the other end has gone, or says something after its request."""
        with suppress(OSError):
            await self._reader.read(1)

    async def some(self, count: int) -> bytes:
        """Whatever comes, for as long as it takes."""
        return await self._reader.read(count)

    # --- writing --------------------------------------------------------------------------------------------
    async def awrite(self, octets: bytes) -> None:
        """The head goes out with what follows it, in one piece."""
        if self._unsent is not None:
            self._unsent += octets
            if octets != b"\r\n":
                return
            octets, self._unsent = bytes(self._unsent), None
        await self.raw(octets)

    async def raw(self, octets: bytes) -> None:
        """As it is. Raises Gone when nothing is taken."""
        self._writer.write(octets)
        try:
            async with asyncio.timeout(SILENCE):
                await self._writer.drain()
        except TimeoutError:
            raise Gone(f"nothing was taken for {SILENCE:g} s") from None

    async def aclose(self) -> None:
        """Lets the other end have the answer, even if it is still sending."""
        with suppress(OSError, TimeoutError, RuntimeError):
            if self._unsent:
                self._writer.write(bytes(self._unsent))
            async with asyncio.timeout(LINGER):
                if self._writer.can_write_eof():
                    self._writer.write_eof()
                    await self._writer.drain()
                    while await self._reader.read(1 << 16):
                        pass
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._writer.wait_closed()

    def abort(self) -> None:
        self._writer.transport.abort()


class Connections:
    """All of them, whatever listener they came through."""

    def __init__(self, answer: Answer, places: int = PLACES) -> None:
        self._answer = answer
        self._places = places
        self._here: dict[asyncio.Task[None], Stream | None] = {}  # oldest first
        self._listening: list[asyncio.Task[None]] = []

    def listen(
        self, listener: socket.socket, context: ssl.SSLContext | None = None, first: Answer | None = None
    ) -> asyncio.Task[None]:
        """Serves a listening socket until the task is cancelled; it is closed then. `first` is done with each
        connection before it is answered."""
        task = asyncio.get_running_loop().create_task(self._listen(listener, context, first))
        self._listening.append(task)
        return task

    async def close(self) -> None:
        everything = [*self._listening, *self._here]
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, return_exceptions=True)

    async def _listen(
        self, listener: socket.socket, context: ssl.SSLContext | None, first: Answer | None
    ) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                try:
                    connection, _ = await loop.sock_accept(listener)
                except OSError as error:  # no descriptor is left, or the caller has gone again
                    log.warning("a connection was not taken: %s", error)
                    await asyncio.sleep(0.1)
                    continue
                if len(self._here) >= self._places and not self._make_room():
                    connection.close()
                    continue
                task = loop.create_task(self._serve(connection, context, first))
                self._here[task] = None
                task.add_done_callback(self._here.pop)

    def _make_room(self) -> bool:
        for task, stream in self._here.items():
            if (stream is None or not stream.asked) and not task.cancelling():
                task.cancel()
                return True
        return False

    async def _serve(
        self, connection: socket.socket, context: ssl.SSLContext | None, first: Answer | None
    ) -> None:  # fmt: skip
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=LINE_MAX)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=context,
                ssl_handshake_timeout=HANDSHAKE if context else None,
            )  # fmt: skip
        except (OSError, TimeoutError, asyncio.CancelledError):
            connection.close()
            return
        stream = Stream(
            reader, asyncio.StreamWriter(transport, protocol, reader, loop), "https" if context else "http"
        )
        task = asyncio.current_task()
        assert task
        self._here[task] = stream
        try:
            if first:
                await first(stream)
            await self._answer(stream)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the other end went away
        except asyncio.CancelledError:
            pass  # it gave way to another
        except Exception:
            log.exception("a request failed")
        finally:
            stream.abort()


def listening(address: str, port: int) -> socket.socket:
    """Raises OSError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
