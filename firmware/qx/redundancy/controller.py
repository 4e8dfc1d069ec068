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
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from .. import __version__ as FIRMWARE
from ..board import Board
from ..errors import Refusal
from ..events.desk import Desk, device_of
from ..events.log import EventLog
from ..identity import Identity
from ..paths import Paths
from ..pbx.applications import Applications, environment
from ..pbx.phones import Phones
from ..pbx.telephony import Telephony
from ..settings.rescue import LOST
from ..settings.store import Store
from ..settings.values import Plain
from ..sync.conflicts import Conflicts
from ..sync.live import LiveState
from ..tasks import Tasks
from ..trust.keyring import Keyring
from . import licensing, rebooting, swap, switch, tell, writing
from .alone import Alone
from .engine import Cause, Engine, EngineEvent, EngineView, Kind, State
from .failing import Failing
from .firstcopy import FirstCopy
from .hold import Hold
from .inquiry import InquiryKey
from .join import DATA_LOST, Join, join
from .lapse import Lapse, upgrading
from .mismatch import mismatches
from .neither import Neither
from .partner import Partner
from .plan import Plan, make_plan
from .presence import Presence
from .resolver import write_resolver
from .role import Conflict, Known, Role, Standing, fit, standing, unreadable
from .status import status
from .storage import Storage

if TYPE_CHECKING:
    from ..upgrade.upgrade import Upgrade

T = TypeVar("T")
log = logging.getLogger("qx.redundancy")

LEASE = 10.0  # seconds that the engine goes on without us
RENEW = 1.0
REBOOT_AFTER = 0.2  # so that the answer is out before
PLANNED = ("redundancy.", "network.")  # settings of which `plan` and `join` make something


