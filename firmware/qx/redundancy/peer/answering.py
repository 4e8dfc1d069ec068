# SPDX-License-Identifier: Apache-2.0
"""answering: the side of the unit with the lower Virtual IP Address: listens, and lets in whom it must.

Whoever calls from another address than the peer's is refused before a word of TLS; of the others a few at a
time may try to authenticate.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from ... import ports
from ...errors import Refusal
from . import door
from .door import NoAddress, Place
from .link import Host, Link
from .meeting import Meeting
from .refusals import REASONS, NotAuthenticated
from .secured import secured
from .talk import HANDSHAKE

log = logging.getLogger("qx.peer")

BIND_AGAIN = 0.5  # seconds: the Virtual IP Address may not be on the interface yet
ACCEPT_AGAIN = 0.1  # seconds, where no descriptor is free


class Answering:
    def __init__(self, host: Host, place: Place) -> None:
        self._host, self._place = host, place
        self._answers: set[asyncio.Task[None]] = set()
        self._unproven: set[asyncio.Task[None] | None] = (
            set()
        )  # those of them that nobody has proven himself in

    async def run(self) -> None:
        """Until it is cancelled; a session that is up lives on then."""
        try:
            with await self._bound(ports.SESSION) as one, await self._bound(ports.PAIRING) as two:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._admit(one, self._session))
                    both.create_task(self._admit(two, self._pairing))
        finally:
            for task in self._answers:
                task.cancel()
            await asyncio.gather(*self._answers, return_exceptions=True)

    async def _bound(self, port: int) -> socket.socket:
        while True:
            try:
                return door.listening(self._place.own, port)
            except NoAddress as error:
                self._host.trouble(str(error))
            except OSError as error:
                self._host.trouble(f"{self._place.own} port {port}: {error.strerror}")
            await asyncio.sleep(BIND_AGAIN)

    async def _admit(
        self, listener: socket.socket, answer: Callable[[socket.socket, str], Coroutine[Any, Any, None]]
    ) -> None:
        loop, peer = asyncio.get_running_loop(), str(self._place.peer)
        while True:
            try:
                connection, (source, _) = await _accepted(listener)
            except OSError as error:
                log.warning("accept: %s", error.strerror)
                await asyncio.sleep(ACCEPT_AGAIN)
                continue
            if source != peer:
                self._host.refuse(source, NotAuthenticated("source", f"{REASONS['source']}, {peer}"))
                connection.close()
            elif len(self._unproven) >= door.UNPROVEN_MAX:
                self._host.refuse(source, NotAuthenticated("limit"))
                connection.close()
            else:
                task = loop.create_task(answer(connection, source))
                self._answers.add(task)
                self._unproven.add(task)
                task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._answers.discard(task)
        self._unproven.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a call of the other unit was not answered", exc_info=error)

    async def _session(self, connection: socket.socket, source: str) -> None:
        ours = self._host.credentials.ours()
        if ours is None or ours.pin.certificate is None:
            connection.close()  # the caller takes it for what it is, and pairs
            return
        link = Link(self._host, False, ours.pin.certificate)
        making = self._host.credentials.context(True, ours.pin.certificate)
        try:
            async with asyncio.timeout(HANDSHAKE):
                door.tune(connection)
                await secured(link.wire, connection, making, server=True)
                await asyncio.shield(link.reached)
        except OSError as error:
            self._host.refuse(source, error)
        finally:
            link.give_up()
        if isinstance(link.error, Refusal):
            self._host.refuse(source, link.error)

    async def _pairing(self, connection: socket.socket, source: str) -> None:
        credentials = self._host.credentials
        ours = credentials.ours()
        if ours is None:
            connection.close()
            return
        meeting = Meeting(False, ours)
        try:
            async with asyncio.timeout(HANDSHAKE):
                door.tune(connection)
                await secured(meeting.wire, connection, credentials.context(True, None), server=True)
                met = await asyncio.shield(meeting.met)
            self._unproven.discard(asyncio.current_task())
        except (OSError, Refusal) as error:
            self._host.refuse(source, error)
            return
        finally:
            if not meeting.proven:
                meeting.wire.close()
        self._unproven.discard(asyncio.current_task())
        try:
            meeting.welcome(await credentials.keep(ours, met))
        except Refusal as error:  # flash; the caller comes again
            self._host.trouble(str(error))
        finally:
            meeting.wire.close()


async def _accepted(listener: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
    """The next connection. `loop.sock_accept` loses one, and says so in the log, where it is cancelled in the
    turn of the loop in which one comes."""
    loop, there = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(listener, there.set)
    try:
        while True:
            try:
                connection, source = listener.accept()
            except BlockingIOError:
                there.clear()
                await there.wait()
                continue
            connection.setblocking(False)
            return connection, source
    finally:
        loop.remove_reader(listener)
