# SPDX-License-Identifier: Apache-2.0
"""looking: when the tree is looked at: at hints, at closed files, at full comparisons that are due, and again
at what was too young. One task as long as the part is open; what it finds is scan.py's.

On the loop, which never waits for a disk: all that touches the tree goes through `off` of the stock.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from typing import Protocol

from ...errors import Refusal
from ..means import Tell
from .scan import Publish, Scanner
from .stock import Stock
from .tree import Lost, Stopped
from .watch import Hints, Watch

GATHER = 0.01  # seconds without a hint after which the ones that came are looked at
GATHER_MOST = 0.05
HINTS_MAX = 100_000  # names; beyond them all is looked through
TRASH_DAYS = 7
TRASH_MOST = 1 << 30  # octets: beyond them goes first what was put there first
PURGE_EACH = 3600.0  # seconds: to look through a full trash costs as much as to look through the tree


class Host(Protocol):
    @property
    def leading(self) -> bool | None: ...

    def looked(self, before: bytes, *, full: bool) -> None:
        """The manifest is as the tree was; `before`: its root before."""
        ...

    def failed(self, error: OSError | Refusal) -> None:
        """Nothing can be read, or written."""
        ...


class Looking:
    def __init__(self, host: Host, stock: Stock, publish: Publish, told: Tell) -> None:
        self._host, self._stock = host, stock
        self.scanner = Scanner(stock.tree, stock.off, stock.in_manifest, publish, told)
        self.due = self.done = 0  # full looks: the number of the last one wanted, and made
        self._eager = 0  # the number of the last one that somebody waits for
        self._hints = Hints()
        self._wake = asyncio.Event()
        self._at_once = False  # a writer said that it finished: no gathering
        self._purged = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def trouble(self) -> str:
        """Why changes may be seen late, or files not read."""
        watch = self.scanner.watch
        return (watch.trouble if watch else "") or self.scanner.trouble

    # --- beginning and end ----------------------------------------------------------------------------
    def open(self) -> None:
        self._task = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        self._closing = True
        self._wake.set()
        if self._timer:
            self._timer.cancel()
        if self._task:
            await asyncio.wait((self._task,))
        self._unwatch()

    def _unwatch(self) -> None:
        if self.scanner.watch:
            self.scanner.watch.close()
            self.scanner.watch = None

    # --- what is to be looked at --------------------------------------------------------------------------
    def everything(self, *, eager: bool = False) -> int:
        """A full look; returns its number, which `done` reaches. `eager`: young files are read as well."""
        self.due += 1
        if eager:
            self._eager = self.due
        self._wake.set()
        return self.due

    def closed(self, path: bytes) -> None:
        """A writer has finished this file."""
        self._hints.closed.add(path)
        self._at_once = True
        self._wake.set()

    def deleted(self, path: bytes) -> None:
        """The PBX deleted this file itself."""
        self.scanner.declare(path)
        self._hints.names.add(path)
        self._at_once = True
        self._wake.set()

    def again(self, path: bytes) -> None:
        self._hints.names.add(path)
        self._wake.set()

    def _hinted(self, hints: Hints) -> None:
        """From the watch."""
        self._hints.closed |= hints.closed
        self._hints.names |= hints.names
        self._hints.folders |= hints.folders
        if hints.everything or len(self._hints.closed) + len(self._hints.names) > HINTS_MAX:
            self._hints = Hints()
            self.due += 1
        self._wake.set()

    # --- looking ------------------------------------------------------------------------------------------
    async def _run(self) -> None:
        while not self._closing:
            await self._wake.wait()
            self._wake.clear()
            if self._host.leading is None or self._closing:
                continue
            due = self.due
            try:
                while (self._hints or self.due > self.done) and not self._closing:
                    due = self.due
                    await self._look()
            except Stopped:
                return
            except (OSError, Refusal) as error:
                self.done, self._hints = due, Hints()  # what was asked for meanwhile has woken us
                self._host.failed(error)
            self._plan_again()

    async def _look(self) -> None:
        due, before, stock = self.due, self._stock.rows.root, self._stock
        if stock.fatal:
            self.done = due
            return
        full = due > self.done
        if full:
            if stock.foreign or not await stock.off(self._intact):
                await stock.reopen(by_force=self._host.leading is False or self.scanner.allowed)
            self.scanner.trouble = ""  # what still is so is found again
            self._watching()
            self._hints, self._at_once = Hints(), False
            self.scanner.again.clear()
            self.scanner.eager = self._eager > self.done
            async with stock.busy:
                await self.scanner.everything()
            if (now := time.monotonic()) >= self._purged + PURGE_EACH:
                self._purged = now
                await stock.off(self._purge)
            self.done = due
        elif self._hints:
            await self._gathered()
            hints, self._hints, self._at_once = self._hints, Hints(), False
            async with stock.busy:
                await self.scanner.hinted(hints)
        self._host.looked(before, full=full)

    def _intact(self) -> bool:
        try:
            self._stock.tree.intact()
        except Lost:
            return False
        return True

    def _watching(self) -> None:
        if self.scanner.watch:
            self.scanner.watch.trouble = ""
        if self._host.leading and self.scanner.watch is None:
            try:
                self.scanner.watch = Watch(self._stock.tree, self._hinted)
            except OSError as error:
                self.scanner.trouble = f"changes wait for the interval: no watch: {error.strerror}"
        elif not self._host.leading:
            self._unwatch()

    async def _gathered(self) -> None:
        """Waits until a burst of hints is over, so that what moves together is told together."""
        until = time.monotonic() + GATHER_MOST
        while not self._at_once and time.monotonic() < until:
            self._wake.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), GATHER)
                continue
            return

    def _plan_again(self) -> None:
        """What was young is looked at when it has settled."""
        if (self.scanner.again or self.scanner.again_all) and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(
                self._stock.tree.settled / 1e9 * 1.05, self._settle
            )

    def _settle(self) -> None:
        self._timer = None
        if self.scanner.again_all:
            self.due += 1
        else:
            self._hints.names |= self.scanner.again
        self.scanner.again.clear()
        self._wake.set()

    def _purge(self) -> None:
        days = time.strftime("%Y%m%d", time.localtime(time.time() - TRASH_DAYS * 86400))
        self._stock.tree.purge(days, TRASH_MOST)