class Controller:
    """One unit. `start()` on the loop, then events drive it; `stop()` lets go in order."""

    def __init__(
        self, paths: Paths, identity: Identity, board: Board, store: Store, events: EventLog,
        keyring: Keyring,
    ) -> None:  # fmt: skip
        self.paths, self.identity, self.board = paths, identity, board
        self.store, self.events, self.keyring = store, events, keyring
        self.storage = Storage(events)
        self.engine = Engine(paths)
        self.ending: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.failing = Failing(self)
        self.applications = Applications(paths, environment(paths, identity), self.failing.tell)
        self._store_thread = ThreadPoolExecutor(1, "store")
        self._engine_thread = ThreadPoolExecutor(1, "engine-setup")
        self._keyring_thread = ThreadPoolExecutor(1, "keyring")
        self.taking = swap.Taking(self)
        self.switching = switch.Following(self)
        self.hold = Hold(self)
        self.desk = Desk(events, lambda: store.settings, self._delivers, self._device, paths, identity.serial)
        self.upgrade: Upgrade | None = None
        self.tells: dict[str, Callable[[], Any]] = {}  # what others add to the status, by its key
        self.partner = Partner(
            self,
            {
                "swap": self.taking.take,
                "swap off": self.taking.give_up,
                "switch": self.switching.ready,
                "switched": self.switching.switched,
                "hold": self.hold.begin,
                "applications": self.failing.asked,
            },
            more=(self.desk.part, InquiryKey(self.engine.key)),
        )
        self.telephony = Telephony(
            paths, self.live, events, lambda: store.settings, self.applications, self.partner.ask
        )
        self.partner.offer(self.telephony.answers)
        self.applications.prepare = self.telephony.prepare
        self._alone = Alone(self)
        self._lapse = Lapse(self, self._busy)
        self._neither = Neither()
        self._presence = Presence()
        self._first_copy = FirstCopy(self)
        self._known = Known(None, joined=self._plan()[0])  # before anybody can ask for a write
        self._standing = Standing(Role.STARTING)
        self._since = time.time()
        self._conflicts: dict[int, Conflict] = {}
        self._master = False  # as the engine's events told so far
        self._stopping = False
        self._tasks = Tasks()

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
            self._alone.begin()
        await self.partner.open()
        self.desk.start()
        await self.telephony.open(resumed=self.engine.kept)
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
        await self.desk.close()
        await self.applications.close()
        self.telephony.close()
        loop.remove_reader(self.engine.descriptor)
        self.engine.stop()
        for task in self._tasks:
            task.cancel()
        for thread in (self._engine_thread, self._keyring_thread, self._store_thread):
            thread.shutdown()

    def _renew(self) -> None:
        """The proof that the loop turns. It asks nothing and waits for nothing."""
        self.lease()
        asyncio.get_running_loop().call_later(RENEW, self._renew)
        self.look()
        self._lapse.look()

    def lease(self) -> None:
        self.engine.lease(LEASE, self._armed())

    def _armed(self) -> bool:
        """Would this unit be fit to take over?"""
        return fit(self._known) and not self._alone.waiting and self.switching.armed

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
        lost = DATA_LOST if self.paths.data_lost.exists() else str(self.store.unit_state_get(LOST, ""))
        joined = join(self.store.settings, self.keyring.permission(), self.met, lost)
        met, held = self.met is not None, self.hold.on
        settings = self.store.settings
        return joined, make_plan(settings, self.identity, self.board, FIRMWARE, joined, met=met, held=held)

    # --- what the engine tells ----------------------------------------------------------------------
    def _on_engine(self) -> None:
        for event in self.engine.events():
            self._hear(event)
        self.look()

    def _hear(self, event: EngineEvent) -> None:
        self._raise(tell.report(event, self._master))
        if event.kind == Kind.STATE:
            self._master = event.a == State.MASTER
            if self._master:
                self._conflicts = {which: c for which, c in self._conflicts.items() if which == 0}
                self.telephony.became_master(event.b in (Cause.SILENCE, Cause.RELEASED, Cause.ORDER))
                self.spawn(self._became_master(resumed=event.b == Cause.RESUMED))
            else:
                self.telephony.not_master()
        elif event.kind == Kind.CONFLICT:
            self._conflicts[event.b] = Conflict(event.b, str(event.address), event.mac)
        elif event.kind == Kind.CLAIM:
            self._conflicts.pop(event.b, None)
        elif event.kind == Kind.PEER:
            self.partner.nudge()

    def _raise(self, words: tell.Report | None) -> None:
        if words:
            self.events.add(words.severity, words.name, words.description)
            log.info("%s: %s", words.name, words.description)

    def look(self) -> None:
        """Takes the engine's view and lets follow what has to."""
        view = self.engine.view()
        plan, partner = self._known.plan, self.partner
        if self._stopping:
            return
        if view.master or view.state == State.MASTER:
            self._alone.over()
        if plan:
            armed = self._armed()
            self._known = replace(
                self._known,
                conflicts=tuple(self._conflicts.values()),
                mismatches=tuple(mismatches(plan, view, (*partner.mismatches(), *partner.claims()))),
                unpaired=partner.unpaired,
                copying=self._first_copy.lacking(view),
            )
            if self._first_copy.look(self._known.copying):
                self._known = replace(self._known, copying=False)
                self.lease()
            if self._armed() != armed:
                self.lease()  # not a second later: the Master may go any moment
        before, self._standing = self._standing, standing(self._known, view)
        if (before.role, before.mode) != (self._standing.role, self._standing.mode):
            self._since = time.time()
            log.info("role %s", self._standing)
            self._enter(before)
        if self._standing.why != before.why:
            self._raise(tell.warning(self._standing, self._known.copying))
        self.partner.lead(self._leads(view))
        self._raise(self._presence.look(self.role == Role.MASTER, view.hello))
        self._look_for_neither()

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

    def _enter(self, before: Standing) -> None:
        serving = self._standing.applications
        if serving or before.applications:
            self.applications.want(serving)
            servers = self.store.settings.words("network.dns") if serving else ()
            self.spawn(self._in_thread(lambda: write_resolver(self.paths, servers)))
        if self.role == Role.BACKUP and self.store.unit_state_get("role") != "backup":
            self.spawn(self.run_in_store(lambda store: store.unit_state_put({"role": "backup"})))
        self.partner.stand(self.role, self._standing.mode, self.term)

    def _look_for_neither(self) -> None:
        now = asyncio.get_running_loop().time()
        passive = self.passive and not self.hold.on
        if self._neither.look(passive, self.term, self.identity.serial, self.partner.peer, now):
            self.events.add(
                "warning", "Both devices were passive", "this one has the later state: active now"
            )
            self.spawn(self.keep_mode("active"))

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
        return self._first_copy.finished

    @property
    def member(self) -> bool:
        """Is this unit in a redundancy group?"""
        return self._known.joined.member

    @property
    def serving(self) -> bool:
        """Do the applications run here?"""
        return self._standing.applications

    def _busy(self) -> bool:
        """Is something under way for which a Backup is passive?"""
        return self.hold.on or self.switching.under_way or upgrading(self.upgrade and self.upgrade.plain())

    @property
    def followed(self) -> bool:
        """Is there a Backup in session with this unit?"""
        peer = self.partner.peer
        return peer is not None and peer.role == "backup"

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
        found = status(self._known, self._standing, self.engine.view(), self.identity, self._since,
                       self.partner.status(), self.applications.plain(), self.licence())  # fmt: skip
        return {**found, **{name: tell() for name, tell in self.tells.items()}}

    async def run_in_store(self, work: Callable[[Store], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._store_thread, work, self.store)

    async def run_in_keyring(self, work: Callable[[Keyring], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._keyring_thread, work, self.keyring)

    async def write(
        self, changes: Mapping[str, Plain], commit: writing.Commit, forced: bool = False
    ) -> dict[str, Any]:
        return await writing.write(self, changes, commit, forced)

    def licence(self) -> dict[str, Any]:
        return self.keyring.plain()

    async def install_licence(self, text: str, how: rebooting.How) -> dict[str, Any]:
        return await licensing.install(self, text, how)

    def said(self) -> None:
        """The other unit says something else of itself than before."""
        peer = self.partner.peer
        if peer and peer.role == "master":
            self.unhold()
        self.look()

    def speaks(self, language: str) -> None:
        self.partner.speaks(language)

    async def confirm_certificate(self) -> bool:
        return await self.partner.confirm_certificate()

    @property
    def conflicts(self) -> Conflicts:
        return self.partner.conflicts

    @property
    def phones(self) -> Phones:
        return self.telephony.phones

    @property
    def live(self) -> LiveState:
        return self.partner.live

    def reconcile(self) -> None:
        if self.partner.peer is None:
            raise Refusal("sync: there is no session to the other unit; expected it to be up")
        self.partner.reconcile()

    def allow_deletion(self) -> None:
        self.partner.allow_deletion()

    async def apply(self, changed: set[str]) -> None:
        """Takes settings and keys into use (no `changed`: whatever they are). Raises Refusal where the
        interfaces do not take them."""
        self.telephony.changed(changed)
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
        self._alone.over()  # somebody who sets it active means it to serve
        await self.keep_mode(mode)

    async def keep_mode(self, mode: str) -> None:
        """Makes the mode durable and takes it into use."""
        await self.run_in_store(
            lambda store: store.commit({"redundancy.backup_mode": mode}, "system", "mode")
        )
        await self.apply({"redundancy.backup_mode"})

    async def swap(self) -> str:
        return await swap.give(self)

    async def reboot(self, how: rebooting.How, word: str) -> str:
        return await rebooting.reboot(self, how, word)

    def unhold(self) -> None:
        self.hold.over()

    def reboot_soon(self, word: str) -> None:
        """A cold start, when the answer to whoever asked is out. In the lab the guardian does it; the machine
        is never touched there."""
        self.partner.goodbye = word
        asyncio.get_running_loop().call_later(REBOOT_AFTER, self._reboot)

    def _reboot(self) -> None:
        if not self.ending.done():
            self.ending.set_result(3)

    def _delivers(self) -> bool:
        """Is this the unit that tells of events (R34)?"""
        return self.role in (Role.MASTER, Role.STANDALONE)

    def _device(self) -> dict[str, Any]:
        return device_of(self.store.settings, self.identity.serial, self.identity.model.title, self.board.lan)

    # --- within -------------------------------------------------------------------------------------
    async def _in_thread(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._store_thread, work)
        except OSError as error:
            log.error("%s", error)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Does it in the background; what it raises is logged."""
        return self._tasks.spawn(work)
