# SPDX-License-Identifier: Apache-2.0
"""process: `qx web`: the site, its listeners, and the end: with the daemon, whose pipe is standard input."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from ..board import read_board
from ..identity import read_identity
from ..paths import Paths
from . import uploads
from .asking import Unit
from .doors import Doors
from .locale import load
from .pages import register
from .site import Site

NICE = 5  # pages wait for the telephone


def run(paths: Paths) -> int:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    os.nice(NICE)
    identity, board = read_identity(paths), read_board(paths)
    uploads.sweep(paths.uploads)
    site = Site(Unit(paths), identity)
    site.loaded = load
    register(site)
    asyncio.run(_serve(Doors(site, board)))
    return 0


async def _serve(doors: Doors) -> None:
    loop = asyncio.get_running_loop()
    ending: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not ending.done():
            ending.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    _with_daemon(loop, end)
    work = loop.create_task(doors.keep())
    await asyncio.wait((ending, work), return_when=asyncio.FIRST_COMPLETED)
    if work.done():
        work.result()
    os._exit(0)  # threads that wait for the daemon have nobody left to tell


def _with_daemon(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    """Nothing comes on standard input: when it ends, the daemon has."""

    def readable() -> None:
        with suppress(BlockingIOError):
            if not os.read(0, 64):
                loop.remove_reader(0)
                end()

    with suppress(OSError):  # a terminal's, a file or /dev/null: started by hand
        if not os.isatty(0):
            loop.add_reader(0, readable)
