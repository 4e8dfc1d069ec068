# SPDX-License-Identifier: Apache-2.0
"""daemon: the control plane's process: opens what the unit has, runs the controller and serves operations.

Exit codes as the guardian reads them: 0 an orderly end, 1 refused to run (it has said why), 3 start me
again as after power-on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import boot, reset, watchdog
from .board import Board, read_board
from .children import Child
from .control.server import Server
from .errors import Refusal
from .events.log import EventLog
from .front import Front
from .identity import read_identity
from .model import Model
from .paths import Paths
from .redundancy.controller import Controller
from .redundancy.resolver import forget_resolver
from .settings.database import StoreDamaged
from .settings.rescue import anew
from .settings.store import Store
from .trust.keyring import Keyring
from .upgrade.start import begin, ended
from .upgrade.upgrade import Upgrade

SWITCH = 0.0005  # seconds that one thread's Python keeps the loop from its turn (Python's own: 0.005)
AGAIN = 3  # the exit code of a restart as after power-on
WORKERS = 3  # threads for asyncio.to_thread: not as many as the machine's processors would have
KEYRING_WAIT = 5.0  # seconds for a command that installs a key at this moment


def check_ports(paths: Paths, board: Board) -> None:
    """A board whose ports are not there is wired or provisioned wrongly; nothing is changed then."""
    there = [name for _, name in socket.if_nameindex()]
    for port, name in (("lan", board.lan), ("wan", board.wan)):
        if name and name not in there:
            raise Refusal(
                f"{paths.board_toml}: {port}: there is no interface {name} on this machine; "
                f"expected one of {', '.join(there)}"
            )


def open_settings(paths: Paths, model: Model) -> Store:
    """The unit's settings, restored from a snapshot where they are damaged or gone. Without one they are
    lost: the unit runs to say so, and serves nothing (R1)."""
    try:
        return Store(paths.settings_db, model, recover=True)
    except StoreDamaged as error:
        anew(paths.settings_db, str(error))
        return Store(paths.settings_db, model)


async def _serve(paths: Paths) -> int:
    was_reset = reset.carry_out(paths)
    identity, board = read_identity(paths), read_board(paths)
    check_ports(paths, board)
    slots = begin(paths, board)
    store = open_settings(paths, identity.model)
    events = EventLog(paths, identity.serial)
    if was_reset:
        events.add(*reset.EVENT)
    for notice in store.notices:
        events.add(notice.severity, notice.name, notice.description, "Settings")
    store.notices_told()
    boot.tell_trouble(paths, events)
    keyring = Keyring(paths, identity, board, write=KEYRING_WAIT)
    controller = Controller(paths, identity, board, store, events, keyring)
    if not controller.engine.kept:
        forget_resolver(paths)
    server = Server(controller, paths)
    pages = Child("web", ["web", "--root", str(paths.root)])
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(WORKERS, "work"))
    # Children are waited for by their descriptor; the usual watcher has a thread for each of them.
    watcher = asyncio.PidfdChildWatcher()
    watcher.attach_loop(loop)
    asyncio.set_child_watcher(watcher)

    def end() -> None:
        if not controller.ending.done():
            controller.ending.set_result(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    try:
        await server.start()
        await controller.start()
        controller.upgrade = upgrade = Upgrade(controller, slots)
        controller.tells["upgrade"] = upgrade.plain
        controller.spawn(upgrade.run())
        front = Front(controller)
        controller.tells["leds"] = front.plain
        controller.spawn(front.run())
        if board.http_port:
            pages.start()
            controller.tells["pages"] = pages.plain
        if board.watchdog:
            controller.spawn(watchdog.feed(board.watchdog, board.watchdog_seconds))
        return await controller.ending
    finally:
        await server.stop()
        await asyncio.gather(controller.stop(), pages.stop())
        events.close()
        keyring.close()
        store.close()
        if controller.ending.done() and controller.ending.result() == AGAIN:
            ended(paths, board)


def run(root: Path) -> int:
    logging.basicConfig(
        level=logging.DEBUG if os.environ.get("QX_DEBUG") else logging.INFO,
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    sys.setswitchinterval(SWITCH)
    paths = Paths(root)
    code = asyncio.run(_serve(paths))
    return boot.restart(read_board(paths)) if code == boot.RESTART else code
