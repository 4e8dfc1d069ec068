# SPDX-License-Identifier: Apache-2.0
"""controller: the daemon's unit. Joins engine, settings, applications, events and the other unit.

The engine acts in microseconds and tells afterwards; the role machine says what that means; this carries it
out: applications started and stopped, mode and term kept, events raised, the lease renewed. It runs on the
one asyncio loop, which never waits for a disk: the store, the keyring and the slow half of the engine have a
thread each. What goes through the session to the other unit is the partner's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine, Mapping
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
from ..sync.conflicts import Conflicts
from ..trust.keyring import Keyring
from . import swap, switch, tell
from .engine import Cause, Engine, EngineEvent, EngineView, Kind, State
from .join import Join, join
from .mismatch import SEEN, mismatches
from .partner import Partner
from .permit import Seat, refusal
from .plan import Plan, make_plan
from .resolver import write_resolver
from .role import Conflict, Known, Role, Standing, fit, standing, unreadable
from .status import status

T = TypeVar("T")
log = logging.getLogger("qx.redundancy")

LEASE = 10.0  # seconds that the engine goes on without us
RENEW = 1.0
REBOOT_AFTER = 0.2  # so that the answer is out before
HOLD = 600.0  # seconds that a Backup stays passive at most while its Master starts again (R41)
ALONE = 30.0  # seconds that a former Backup that starts alone waits for its Master (R5)
NEITHER = 2.0  # seconds after which one of two passive Backups without a Master becomes active (R7)
PLANNED = ("redundancy.", "network.")  # settings of which `plan` and `join` make something
DURABLE = 0.2  # seconds for which a commit waits until the Backup has it on flash


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
        self.taking = swap.Taking(self)
        self.switching = switch.Following(self)
        self.partner = Partner(self)
        self._held: asyncio.TimerHandle | None = None
        self._known = Known(None, joined=self._plan()[0])  # before anybody can ask for a write
        self._standing = Standing(Role.STARTING)
        self._since = time.time()
        self._conflicts: dict[int, Conflict] = {}
        self._master = False  # as the engine's events told so far
        self._peer_up: str | None = None  # the mode in which the Backup was told to be up
        self._alone: asyncio.TimerHandle | None = None
        self._neither_since: float | None = None
        self.copied: str | None = store.unit_state_get("copied")  # whose whole state this unit has had
        self._noting: asyncio.Task[None] | None = None
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
        if self.store.unit_state_get("role") == "backup" and not self.engine.kept:
            self._alone = loop.call_later(ALONE, self._goes_alone)
        await self.partner.open()
        self._renew()
        await self._attach(resume=self.engine.kept)

    async def stop(self) -> None:
        """Lets go first, so that the other unit serves while our applications still end."""
        loop = asyncio.get_running_loop()
        self._stopping = True
        closing = loop.create_task(self.partner.close())
        await asyncio.sleep(0)  # goodbye is said while the Virtual IP Address is still there
        await loop.run_in_executor(self._engine_thread, self.engine.detach)
        await closing
        await self.applications.close()
        loop.remove_reader(self.engine.descriptor)
        self.engine.stop()
        for task in self._background:
            task.cancel()
        for thread in (self._engine_thread, self._keyring_thread, self._store_thread):
            thread.shutdown()

    def _renew(self) -> None:
        """The proof that the loop turns. It asks nothing and waits for nothing."""
        self.lease()
        asyncio.get_running_loop().call_later(RENEW, self._renew)
        self.look()

    def lease(self) -> None:
        self.engine.lease(LEASE, self._armed())

    def _armed(self) -> bool:
        """Would this unit be fit to take over?"""
        return fit(self._known) and self._alone is None and self.switching.armed

    def _goes_alone(self) -> None:
        """No Master came: what this unit has is the newest there is."""
        self._alone = None
        self.events.add("warning", "No Master was found", f"this device was Backup; {self.partner.how_old()}")
        self.lease()

    def _not_alone(self) -> None:
        if self._alone is not None:
            self._alone.cancel()
            self._alone = None
            self.lease()

    async def _attach(self, resume: bool) -> None:
        joined, plan = self._plan()
        self._conflicts.clear()
        trouble = ""
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._engine_thread, self.engine.attach, plan, resume, self.term
            )
        except Refusal as error:
            trouble = str(error)
            self.events.add("critical", "Network interface cannot be used", trouble, "Network")
        self._known = replace(self._known, plan=plan, trouble=trouble, joined=joined, conflicts=())
        self.partner.place(plan if joined.member else None)
        self.look()

    def _plan(self) -> tuple[Join, Plan]:
        """What settings and keys make of this unit."""
        joined = join(self.store.settings, self.keyring.permission(), self.met)
        met, held = self.met is not None, self._held is not None
        settings = self.store.settings
        return joined, make_plan(settings, self.identity, self.board, FIRMWARE, joined, met=met, held=held)

    # --- what the engine tells ----------------------------------------------------------------------
    def _on_engine(self) -> None:
        for event in self.engine.events():
            self._hear(event)
        self.look()

    def _hear(self, event: EngineEvent) -> None:
        words = tell.report(event, self._master)
        if words:
            self.events.add(words.severity, words.name, words.description)
            log.info("%s: %s", words.name, words.description)
        if event.kind == Kind.STATE:
            self._master = event.a == State.MASTER
            if self._master:
                self._conflicts = {which: c for which, c in self._conflicts.items() if which == 0}
                self.spawn(self._became_master(resumed=event.b == Cause.RESUMED))
        elif event.kind == Kind.CONFLICT:
            self._conflicts[event.b] = Conflict(event.b, str(event.address), event.mac)
        elif event.kind == Kind.CLAIM:
            self._conflicts.pop(event.b, None)
        elif event.kind == Kind.PEER:
            self.partner.nudge()

    def look(self) -> None:
        """Takes the engine's view and lets follow what has to."""
        view = self.engine.view()
        plan = self._known.plan
        if self._stopping:
            return
        if view.master or view.state == State.MASTER:
            self._not_alone()
        if plan:
            armed = self._armed()
            self._known = replace(
                self._known,
                conflicts=tuple(self._conflicts.values()),
                mismatches=tuple(mismatches(plan, view, self.partner.mismatches())),
                unpaired=self.partner.unpaired,
                copying=self.partner.copying or self._never_met(view),
            )
            self._note_copied()
            if self._armed() != armed:
                self.lease()  # not a second later: the Master may go any moment
        before, self._standing = self._standing, standing(self._known, view)
        if (before.role, before.mode) != (self._standing.role, self._standing.mode):
            self._since = time.time()
            log.info("role %s", self._standing)
            self._enter(before)
        if self._standing.why and self._standing.why != before.why:
            self._warn(self._standing)
        self.partner.lead(self._leads(view))
        self._watch_peer(view)
        self._watch_neither()

    def _leads(self, view: EngineView) -> bool | None:
        """True: what this unit has crosses. False: it takes the Master's. None: neither: at the first pairing
        the parameters without which the two do not hear each other are somebody's to correct (R4), once it is
        known that they are the same the rest crosses."""
        if self.role == Role.MASTER:
            return True
        if self.role not in (Role.BACKUP, Role.FAULT) or not self._known.joined.member:
            return None
        agreed = view.hello is not None and not unreadable(self._known.mismatches)
        return False if self.paired or agreed else None

    def _never_met(self, view: EngineView) -> bool:
        """Is there a Master of ours with which this unit was never paired? Then it has nothing of its state
        (R5). A Master that is no unit of ours says no hello, and has no state to be had (R3)."""
        if self.met is not None or self.role == Role.MASTER:
            return False
        return view.hello is not None and view.hello.state == State.MASTER

    def _enter(self, before: Standing) -> None:
        serving = self._standing.applications
        if serving or before.applications:
            self.applications.want(serving)
            servers = self.store.settings.words("network.dns") if serving else ()
            self.spawn(self._in_thread(lambda: write_resolver(self.paths, servers)))
        if self.role == Role.BACKUP and self.store.unit_state_get("role") != "backup":
            self.spawn(self.run_in_store(lambda store: store.unit_state_put({"role": "backup"})))
        self.partner.stand(self.role, self._standing.mode, self.term)

    def _warn(self, now: Standing) -> None:
        if now.role == Role.FAULT:
            self.events.add("critical", "This device is in fault", now.why)
        elif now.role == Role.BACKUP and self._known.copying:
            self.events.add("info", "First copy of the Master's state", now.why)
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
        if self.role != Role.MASTER:
            self._peer_up = None
        elif mode and mode != self._peer_up:
            self._peer_up = mode
            serial = hello.serial if hello else ""
            self.events.add("success", f"Backup device is UP ({mode} mode)", f"unit {serial}")
        elif self._peer_up and not (hello and hello.age < SEEN):
            self._peer_up = None
            self.events.add("critical", "Backup device is DOWN", "nothing was heard of it for 3 s")

    def _watch_neither(self) -> None:
        """Two passive Backups and no Master: the one of the later term becomes active (R7)."""
        peer, now = self.partner.peer, asyncio.get_running_loop().time()
        neither = self.passive and self._held is None and peer is not None and peer.mode == "passive"
        if not neither or not peer:
            self._neither_since = None
        elif self._neither_since is None:
            self._neither_since = now
        elif now - self._neither_since > NEITHER and (self.term, self.identity.serial) > (
            peer.term, peer.serial
        ):  # fmt: skip
            self._neither_since = None
            self.events.add(
                "warning", "Both devices were passive", "this one has the later state: active now"
            )
            self.spawn(self.keep_mode("active"))

    def _note_copied(self) -> None:
        """The first copy is finished, or this unit is the one that was copied: it is fit from now on (R5)."""
        met = self.met
        if met and self.copied != met and (self.role == Role.MASTER or self.partner.in_step):
            self.copied = met
            self._known = replace(self._known, copying=False)
            self._keep_note({"copied": met, "copying": None})
            self.lease()
        elif self._known.copying and self.store.unit_state_get("copying") != met:
            self._keep_note({"copying": met})  # so that a restart does not make it fit

    def _keep_note(self, note: dict[str, Any]) -> None:
        if self._noting is None or self._noting.done():
            self._noting = self.spawn(self.run_in_store(lambda store: store.unit_state_put(note)))

    async def _became_master(self, resumed: bool) -> None:
        """Keeps what has to survive: a new term, unless it was granted by the Master before or a daemon that
        was killed goes on in its own, and that this unit is no passive Backup any more (R7). The next commit
        opens a new history."""
        view, term = self.engine.view(), self.term
        peer = self.partner.peer
        if not (resumed and term) and not (term and term == self.taking.granted):
            term = max(term, view.hello.term if view.hello else 0, peer.term if peer else 0) + 1
        self.taking.done()
        self.engine.term(term)
        await self.run_in_store(lambda store: store.open_history(term, {"term": term, "role": "master"}))
        self.partner.stand(self.role, self._standing.mode, term)
        if self.store.settings.text("redundancy.backup_mode") == "passive":
            await self.keep_mode("active")

    def _application_failing(self, application: Application) -> None:
        self.events.add(
            "critical", "Application failure", f"{application.name}: {application.trouble}", "PBX"
        )
        if self.role == Role.MASTER and self.engine.view().peer_active:
            self.engine.release()

    # --- what it is, for the procedures that take part -----------------------------------------------
    @property
    def role(self) -> Role:
        return self._standing.role

    @property
    def why(self) -> str:
        """In fault the reason; on a Backup why it would not take over."""
        return self._standing.why

    @property
    def passive(self) -> bool:
        return self.role == Role.BACKUP and self._standing.mode == "passive"

    @property
    def paired(self) -> bool:
        """Has this unit met its peer, and been the one whose state both have, or had the other's whole?"""
        return self.met is not None and self.copied == self.met

    @property
    def interval(self) -> float:
        """Seconds between two advertisements."""
        return self._known.plan.interval_cs / 100 if self._known.plan else 0.0

    @property
    def term(self) -> int:
        return int(self.store.unit_state_get("term", 0))

    @property
    def met(self) -> str | None:
        """The serial number of the peer with which this unit was paired."""
        return self.keyring.peer if self.keyring.pin.certificate else None

    # --- what operations ask (control.unit.Unit) ----------------------------------------------------
    def status(self) -> dict[str, Any]:
        return status(self._known, self._standing, self.engine.view(), self.identity, self._since,
                      self.partner.status(), self.applications.plain(), self.licence())  # fmt: skip

    async def run_in_store(self, work: Callable[[Store], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._store_thread, work, self.store)

    async def run_in_keyring(self, work: Callable[[Keyring], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._keyring_thread, work, self.keyring)

    async def write(
        self,
        changes: Mapping[str, Plain],
        commit: Callable[[Store, bool], dict[str, Any]],
        forced: bool = False,
    ) -> dict[str, Any]:
        scopes = self._scopes(changes)
        why = refusal(scopes.items(), self._seat(), forced)
        if why:
            raise Refusal(why)
        if "pair" in scopes.values() and self.role == Role.MASTER and self._follows():
            return await switch.lead(self, changes, lambda store: commit(store, False))
        apart = forced and self.paired and self.role != Role.MASTER
        answer = await self.run_in_store(lambda store: commit(store, apart))
        durable = asyncio.ensure_future(self._durable(answer))
        if answer["changed"]:
            await self.apply(set(answer["changed"]))
        return {**answer, "durable": "both" if await durable else "this"}

    async def _durable(self, answer: dict[str, Any]) -> bool:
        crosses = "unit" not in self._scopes(answer["changed"]).values()
        return (
            crosses and self.role == Role.MASTER and await self.partner.durable(self.store.position, DURABLE)
        )

    def _scopes(self, paths: Mapping[str, Plain] | list[str]) -> dict[str, Scope]:
        found = ((path, self.store.schema.find(path)) for path in paths)
        return {path: setting.scope for path, setting in found if setting}

    def _seat(self) -> Seat:
        return Seat(self.role, self._known.joined.member, self.paired, self._follows())

    def _follows(self) -> bool:
        peer = self.partner.peer
        return peer is not None and peer.role == "backup"

    def licence(self) -> dict[str, Any]:
        return self.keyring.plain()

    async def install_licence(self, text: str) -> dict[str, Any]:
        done = await self.run_in_keyring(lambda keyring: keyring.install(text))
        if not done.changed:
            return {**done.plain(), "reboot": False}
        self.events.add("info", "Feature key installed", ", ".join(sorted(done.licence.features)), "Licence")
        # A unit that serves alone takes the key into use as it works (guide, section 5): nobody would serve
        # in its place. Any other comes back as it was (R37); a Backup waits meanwhile.
        reboot = not self._standing.applications or self._follows()
        if reboot and self.role == Role.MASTER:
            try:
                await self.partner.ask("hold", {"seconds": HOLD}, 2.0)
            except Refusal as error:  # the key is stored; a Backup that has gone meanwhile waits for nobody
                log.warning("%s", error)
                reboot = self._follows()
        if reboot:
            self.reboot_soon("feature key")
        else:
            self.partner.keys_changed()
            await self.apply(set())
        return {**done.plain(), "reboot": reboot}

    def said(self) -> None:
        """The other unit says something else of itself than before."""
        peer = self.partner.peer
        if peer and peer.role == "master" and self._held is not None:
            self.unhold()
        self.look()

    async def confirm_certificate(self) -> bool:
        return await self.partner.confirm_certificate()

    @property
    def conflicts(self) -> Conflicts:
        return self.partner.conflicts

    def reconcile(self) -> None:
        if self.partner.peer is None:
            raise Refusal("sync: there is no session to the other unit; expected it to be up")
        self.partner.reconcile()

    def allow_deletion(self) -> None:
        self.partner.allow_deletion()

    async def apply(self, changed: set[str]) -> None:
        """Takes settings and keys into use (no `changed`: whatever they are). Raises Refusal where the
        interfaces do not take them."""
        if changed and not self._known.trouble and not any(path.startswith(PLANNED) for path in changed):
            return  # before the loop does anything for it: the other unit's answer may be on its way
        old = self._known.plan
        joined, new = self._plan()
        if "network.dns" in changed and self._standing.applications:
            servers = self.store.settings.words("network.dns")
            await self._in_thread(lambda: write_resolver(self.paths, servers))
        self._known = replace(self._known, joined=joined)
        if old == new and not self._known.trouble:
            self.look()
            return
        if old and old.differs_live(new) and not self._known.trouble:
            self.engine.adjust(new)
            self._known = replace(self._known, plan=new)
        else:
            master = self.role == Role.MASTER
            await self._attach(resume=bool(master and old and old.same_seat(new)))
            if self._known.trouble:
                raise Refusal(f"stored, but not in use: {self._known.trouble}")
        self.look()

    def came(self, changed: frozenset[str]) -> None:
        """Settings of the Master came in: into use, unless the two units have agreed to wait (R13)."""
        if self.switching.under_way:
            self.switching.defer(set(changed))
        else:
            self.spawn(self._apply_told(set(changed)))

    async def _apply_told(self, changed: set[str]) -> None:
        try:
            await self.apply(changed)
        except Refusal as error:
            log.error("%s", error)  # an event was raised

    async def set_mode(self, mode: str) -> None:
        if self.role != Role.BACKUP:
            raise Refusal(f"mode: this device is {self.role}; only a Backup is active or passive")
        self._not_alone()  # somebody who sets it active means it to serve
        await self.keep_mode(mode)

    async def keep_mode(self, mode: str) -> None:
        """Makes the mode durable and takes it into use."""
        await self.run_in_store(
            lambda store: store.commit({"redundancy.backup_mode": mode}, "system", "mode")
        )
        await self.apply({"redundancy.backup_mode"})

    async def swap(self) -> str:
        return await swap.give(self)

    async def became_backup(self, mode: str) -> None:
        """After a swap, before the restart: the role, and the mode that the Backup had."""
        kept = mode if mode in ("active", "passive") else "active"

        def keep(store: Store) -> None:
            store.commit({"redundancy.backup_mode": kept}, "system", "swap")
            store.unit_state_put({"role": "backup"})

        await self.run_in_store(keep)

    # --- what the other unit asks ---------------------------------------------------------------------
    async def hold(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The Master starts again and comes back: not to be taken for dead meanwhile."""
        seconds = arguments.get("seconds")
        if not isinstance(seconds, int | float) or not 0 < seconds <= HOLD:
            raise Refusal(f"hold: seconds: expected up to {HOLD:g}")
        if self.role != Role.BACKUP:
            raise Refusal(f"hold: the other device is {self.role}; expected a Backup")
        self.unhold()
        self._held = asyncio.get_running_loop().call_later(seconds, self.unhold)
        self.events.add("info", "Waiting for the Master to restart", f"for at most {seconds:g} s")
        await self.apply(set())
        return {}

    def unhold(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None
            self.spawn(self._apply_told(set()))

    def reboot_soon(self, word: str) -> None:
        """A cold start, when the answer to whoever asked is out. In the lab the guardian does it; the machine
        is never touched there."""
        self.partner.goodbye = word
        asyncio.get_running_loop().call_later(REBOOT_AFTER, self._reboot)

    def _reboot(self) -> None:
        if not self.ending.done():
            self.ending.set_result(3)

    # --- within -------------------------------------------------------------------------------------
    async def _in_thread(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._store_thread, work)
        except OSError as error:
            log.error("%s", error)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Does it in the background; what it raises is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()):
            if isinstance(error, Refusal):
                log.error("%s", error)
            else:
                log.error("a task of the controller failed", exc_info=error)


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
