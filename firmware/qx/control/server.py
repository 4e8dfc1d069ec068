# SPDX-License-Identifier: Apache-2.0
"""server: the control socket of the daemon: takes requests, runs operations, answers.

A bad client gets a line that says so, a slow one is dropped, and neither costs the loop more than its own
task: their number, the size of a request and the time for it are bounded. Knows the protocol and the
operations; knows no face and no engine. Runs on the daemon's loop and never blocks it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

from ..errors import Refusal
from ..paths import Paths
from . import protocol
from .operations import run
from .unit import Unit

CLIENTS = 32  # at once
REQUEST_TIME = 5.0  # seconds from the connection to the whole request
SEND_TIME = 5.0  # seconds for a client to take a message
FIELDS_MAX = 100  # that are told to be wrong, one by one

log = logging.getLogger("qx.control")


class Server:
    """Serves `unit` on the socket of `paths`. `start()`, then `stop()`; both on the loop."""

    def __init__(
        self, unit: Unit, paths: Paths, request_time: float = REQUEST_TIME, clients: int = CLIENTS
    ) -> None:
        self.unit = unit
        self.request_time = request_time
        self.most = clients
        self.clients: set[_Client] = set()
        self._path = paths.control_socket
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Opens the socket, in place of a killed daemon's. Raises Refusal when a daemon answers there."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Client(self), sock=listen(self._path))

    async def stop(self) -> None:
        """Closes the socket and drops every client."""
        if self._server is None:
            return
        self._server.close()
        with suppress(FileNotFoundError):
            self._path.unlink()
        await asyncio.gather(*(client.drop() for client in tuple(self.clients)), return_exceptions=True)
        self._server = None


class _Client(asyncio.Protocol):
    """One connection: gathers the request, has it done in a task, and sends the answer.

    A protocol and no pair of streams: each step of those is a turn of the loop, and a setting that waits for
    both units has some twenty of them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._octets = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._taken: asyncio.Future[None] | None = None  # while the client has not taken what was sent
        self._sending: asyncio.Task[None] | None = None  # of a stream
        self._left = False  # it has said its end, or is gone

    # --- what asyncio calls -------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)  # so that what is sent waits until the kernel has it
        full = len(self._server.clients) >= self._server.most
        self._server.clients.add(self)
        if full:
            self._do(self._refuse(f"more than {self._server.most} clients at once; try again", 1))
        else:
            self._timer = self._loop.call_later(self._server.request_time, self._late)

    def data_received(self, data: bytes) -> None:
        if self._task is not None:
            self._leaves()  # all that a client may say after its request: that it has heard enough
            return
        self._octets += data
        if len(self._octets) < protocol.HEADER:
            return
        try:
            length = protocol.body_length(bytes(self._octets[: protocol.HEADER]), protocol.REQUEST_MAX)
            if len(self._octets) < protocol.HEADER + length:
                return
            operation, arguments = protocol.request(
                bytes(memoryview(self._octets)[protocol.HEADER : protocol.HEADER + length])
            )
        except Refusal as error:
            self._do(self._refuse(str(error), error.exit_code, error.reason))
            return
        self._octets = bytearray()
        self._do(self._serve(operation, arguments))

    def eof_received(self) -> bool:
        """A request without its end is given up; who has made one still gets the answer."""
        self._leaves()
        return self._task is not None

    def pause_writing(self) -> None:
        self._taken = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)
        self._taken = None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is asyncio's
        self._stop_timer()
        self._leaves()
        self.resume_writing()
        if self._task is None:
            self._server.clients.discard(self)

    # --- within -------------------------------------------------------------------------------------------
    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        self._stop_timer()
        self._task = self._loop.create_task(self._to_its_end(work))

    async def _to_its_end(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ConnectionError:
            pass  # the client went away: nobody is left to tell
        except Exception:
            log.exception("an operation failed")
            with suppress(ConnectionError):
                await self._refuse("internal error; the daemon's log has it", 1)
        finally:
            self._transport.close()
            self._server.clients.discard(self)

    async def drop(self) -> None:
        """Ends it at once, whatever is being done."""
        self._stop_timer()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        self._transport.abort()

    def _late(self) -> None:
        self._do(self._refuse(f"no whole request within {self._server.request_time:g} s", 1))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _leaves(self) -> None:
        self._left = True
        if self._sending is not None:
            self._sending.cancel()

    async def _serve(self, operation: str, arguments: dict[str, Any]) -> None:
        try:
            result = await run(self._server.unit, operation, arguments)
            if isinstance(result, AsyncGenerator):
                await self._stream(result)
                result = None
            await self._send({"result": result})
        except Refusal as error:
            await self._refuse(str(error), error.exit_code, error.reason, error.fields)

    async def _stream(self, items: AsyncGenerator[Any, None]) -> None:
        """Sends items until they end or the client says anything, which can only be its end."""
        if self._left:
            raise ConnectionResetError
        sending = self._sending = self._loop.create_task(self._send_all(items))
        try:
            await asyncio.wait((sending,))
            if sending.cancelled():
                raise ConnectionResetError
            sending.result()
        finally:
            self._sending = None
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send_all(self, items: AsyncGenerator[Any, None]) -> None:
        async with aclosing(items):  # so that a follower that goes ends its subscription at once
            async for item in items:
                await self._send({"item": item})

    async def _refuse(
        self, text: str, code: int, reason: str = "", fields: tuple[tuple[str, str], ...] = ()
    ) -> None:
        said: dict[str, Any] = {"error": " ".join(text.split()), "code": code}
        said |= {"reason": reason} if reason else {}
        await self._send(said | ({"fields": fields[:FIELDS_MAX]} if fields else {}))

    async def _send(self, value: dict[str, Any]) -> None:
        """Until the kernel has it; a client that does not read is dropped."""
        if self._transport.is_closing():
            raise ConnectionResetError
        self._transport.write(protocol.frame(value, protocol.REPLY_MAX))
        if self._taken is None:
            return
        try:
            async with asyncio.timeout(SEND_TIME):
                await self._taken
        except TimeoutError:
            self._transport.abort()
            raise ConnectionResetError from None


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`, mode 0600, in place of a dead one. Raises Refusal when one answers.

    It is made under another name and moved into place when it listens, so that nobody ever finds a socket
    that anyone may open or that nobody serves. The folder is taken by its handle, because a socket's
    address holds 108 octets only and a root may be deep.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # run/ is empty after a boot
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    here = Path(f"/proc/self/fd/{folder}")
    fresh = path.with_name(path.name + ".new")
    try:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            probe.connect(str(here / path.name))
            raise Refusal(f"{path}: a daemon answers there already; expected none on this root")
        with suppress(FileNotFoundError):
            fresh.unlink()
        sock.bind(str(here / fresh.name))
        fresh.chmod(0o600)
        sock.listen(CLIENTS)
        fresh.replace(path)
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(folder)
    return sock
