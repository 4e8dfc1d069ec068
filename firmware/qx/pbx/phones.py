# SPDX-License-Identifier: Apache-2.0
"""phones: the daemon's part of the phone run (R23, R24): starts it, keeps what it notes as live state, tells
it.

The run itself is a process of its own (phonerun). One that fails is started again; one whose unit is Master
no more is ended, and the other unit's goes on with the rows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .. import child
from ..errors import Refusal
from ..packing import pack, unpack

if TYPE_CHECKING:
    from ..events.log import EventLog
    from ..paths import Paths
    from ..sync.live import LiveState

log = logging.getLogger("qx.telephony")

PHONES = "phones"  # table of live state: by MAC, state, detail, name, time
TRIES = 3
AGAIN = 2.0  # seconds
DONE = ("reachable", "back", "rebooted", "refused", "unsupported", "silent", "unregistered", "left")
BY_HAND = ("refused", "unsupported", "silent", "unregistered", "left")


class Phones:
    def __init__(self, paths: Paths, live: LiveState, events: EventLog) -> None:
        self._paths, self._live, self._events = paths, live, events
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, policy: str = "") -> None:
        """Begins a run; empty `policy`: that of the settings. Refusal while one runs."""
        if self.running:
            raise Refusal("phones: a run is under way; expected none (see `qx phones`)")
        self._task = asyncio.get_running_loop().create_task(self._run(policy))

    def stop(self) -> None:
        if self._task:
            self._task.cancel()

    async def _run(self, policy: str) -> None:
        chosen = [policy] if policy else []
        argv = child.command("phones", "run", *chosen, "--root", str(self._paths.root))
        for _ in range(TRIES):
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *argv, stdin=asyncio.subprocess.DEVNULL, env=child.environment()
                )
                if await self._process.wait() == 0:
                    return
            except OSError as error:
                log.error("phones run: %s", error.strerror)
            except asyncio.CancelledError:
                if self._process and self._process.returncode is None:
                    self._process.terminate()
                raise
            await asyncio.sleep(AGAIN)
        self._events.add("warning", "Phones were not rebooted", "the run failed; the log says why", "PBX")

    # --- what it notes ------------------------------------------------------------------------------
    def note(self, phones: Mapping[str, Any], over: bool, manual: Iterable[str]) -> None:
        """Raises Refusal on a unit that is Master no more."""
        for mac, row in phones.items():
            self._live.put(PHONES, mac, pack(row))
        names = ", ".join(manual)
        if over and names:
            self._events.add("warning", "Phones need a manual reboot", names, "PBX")

    def status(self) -> dict[str, Any]:
        """R24: running, done, total, counts by state, phones by MAC, and names that need a hand."""
        phones: dict[str, dict[str, Any]] = {}
        counts: dict[str, int] = {}
        for mac, row in self._live.table(PHONES).items():
            state, detail, name, at = unpack(row)
            phones[mac] = {"name": name, "state": state, "detail": detail, "at": at}
            counts[state] = counts.get(state, 0) + 1
        return {
            "running": self.running,
            "done": sum(counts.get(state, 0) for state in DONE),
            "total": len(phones),
            "counts": counts,
            "manual": sorted(phone["name"] for phone in phones.values() if phone["state"] in BY_HAND),
            "phones": phones,
        }
