# SPDX-License-Identifier: Apache-2.0
"""applications: the scripts of etc/qx/master.d, run where the role says so, and watched (R20).

`S??name start|stop|status|reload`, in order of the number and in parallel within one; stopped in reverse.
`start` returns when the application is up, `status` exits 0 while it is, 3 when it is not. One that fails is
started again, at once and then with back-off; one that will not stay up is reported as failing, and what
follows from that is the controller's to decide. Knows no role and no engine; runs on the daemon's loop and
never blocks it.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import re
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from ..identity import Identity
from ..paths import Paths

log = logging.getLogger("qx.applications")

START_TIME = 60.0  # seconds for `start`
STOP_TIME = 20.0
STATUS_TIME = 5.0
WATCH = 0.5  # seconds between two looks
BACKOFF = (0.0, 0.5, 2.0, 5.0)  # before the restart of that number; then the application counts as failing
SETTLED = 60.0  # seconds up after which earlier failures are forgotten

SCRIPT = re.compile(r"S([0-9]{2})(.+)")


@dataclass(slots=True)
class Application:
    name: str
    number: int
    script: Path
    state: str = "stopped"  # stopped starting running failed
    restarts: int = 0
    failures: int = 0  # in a row
    since: float = 0.0  # loop time of the state
    again: float = 0.0  # loop time of the next restart
    trouble: str = ""

    def plain(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": self.state,
            "restarts": self.restarts,
            "trouble": self.trouble or None,
        }


@dataclass(slots=True)
class Applications:
    """All of them. `prepare` is awaited before any of them starts; `failing(application)` is called once when
    one will not stay up."""

    paths: Paths
    environment: dict[str, str]
    failing: Callable[[Application], None]
    prepare: Callable[[], Awaitable[None]] | None = None
    _known: list[Application] = field(default_factory=list)
    _wanted: bool = False
    _task: asyncio.Task[None] | None = None
    _lock: int = -1
    _reloads: dict[str, bool] = field(default_factory=dict[str, bool])
    _wish: asyncio.Event = field(default_factory=asyncio.Event)

    # --- for the controller -------------------------------------------------------------------------
    def want(self, running: bool) -> None:
        """They are to run, or not. Returns at once; the work is done on the loop, one wish at a time."""
        if running == self._wanted and self._task is not None:
            return
        self._wanted = running
        self._wish.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._follow())

    def reload(self, name: str, restart: bool) -> None:
        """What that one reads has changed: it reads it again, or is stopped and started where that is not
        enough. Returns at once."""
        if self._wanted:
            self._reloads[name] = restart or self._reloads.get(name, False)
            self._wish.set()

    async def close(self) -> None:
        """Stops them all and waits for it."""
        self.want(False)
        if self._task:
            await asyncio.wait([self._task])

    def plain(self) -> list[dict[str, Any]]:
        return [application.plain() for application in self._known]

    def runs(self, name: str) -> bool:
        """Whether there is that one, and it has said that it is up."""
        return any(one.name == name and one.state == "running" for one in self._known)

    @property
    def ready(self) -> bool:
        return self._wanted and all(a.state == "running" for a in self._known)

    # --- the one task -------------------------------------------------------------------------------
    async def _follow(self) -> None:
        running = False
        while self._wanted or running:
            try:
                if self._wanted and not running:
                    running = True
                    await self._start_all()
                elif not self._wanted:
                    await self._stop_all()
                    running = False
                else:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(WATCH):
                            await self._wish.wait()
                    self._wish.clear()
                    await self._reload()
                    await self._watch()
            except OSError as error:  # the folder or a script went away under us
                log.error("applications: %s", error)
                await asyncio.sleep(1)

    async def _start_all(self) -> None:
        await self._take_lock()
        if self.prepare:
            await self.prepare()
        self._reloads.clear()  # what starts now reads all of it
        self._known = _scan(self.paths.master_d)
        for _, together in groupby(self._known, key=lambda a: a.number):
            if not self._wanted:
                return
            await asyncio.gather(*(self._start(a) for a in together))

    async def _stop_all(self) -> None:
        for _, together in groupby(reversed(self._known), key=lambda a: a.number):
            await asyncio.gather(*(self._stop(a) for a in together))
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    async def _take_lock(self) -> None:
        """The guardian stops the applications of a daemon that died; nothing starts before it is done."""
        if self._lock < 0:
            self._lock = os.open(self.paths.text("run/qx/applications.lock"),
                                 os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)  # fmt: skip
        while self._wanted:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                await asyncio.sleep(0.02)

    # --- one of them --------------------------------------------------------------------------------
    async def _start(self, application: Application) -> None:
        if await self._run(application, "status", STATUS_TIME) == 0:
            self._set(application, "running")  # it outlived a restart of the daemon
            return
        self._set(application, "starting")
        code = await self._run(application, "start", START_TIME)
        if code == 0:
            application.trouble = ""
            self._set(application, "running")
        else:
            application.trouble = "start did not end in time" if code is None else f"start ended with {code}"
            self._failed(application)

    async def _stop(self, application: Application) -> None:
        if await self._run(application, "stop", STOP_TIME) != 0:
            log.error("application %s: stop failed", application.name)
        self._set(application, "stopped")

    async def _reload(self) -> None:
        wishes, self._reloads = self._reloads, {}
        for application in self._known:
            if application.state != "running" or application.name not in wishes:
                continue  # one that is to be started reads all of it anyway
            if not wishes[application.name] and await self._run(application, "reload", START_TIME) == 0:
                continue
            await self._stop(application)
            await self._restart(application)

    async def _restart(self, application: Application) -> None:
        if self.prepare:
            await self.prepare()
        self._reloads.pop(application.name, None)
        await self._start(application)

    async def _watch(self) -> None:
        now = asyncio.get_running_loop().time()
        running = [a for a in self._known if a.state == "running"]
        codes = await asyncio.gather(*(self._run(a, "status", STATUS_TIME) for a in running))
        for application, code in zip(running, codes, strict=True):
            if code != 0 and self._wanted:
                application.trouble = "status hangs" if code is None else f"not running (status {code})"
                log.warning("application %s: %s", application.name, application.trouble)
                self._failed(application)
            elif now - application.since > SETTLED:
                application.failures = 0
        now = asyncio.get_running_loop().time()
        for application in [a for a in self._known if a.state == "failed" and now >= a.again]:
            if self._wanted:
                application.restarts += 1
                await self._restart(application)

    def _failed(self, application: Application) -> None:
        self._set(application, "failed")
        wait = BACKOFF[min(application.failures, len(BACKOFF) - 1)]
        application.failures += 1
        application.again = application.since + wait
        if application.failures == len(BACKOFF):
            self.failing(application)

    def _set(self, application: Application, state: str) -> None:
        if state != application.state:
            log.info("application %s: %s", application.name, state)
            application.state = state
        application.since = asyncio.get_running_loop().time()

    async def _run(self, application: Application, word: str, patience: float) -> int | None:
        """The script's exit code; None when it did not end in time (it and its children are ended then)."""
        try:
            process = await asyncio.create_subprocess_exec(
                application.script, word, env=self.environment, stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            application.trouble = f"{application.script}: {error.strerror}"
            return 126
        try:
            async with asyncio.timeout(patience):
                return await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            return None


def _scan(folder: Path) -> list[Application]:
    """The scripts in their order. A folder that is not there has none."""
    found = []
    for path in sorted(folder.glob("S??*")):
        match = SCRIPT.fullmatch(path.name)
        if match and os.access(path, os.X_OK):
            found.append(Application(match[2], int(match[1]), path))
    return found


def environment(paths: Paths, identity: Identity) -> dict[str, str]:
    """What a script finds: the root, the unit, and a plain PATH where the daemon has none."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        **kept,
        "QX_ROOT": str(paths.root),
        "QX_SERIAL": identity.serial,
        "QX_MODEL": identity.model.name,
    }
