# SPDX-License-Identifier: Apache-2.0
"""wire: messages over one connection, in both directions, the urgent before the bulky.

Knows neither TLS nor who the peer is: the session gives it a transport. A message that can go out does so in
the call that sends it, so that a change of settings waits for no turn of the loop. While the transport is
full messages wait here, in two rows: the bulky ones (content of voice files, parts of a snapshot) go only
when no other waits, so that a heartbeat or a change of settings never stands behind a long copy by more than
what the transport holds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Protocol

from ...errors import Refusal
from .message import BODY_MAX, BadMessage, Reader, build

BULK_ROOM = 1 << 20  # octets of bulky messages that may wait before `room()` waits
TRANSPORT_ROOM = 64 << 10  # octets that the transport takes before it asks for a pause
READ = 64 << 10  # octets that are read at once: four records of TLS
FLUSH = 1.0  # seconds for the last words to go out, then the connection is dropped


class Ended(ConnectionError):
    """The session is over; what was not acknowledged is to be sent again in the next one."""


class Listener(Protocol):
    """Who hears what a wire brings. Called on the loop; none of these may wait."""

    def made(self, transport: asyncio.Transport) -> None:
        """The connection is there, its TLS handshake done. Raising a Refusal ends it."""
        ...

    def heard(self, kind: int, body: Any) -> None:
        """A message."""
        ...

    def bad(self, error: BadMessage) -> None:
        """The other side sent what is no message, or `heard` raised it. Nothing more is read; the listener
        says its last words and closes."""
        ...

    def over(self, error: Exception | None) -> None:
        """The connection is gone: None after an end by the other side without a word, else why. Once."""
        ...


class Wire(asyncio.BufferedProtocol):
    """A plain Protocol would be handed new octets each time, for which asyncio's TLS makes room for 256 KiB a
    record (asyncio/sslproto.py, _do_read__copied): half of what receiving a long copy costs."""

    def __init__(self, listener: Listener, limit: int = BODY_MAX) -> None:
        self._listener = listener
        self._reader = Reader(limit)
        self._read = memoryview(bytearray(READ))
        self._transport: asyncio.Transport | None = None
        self._urgent: deque[bytes] = deque()
        self._bulk: deque[bytes] = deque()
        self._bulk_octets = 0
        self._full = False  # the transport asked for a pause
        self._room: asyncio.Future[None] | None = None
        self._closing = False
        self._deaf = False  # what came was bad: nothing more is read
        self._why: Exception | None = None
        self.octets_sent = 0
        self.octets_received = 0
        self.last_heard = 0.0  # of the loop's clock

    @property
    def limit(self) -> int:
        """The longest body taken, octets."""
        return self._reader.limit

    @limit.setter
    def limit(self, octets: int) -> None:
        self._reader.limit = octets

    # --- sending --------------------------------------------------------------------------------------------
    @property
    def open(self) -> bool:
        return self._transport is not None and not self._closing

    def send(self, kind: int, body: Any, *, bulk: bool = False) -> None:
        """Sends, or queues; never waits. Messages of one row keep their order. What is sent into a session
        that is over is dropped: its end is told to everyone."""
        if not self.open:
            return
        octets = build(kind, body)
        if bulk and (self._full or self._urgent or self._bulk):
            self._bulk.append(octets)
            self._bulk_octets += len(octets)
        elif self._full or self._urgent:
            self._urgent.append(octets)
        else:
            self._write(octets)

    async def room(self) -> None:
        """Waits until few bulky octets wait. Raises Ended."""
        while self.open and self._bulk_octets >= BULK_ROOM:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)
        if not self.open:
            raise Ended("the session to the other unit is over")

    def _write(self, octets: bytes) -> None:
        assert self._transport is not None
        self.octets_sent += len(octets)
        self._transport.write(octets)

    def _pump(self) -> None:
        while not self._full and (self._urgent or self._bulk):
            if self._urgent:
                self._write(self._urgent.popleft())
                continue
            octets = self._bulk.popleft()
            self._bulk_octets -= len(octets)
            self._write(octets)
        if self._bulk_octets < BULK_ROOM:
            self._let_in()
        if self._closing:
            self._finish()

    def _let_in(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    def close(self) -> None:
        """Ends in order, within FLUSH seconds: what is urgent still goes out, what is bulky does not."""
        if self._transport is None or self._closing:
            return
        self._closing = True
        self._drop_bulk()
        asyncio.get_running_loop().call_later(FLUSH, self.abort, Ended("the last words did not go out"))
        self._finish()

    def _finish(self) -> None:
        """Closes the transport once it is empty: an SSL transport that is closed with octets in it may keep
        them for good (asyncio/sslproto.py, _do_flush waits for nobody)."""
        if self._transport is None or self._transport.is_closing() or self._urgent:
            return
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(0.01, self._finish)
        else:
            self._transport.close()

    def _drop_bulk(self) -> None:
        self._bulk.clear()
        self._bulk_octets = 0
        self._let_in()

    def abort(self, why: Exception) -> None:
        """Ends at once; `over(why)` follows."""
        if self._transport is not None and self._why is None:
            self._closing, self._why = True, why
            self._transport.abort()

    # --- what asyncio calls ---------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.last_heard = asyncio.get_running_loop().time()
        transport.set_write_buffer_limits(TRANSPORT_ROOM)
        try:
            self._listener.made(transport)
        except Refusal as error:
            self.abort(error)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio names it
        return self._read

    def buffer_updated(self, nbytes: int) -> None:
        self.octets_received += nbytes
        self.last_heard = asyncio.get_running_loop().time()
        if self._deaf:
            return
        try:
            for kind, body in self._reader.feed(self._read[:nbytes]):
                if self._closing:
                    return
                self._listener.heard(kind, body)
        except BadMessage as error:
            self._deaf = True
            self._listener.bad(error)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing, self._transport = True, None
        self._urgent.clear()
        self._drop_bulk()
        self._listener.over(self._why or exc)
