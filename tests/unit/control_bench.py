# SPDX-License-Identifier: Apache-2.0
"""control_bench: a unit without an engine behind the real control socket, real store and real event log.

For tests of the faces and of the socket: status is a made-up dict, swap and mode answer or refuse at once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from qx.board import Board, read_board
from qx.control import client
from qx.control.server import Server
from qx.errors import Refusal
from qx.events.log import EventLog
from qx.identity import read_identity
from qx.paths import Paths
from qx.provision import provision
from qx.redundancy.rebooting import AskFirst
from qx.settings.store import Store

T = TypeVar("T")

STATUS: dict[str, Any] = {
    "model": "qx200", "serial": "QX200-000001", "firmware": "1.0.0", "role": "master", "mode": None,
    "since": None, "group_id": 18, "virtual_ip": "10.77.0.1/24", "service_addresses": ["10.77.0.100/24"],
    "vrrp": {"state": "master", "counters": {"sent": 7, "ttl": 0}},
    "peer": {"state": "backup", "mode": "active", "serial": "QX200-000002", "firmware": "1.0.0"},
    "sync": {"history": None, "revision": 3, "peer_revision": 3, "age_s": 0.5},
    "applications": [], "licence": None, "mismatches": [], "why": None,
}  # fmt: skip


def new_root(folder: Path, model: str = "qx200") -> Path:
    provision(folder, model=model, serial="QX200-000001", lan="lan0")
    return folder


class BenchUnit:
    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.events = EventLog(self.paths, "QX200-000001", gather=0.01)
        self.store = Store(self.paths.settings_db, read_identity(self.paths).model)
        self.worker = ThreadPoolExecutor(1)
        self.applied: list[set[str]] = []
        self.refuse_to_apply = ""
        self.refuse_to_write = ""
        self.asked: list[dict[str, Any]] = []
        self.mode = "active"
        self.ask_first = False
        self.spoken: list[str] = []
        self.rebooted: list[tuple[str, str]] = []

    def status(self) -> dict[str, Any]:
        return {**STATUS, "mode": None}

    async def run_in_store(self, work: Callable[[Store], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.worker, work, self.store)

    async def write(
        self,
        changes: Mapping[str, Any],
        commit: Callable[[Store, bool], dict[str, Any]],
        forced: bool = False,
    ) -> dict[str, Any]:
        if changes:
            self.asked.append(dict(changes))
        if changes and self.refuse_to_write and not forced:
            raise Refusal(self.refuse_to_write)
        answer = await self.run_in_store(lambda store: commit(store, forced))
        if answer["changed"]:
            if self.refuse_to_apply:
                raise Refusal(self.refuse_to_apply)
            self.applied.append(set(answer["changed"]))
        return answer

    def licence(self) -> dict[str, Any]:
        return {"redundancy": False, "why": "no redundancy key is installed"}

    async def install_licence(self, text: str, _how: str = "") -> dict[str, Any]:
        raise Refusal(f"feature key: {len(text)} characters; expected one of the vendor's")

    @property
    def board(self) -> Board:
        return read_board(self.paths)

    async def run_in_keyring(self, work: Callable[[Any], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.worker, work, None)

    def speaks(self, language: str) -> None:
        self.spoken.append(language)

    async def reboot(self, how: str, word: str) -> str:
        if self.ask_first and not how:
            raise AskFirst(f"{word}: the Backup device would take over")
        self.rebooted.append((how, word))
        return "This device restarts."

    async def swap(self) -> str:
        raise Refusal("swap: no Backup answers; expected one that is up")

    async def set_mode(self, mode: str) -> None:
        self.mode = mode

    def close(self) -> None:
        self.worker.shutdown()
        self.events.close()
        self.store.close()


class Bench:
    """A BenchUnit served from a thread with a loop of its own, as a context."""

    def __init__(self, root: Path, **limits: Any) -> None:
        self.unit = BenchUnit(root)
        self.server = Server(self.unit, self.unit.paths, **limits)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)

    def __enter__(self) -> Bench:
        self._thread.start()
        self.run(self.server.start())
        return self

    def ask(self, operation: str, **arguments: Any) -> Any:
        """As a face asks, over the socket."""
        return client.call(self.unit.paths, operation, arguments, 30)

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def __exit__(self, *_: object) -> None:
        self.run(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
        self.unit.close()
