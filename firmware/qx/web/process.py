# SPDX-License-Identifier: Apache-2.0
"""process: `qx web`: the listeners, the site, and the end: with the daemon, whose pipe is standard input."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress

from ..board import Board, read_board
from ..identity import read_identity
from ..paths import Paths
from .asking import Unit
from .connections import Connections, listening
from .locale import load
from .pages import register
from .site import Site

log = logging.getLogger("qx.web")

NICE = 5  # pages wait for the telephone
AGAIN = 2.0  # seconds before a port that is taken is tried again


def run(paths: Paths) -> int:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    os.nice(NICE)
    identity, board = read_identity(paths), read_board(paths)
    site = Site(Unit(paths), identity)
    site.loaded = load
    register(site)
    asyncio.run(_serve(site, board))
    return 0


async def _serve(site: Site, board: Board) -> None:
    loop = asyncio.get_running_loop()
    ending: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not ending.done():
            ending.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    await _with_daemon(end)
    connections = Connections(site.answer)
    work = [loop.create_task(_http(connections, board.http_port))]
    await ending
    for task in work:
        task.cancel()
    await connections.close()
    os._exit(0)  # threads that wait for the daemon have nobody left to tell


async def _with_daemon(end: object) -> None:
    """Nothing comes on standard input: when it ends, the daemon has."""
    if os.isatty(0):
        return
    assert callable(end)
    loop = asyncio.get_running_loop()

    def readable() -> None:
        with suppress(BlockingIOError):
            if not os.read(0, 64):
                loop.remove_reader(0)
                end()

    try:
        os.set_blocking(0, False)
        loop.add_reader(0, readable)
    except (OSError, ValueError):
        pass  # a file or /dev/null: started by hand


async def _http(connections: Connections, port: int) -> None:
    said = False
    while True:
        try:
            await connections.listen(listening("", port))
        except OSError as error:
            if not said:
                log.error("port %d: %s; tried again every %g s", port, error.strerror, AGAIN)
            said = True
            await asyncio.sleep(AGAIN)
