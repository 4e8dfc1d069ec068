# SPDX-License-Identifier: Apache-2.0
"""desk: the daemon's events: the log, what of it crosses to the other unit, and what is done about it.

The unit that leads (Master or standalone) judges each event of both units once and makes the deliveries that
are owed; what is owed stands in the log, on flash and on both units, so a reboot and a takeover go on with
it. On the daemon's loop; what takes time is done by the delivery process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import Refusal
from .courier import Courier
from .part import EventsPart
from .queue import Job, Outcome, Queue
from .rules import Pending, configuration, known, lacking, lane, offered, owed, pending, ways
from .snmpd import Snmpd

if TYPE_CHECKING:
    from ..paths import Paths
    from ..settings.view import Settings
    from .log import Event, EventLog

TICK = 1.0  # seconds
TURN = 50  # events that are judged in one turn of the loop
AFTER = 3.0  # seconds in office before deliveries go on: the last Master tells what it had under way
FAILING = 600.0  # seconds for which a way fails before an event says so
TEST_WAIT = 60.0  # seconds for a test


class Desk:
    """`leads`: is this unit the one that makes deliveries? `device`: what a delivery needs to know of the
    unit: model, serial, lan, group_id, vrrp_version, virtual_ips."""

    def __init__(
        self,
        log: EventLog,
        settings: Callable[[], Settings],
        leads: Callable[[], bool],
        device: Callable[[], dict[str, Any]],
        paths: Paths,
        serial: str,
    ) -> None:
        self.log = log
        self.part = EventsPart(log)
        self._settings, self._leads, self._device = settings, leads, device
        self._loop = asyncio.get_running_loop()
        self._queue = Queue()
        self._courier = Courier(str(paths.root), self._done)
        self._snmpd = Snmpd(paths, serial)
        self._from: float | None = None  # when deliveries begin; None: this unit does not lead
        self._seen: Settings | None = None  # the settings of the last look
        self._tests: dict[Job, asyncio.Future[tuple[Outcome, str]]] = {}
        self._tick: asyncio.TimerHandle | None = None
        self._told = False  # that deliveries fail
        self._news: dict[str, None] = {}  # uids of what the log told of
        self._end = log.subscribe(self._heard, self._heard)

    def start(self) -> None:
        self._turn()

    async def close(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
        self._end()
        self.part.close()
        await self._snmpd.close()
        await self._courier.close()

    # --- asking -------------------------------------------------------------------------------------
    def pending(self) -> Pending:
        """What waits for a person ("Please check your pending events!"; the Flash LED)."""
        return pending(self._settings(), self.log.recent())

    def deliveries(self) -> dict[str, Any]:
        """For a person: each receiver and how it does; what there was no room for."""
        return {
            "leading": self._from is not None,
            "ways": self._queue.plain(self._loop.time()),
            "dropped": self.log.dropped,
            "offered": list(offered(self._settings())),
            "lacking": {name: list(paths) for name, paths in lacking(self._settings()).items()},
            "trouble": self.log.trouble or None,
        }

    async def test(self, action: str = "") -> list[dict[str, Any]]:
        """Delivers a test event by every way of that action (all that are set up without it), now, and says
        of each what became of it: [{way, outcome, why}]. Raises Refusal where none is set up."""
        found = ways(self._settings())
        if action and action not in found:
            raise Refusal(f"action: {action!r}; expected one of {', '.join(found)}")
        chosen = [way for name, those in found.items() if action in ("", name) for way in those]
        if not chosen:
            lacks = [path for paths in lacking(self._settings()).values() for path in paths
                     if path.startswith(action)]  # fmt: skip
            raise Refusal(f"{action or 'mail, SMS and SNMP'}: not set up; expected "
                          f"{', '.join(lacks) or 'its settings'} to be there")  # fmt: skip
        event = self.log.add("info", "Test", f"of {action or 'every way'} by hand", "Events")
        self.log.owe(event.uid, ())
        asked = [Job(event.uid, way) for way in chosen]
        for job in asked:
            self._tests[job] = self._loop.create_future()
            self._hand(job, event)
        await asyncio.wait([self._tests[job] for job in asked], timeout=TEST_WAIT)
        answers: list[dict[str, Any]] = []
        for job in asked:
            future = self._tests.pop(job)
            outcome, why = future.result() if future.done() else (Outcome.LATER, "no answer yet")
            answers.append({"way": job.way, "outcome": str(outcome), "why": why or None})
        return answers

    # --- the turn of things -------------------------------------------------------------------------
    def _turn(self) -> None:
        now = self._loop.time()
        self._tick = self._loop.call_later(TICK, self._turn)
        self.log.settle(now)
        self._take_office(now)
        self._courier.look(now)
        self._snmpd.look(self._settings())
        if self._from is None:
            return
        settings = self._settings()
        if settings is not self._seen:
            self._seen = settings
            self._queue.again()
            self._queue.forget(set(known(settings)))
        for job in self._queue.expired(now):
            self.log.paid(job.uid, job.way)
        self._serve(now)
        self._say_failing(now)

    def _take_office(self, now: float) -> None:
        if self._leads() and self._from is None:
            self._from = now + AFTER
            for event in self.log.recent():
                self._judge(event)
        elif not self._leads() and self._from is not None:
            self._from = None
            self._queue.clear()  # what is under way may still be told
            self._loop.call_later(AFTER - 0.5, self._let_go)

    def _let_go(self) -> None:
        """From now on the other unit makes the deliveries."""
        if self._from is None:
            self._courier.stop()

    def _heard(self, event: Event) -> None:
        """From the log, in the thread that added or marked it."""
        if not self._news:
            self._loop.call_soon_threadsafe(self._hear)
        self._news[event.uid] = None

    def _hear(self) -> None:
        """In turns, so that a burst does not hold up the loop; what it pushed out is not judged."""
        if self._from is None:
            self._news.clear()  # all is judged when this unit takes office
            return
        for uid in list(self._news)[:TURN]:
            del self._news[uid]
            event = self.log.get(uid)
            if event is None:
                self._queue.owe(uid, (), 0.0)
            else:
                self._judge(event)
        if self._news:
            self._loop.call_soon(self._hear)
        self._serve(self._loop.time())

    def _judge(self, event: Event) -> None:
        found = event.owed
        if found is None:
            found = owed(self._settings(), event)
            self.log.owe(event.uid, found)
        self._queue.owe(event.uid, found, self._loop.time())

    def _serve(self, now: float) -> None:
        if self._from is None or now < self._from:
            return
        for job in self._queue.due(now):
            event = self.log.get(job.uid)
            if event is None or job.way not in (event.owed or ()) or not self._hand(job, event):
                # The log had no room for it, the other unit made it, or its way is not set up any more.
                self._queue.withdraw(job)
                self.log.paid(job.uid, job.way)
                self._loop.call_soon(self._serve, now)

    def _hand(self, job: Job, event: Event) -> bool:
        found = configuration(self._settings(), job.way)
        if found is None:
            return False
        told = {"lane": lane(job.way), "config": found, "event": event.plain(), "device": self._device()}
        self._courier.take(job, told)
        return True

    def _done(self, job: Job, outcome: Outcome, why: str) -> None:
        test = self._tests.get(job)
        if test is not None:
            if not test.done():
                test.set_result((outcome, why))
            return
        now = self._loop.time()
        if self._queue.done(job, outcome, why, now):
            self.log.paid(job.uid, job.way)
        self._serve(now)

    def _say_failing(self, now: float) -> None:
        failing = [f"{name}: {way.trouble}" for name, way in self._queue.ways.items()
                   if way.failing is not None and now - way.failing >= FAILING]  # fmt: skip
        if failing and not self._told:
            self.log.add("warning", "Deliveries fail", failing[0], "Events")
        if self._told and not failing:
            self.log.add("success", "Deliveries work again", "", "Events")
        self._told = bool(failing)


def device_of(settings: Settings, serial: str, model: str, lan: str) -> dict[str, Any]:
    """What a delivery needs to know of the unit; `lan` is the name of the interface."""
    own, peer = settings.interface("redundancy.virtual_ip"), settings.host("redundancy.peer_virtual_ip")
    return {
        "model": model,
        "serial": serial,
        "lan": lan,
        "group_id": settings.number("redundancy.group_id"),
        "vrrp_version": settings.number("redundancy.vrrp_version"),
        "virtual_ip": str(own.ip) if own else None,
        "peer_virtual_ip": str(peer) if peer else None,
    }
