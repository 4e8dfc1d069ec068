# SPDX-License-Identifier: Apache-2.0
"""controller: the daemon's unit. Joins engine, settings, applications and events; decides little itself.

The engine acts in microseconds and tells afterwards; the role machine says what that means; this carries it
out: applications started and stopped, mode and term kept, events raised, the lease renewed. It runs on the
one asyncio loop, which never waits for a disk: the store and the slow half of the engine have a thread each.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from .. import __version__ as FIRMWARE
from ..board import Board
from ..errors import Refusal
from ..events.log import EventLog
from ..identity import Identity
from ..paths import Paths
from ..pbx.applications import Application, Applications
from ..settings.schema import Scope
from ..settings.store import Store
from ..settings.values import Plain
from ..trust.keyring import Keyring
from . import tell
from .engine import Cause, Engine, EngineEvent, EngineView, Kind, State
from .join import Join, join
from .mismatch import SEEN, mismatches
from .permit import Seat, refusal
from .plan import Plan, make_plan
from .resolver import write_resolver
from .role import Conflict, Known, Role, Standing, fit, standing
from .status import status

T = TypeVar("T")
log = logging.getLogger("qx.redundancy")

LEASE = 10.0  # seconds that the engine goes on without us
RENEW = 1.0
SWAP_PATIENCE = 3.0
REBOOT_AFTER = 0.2  # so that the answer is out before


class Controller:
    """One unit. `start()` on the loop, then events drive it; `stop()` lets go in order."""

    def __init__(
        self, paths: Paths, identity: Identity, board: Board, store: Store, events: EventLog,
        keyring: Keyring,
    ) -> None:  # fmt: skip
        self.paths, self.identity, self.board = paths, identity, board
        self.store, self.events, self.keyring = store, events, keyring
        self.engine = Engine(paths)
        self.ending: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.applications = Applications(paths, environment(paths, identity), self._application_failing)
        self._store_thread = ThreadPoolExecutor(1, "store")
        self._engine_thread = ThreadPoolExecutor(1, "engine-setup")
        self._keyring_thread = ThreadPoolExecutor(1, "keyring")
        self._known = Known(None)
        self._standing = Standing(Role.STARTING)
        self._since = time.time()
        self._conflicts: dict[int, Conflict] = {}
        self._master = False  # as the engine's events told so far
        self._peer_up: str | None = None  # the mode in which the Backup was told to be up
        self._stopping = False
        self._background: set[asyncio.Task[Any]] = set()

    # --- life ---------------------------------------------------------------------------------------
    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        view = self.engine.view()
        if not view.realtime:
            log.warning(
                "real-time scheduling is not permitted; short advertisement intervals may fail under load"
            )
        if not view.locked:
            log.warning("locking memory is not permitted; a swapping machine may delay a takeover")
        loop.add_reader(self.engine.descriptor, self._on_engine)
        self._renew()
        await self._attach(resume=self.engine.kept)

    async def stop(self) -> None:
        """Lets go first, so that the other unit serves while our applications still end."""
        loop = asyncio.get_running_loop()
        self._stopping = True
        await loop.run_in_executor(self._engine_thread, self.engine.detach)
        await self.applications.close()
        loop.remove_reader(self.engine.descriptor)
        self.engine.stop()
        for task in self._background:
            task.cancel()
        for thread in (self._engine_thread, self._keyring_thread, self._store_thread):
            thread.shutdown()

    def _renew(self) -> None:
        """The proof that the loop turns. It asks nothing and waits for nothing."""
        self.engine.lease(LEASE, fit(self._known))
        asyncio.get_running_loop().call_later(RENEW, self._renew)
        self._look()

    async def _attach(self, resume: bool) -> None:
        joined, plan = self._plan()
        self._conflicts.clear()
        trouble = ""
        try:
            term = self.store.unit_state_get("term", 0)
            await asyncio.get_running_loop().run_in_executor(
                self._engine_thread, self.engine.attach, plan, resume, term
            )
        except Refusal as error:
            trouble = str(error)
            self.events.add("critical", "Network interface cannot be used", trouble, "Network")
        self._known = Known(plan, trouble, joined)
        self._look()

    def _plan(self) -> tuple[Join, Plan]:
        """What settings and keys make of this unit."""
        pin = self.keyring.pin
        met = self.keyring.peer if pin.certificate else None
        joined = join(self.store.settings, self.keyring.permission(), met)
        return joined, make_plan(self.store.settings, self.identity, self.board, FIRMWARE, joined)

    # --- what the engine tells ----------------------------------------------------------------------
    def _on_engine(self) -> None:
        for event in self.engine.events():
            self._hear(event)
        self._look()

    def _hear(self, event: EngineEvent) -> None:
        words = tell.report(event, self._master)
        if words:
            self.events.add(words.severity, words.name, words.description)
            log.info("%s: %s", words.name, words.description)
        if event.kind == Kind.STATE:
            self._master = event.a == State.MASTER
            if self._master:
                self._conflicts = {which: c for which, c in self._conflicts.items() if which == 0}
                self._spawn(self._became_master(resumed=event.b == Cause.RESUMED))
        elif event.kind == Kind.CONFLICT:
            self._conflicts[event.b] = Conflict(event.b, str(event.address), event.mac)
        elif event.kind == Kind.CLAIM:
            self._conflicts.pop(event.b, None)

    def _look(self) -> None:
        """Takes the engine's view and lets follow what has to."""
        view = self.engine.view()
        plan = self._known.plan
        if self._stopping:
            return
        if plan:
            self._known = replace(
                self._known,
                conflicts=tuple(self._conflicts.values()),
                mismatches=tuple(mismatches(plan, view)),
            )
        before, self._standing = self._standing, standing(self._known, view)
        if (before.role, before.mode) != (self._standing.role, self._standing.mode):
            self._since = time.time()
            log.info("role %s", self._standing)
            self._enter(before)
        if self._standing.why and self._standing.why != before.why:
            self._warn(self._standing)
        self._watch_peer(view)

    def _enter(self, before: Standing) -> None:
        serving = self._standing.applications
        if serving or before.applications:
            self.applications.want(serving)
            servers = self.store.settings.words("network.dns") if serving else ()
            self._spawn(self._in_thread(lambda: write_resolver(self.paths, servers)))

    def _warn(self, now: Standing) -> None:
        if now.role == Role.FAULT:
            self.events.add("critical", "This device is in fault", now.why)
        elif now.role == Role.BACKUP:
            self.events.add("warning", "Pair mismatch", now.why)
        elif now.role == Role.STANDALONE:
            self.events.add("warning", "Redundancy is not in force", now.why)

    def _watch_peer(self, view: EngineView) -> None:
        """The guide's three events, raised by the Master (R32)."""
        hello = view.hello
        mode = None
        if hello and hello.age < SEEN and hello.state != State.MASTER:
            if hello.passive:
                mode = "Passive"
            elif hello.state == State.BACKUP:
                mode = "Active"
        if self._standing.role != Role.MASTER:
            self._peer_up = None
        elif mode and mode != self._peer_up:
            self._peer_up = mode
            serial = hello.serial if hello else ""
            self.events.add("success", f"Backup device is UP ({mode} mode)", f"unit {serial}")
        elif self._peer_up and not (hello and hello.age < SEEN):
            self._peer_up = None
            self.events.add("critical", "Backup device is DOWN", "nothing was heard of it for 3 s")

    async def _became_master(self, resumed: bool) -> None:
        """Keeps what has to survive: a new term, unless a daemon that was killed goes on in its own, and that
        this unit is no passive Backup any more (R7). The next commit opens a new history."""
        hello = self.engine.view().hello
        term = self.store.unit_state_get("term", 0)
        if not resumed or not term:
            term = max(term, hello.term if hello else 0) + 1
        self.engine.term(term)
        await self.run_in_store(lambda store: store.open_history(term, {"term": term, "role": "master"}))
        if self.store.settings.text("redundancy.backup_mode") == "passive":
            await self._keep_mode("active")

    def _application_failing(self, application: Application) -> None:
        self.events.add(
            "critical", "Application failure", f"{application.name}: {application.trouble}", "PBX"
        )
        view = self.engine.view()
        if self._standing.role == Role.MASTER and view.peer_active:
            self.engine.release()

    # --- what operations ask (control.unit.Unit) ----------------------------------------------------
    def status(self) -> dict[str, Any]:
        return status(self._known, self._standing, self.engine.view(), self.identity, self._since,
                      self.store, self.applications.plain(), self.licence())  # fmt: skip

    async def run_in_store(self, work: Callable[[Store], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._store_thread, work, self.store)

    async def write(
        self, changes: Mapping[str, Plain], commit: Callable[[Store], dict[str, Any]], forced: bool = False
    ) -> dict[str, Any]:
        self._may_write(changes, forced)
        answer = await self.run_in_store(commit)
        if answer["changed"]:
            await self._apply(set(answer["changed"]))
        return answer

    def _may_write(self, changes: Mapping[str, Plain], forced: bool) -> None:
        scopes: list[tuple[str, Scope]] = [
            (path, found.scope) for path in changes if (found := self.store.schema.find(path))
        ]
        paired = self.keyring.pin.certificate is not None
        why = refusal(scopes, Seat(self._standing.role, self._known.joined.member, paired, False), forced)
        if why:
            raise Refusal(why)

    def licence(self) -> dict[str, Any]:
        return self.keyring.plain()

    async def install_licence(self, text: str) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        done = await loop.run_in_executor(self._keyring_thread, self.keyring.install, text)
        if not done.changed:
            return {**done.plain(), "reboot": False}
        self.events.add("info", "Feature key installed", ", ".join(sorted(done.licence.features)), "Licence")
        # A unit that serves alone takes the key into use as it works (guide, section 5): nobody would serve
        # in its place. Any other comes back as it was (R37).
        reboot = not self._standing.applications
        if reboot:
            loop.call_later(REBOOT_AFTER, self.reboot)
        else:
            await self._apply(set())
        return {**done.plain(), "reboot": reboot}

    async def _apply(self, changed: set[str]) -> None:
        """Takes settings and keys into use. Raises Refusal where the interfaces do not take them."""
        old = self._known.plan
        joined, new = self._plan()
        if "network.dns" in changed and self._standing.applications:
            servers = self.store.settings.words("network.dns")
            await self._in_thread(lambda: write_resolver(self.paths, servers))
        self._known = replace(self._known, joined=joined)
        if old == new and not self._known.trouble:
            self._look()
            return
        if old and old.differs_live(new) and not self._known.trouble:
            self.engine.adjust(new)
            self._known = replace(self._known, plan=new)
        else:
            master = self._standing.role == Role.MASTER
            await self._attach(resume=bool(master and old and old.same_seat(new)))
            if self._known.trouble:
                raise Refusal(f"stored, but not in use: {self._known.trouble}")
        self._look()

    async def set_mode(self, mode: str) -> None:
        if self._standing.role != Role.BACKUP:
            raise Refusal(f"mode: this device is {self._standing.role}; only a Backup is active or passive")
        await self._keep_mode(mode)

    async def _keep_mode(self, mode: str) -> None:
        await self.run_in_store(
            lambda store: store.commit({"redundancy.backup_mode": mode}, "system", "mode")
        )
        await self._apply({"redundancy.backup_mode"})

    async def swap(self) -> str:
        """Lets the active Backup take over and restarts this unit as Backup (R8, without synchronisation)."""
        if self._standing.role != Role.MASTER:
            raise Refusal(f"swap: this device is {self._standing.role}; only the Master can be swapped")
        view = self.engine.view()
        if not view.peer_active:
            passive = view.hello and view.hello.age < SEEN and view.hello.passive
            raise Refusal("swap: the Backup device is passive; switch its mode to active first" if passive
                          else "swap: no active Backup device is known; expected one that is up")  # fmt: skip
        asked = self.engine.now()
        self.engine.release()
        until = asyncio.get_running_loop().time() + SWAP_PATIENCE
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
            view = self.engine.view()
            if view.state == State.BACKUP and view.master_heard > asked and view.master_priority > 0:
                asyncio.get_running_loop().call_later(REBOOT_AFTER, self.reboot)
                return "The Backup device is Master now; this device restarts as Backup."
        raise Refusal("swap: the Backup device did not take over within 3 s; this device stays in charge")

    def reboot(self) -> None:
        """A cold start. In the lab the guardian does it; the machine is never touched there."""
        if not self.ending.done():
            self.ending.set_result(3)

    # --- within -------------------------------------------------------------------------------------
    async def _in_thread(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._store_thread, work)
        except OSError as error:
            log.error("%s", error)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and task.exception():
            log.error("a task of the controller failed", exc_info=task.exception())


def environment(paths: Paths, identity: Identity) -> dict[str, str]:
    """What a script of master.d finds: the root, the unit, and a plain PATH."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        **kept,
        "QX_ROOT": str(paths.root),
        "QX_SERIAL": identity.serial,
        "QX_MODEL": identity.model.name,
    }
