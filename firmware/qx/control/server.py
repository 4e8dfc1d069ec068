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
from collections.abc import AsyncGenerator
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

log = logging.getLogger("qx.control")


class Server:
    """Serves `unit` on the socket of `paths`. `start()`, then `stop()`; both on the loop."""

    def __init__(
        self, unit: Unit, paths: Paths, request_time: float = REQUEST_TIME, clients: int = CLIENTS
    ) -> None:
        self._unit = unit
        self._path = paths.control_socket
        self._request_time = request_time
        self._most = clients
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Opens the socket, in place of a killed daemon's. Raises Refusal when a daemon answers there."""
        self._server = await asyncio.start_unix_server(self._accept, sock=listen(self._path))

    async def stop(self) -> None:
        """Closes the socket and drops every client."""
        if self._server is None:
            return
        self._server.close()
        with suppress(FileNotFoundError):
            self._path.unlink()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # so that drain() waits until the kernel has it
        task = asyncio.get_running_loop().create_task(
            self._serve(reader, writer, len(self._tasks) >= self._most)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, full: bool) -> None:
        try:
            if full:
                raise Refusal(f"more than {self._most} clients at once; try again")
            async with asyncio.timeout(self._request_time):
                operation, arguments = await _request(reader)
            result = await run(self._unit, operation, arguments)
            if isinstance(result, AsyncGenerator):
                await self._stream(result, reader, writer)
                result = None
            await _send(writer, {"result": result})
        except Refusal as error:
            await _send_error(writer, str(error), error.exit_code, error.reason)
        except TimeoutError:
            await _send_error(writer, f"no whole request within {self._request_time:g} s", 1)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away: nobody is left to tell
        except Exception:
            log.exception("an operation failed")
            await _send_error(writer, "internal error; the daemon's log has it", 1)
        finally:
            await _close(writer)

    async def _stream(
        self, items: AsyncGenerator[Any, None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Sends items until they end or the client says anything, which can only be its end."""
        gone = asyncio.ensure_future(reader.read(1))
        sending = asyncio.ensure_future(_send_all(items, writer))
        try:
            await asyncio.wait((gone, sending), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            else:
                raise ConnectionResetError
        finally:
            gone.cancel()
            sending.cancel()
            await asyncio.gather(gone, sending, return_exceptions=True)


async def _send_all(items: AsyncGenerator[Any, None], writer: asyncio.StreamWriter) -> None:
    async with aclosing(items):  # so that a follower that goes ends its subscription at once
        async for item in items:
            await _send(writer, {"item": item})


async def _close(writer: asyncio.StreamWriter) -> None:
    """Lets the client have what was sent; one that does not read must not keep a buffer alive."""
    writer.close()
    try:
        async with asyncio.timeout(1):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except ConnectionError:
        pass


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, Any]]:
    length = protocol.body_length(await reader.readexactly(protocol.HEADER), protocol.REQUEST_MAX)
    return protocol.request(await reader.readexactly(length))


async def _send(writer: asyncio.StreamWriter, value: dict[str, Any]) -> None:
    writer.write(protocol.frame(value, protocol.REPLY_MAX))
    try:
        async with asyncio.timeout(SEND_TIME):
            await writer.drain()
    except TimeoutError:
        writer.transport.abort()
        raise ConnectionResetError from None


async def _send_error(writer: asyncio.StreamWriter, text: str, code: int, reason: str = "") -> None:
    said = {"error": " ".join(text.split()), "code": code}
    with suppress(ConnectionError):
        await _send(writer, {**said, "reason": reason} if reason else said)


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
