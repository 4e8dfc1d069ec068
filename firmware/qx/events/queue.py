# SPDX-License-Identifier: Apache-2.0
"""queue: which delivery is due, and how each receiver is doing (R34). Pure; `now` is monotonic seconds.

What is owed is kept by the log, on flash and on both units; here is what that makes of it: a queue for each
way. A way that fails waits longer each time, up to MOST; what a receiver refuses goes to the end of its queue
and is given up after REFUSED_MAX times. What has waited for EXPIRY is given up. Ways of one lane (rules.lane)
take turns, and lanes do not wait for each other, so a delivery that fails for ever never blocks another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from .rules import lane

LEAST = 5.0  # seconds after the first failure, and twice that after the next
MOST = 900.0
EXPIRY = 24 * 3600.0
REFUSED_MAX = 3
WHY_MAX = 300  # characters


class Outcome(StrEnum):
    DONE = "done"
    LATER = "later"  # the way does not work now
    REFUSED = "refused"  # it works, and does not take this


class Job(NamedTuple):
    uid: str
    way: str


@dataclass(slots=True)
class _Waiting:
    since: float
    refused: int = 0


@dataclass(slots=True)
class Way:
    """A receiver."""

    waiting: dict[str, _Waiting] = field(default_factory=dict[str, _Waiting])  # by uid, in turn
    next: float = 0.0  # not before
    served: float = -1.0
    failures: int = 0  # in a row
    failing: float | None = None  # since when
    trouble: str = ""  # of the last failure or refusal
    delivered: int = 0
    given_up: int = 0

    def plain(self, name: str, now: float) -> dict[str, Any]:
        """For a person: state is working, failing or idle."""
        state = "failing" if self.failing is not None else "working" if self.delivered else "idle"
        return {
            "way": name,
            "state": state,
            "trouble": self.trouble or None,
            "waiting": len(self.waiting),
            "delivered": self.delivered,
            "given_up": self.given_up,
            "failing_s": None if self.failing is None else round(now - self.failing, 1),
            "next_s": round(max(0.0, self.next - now), 1) if self.waiting and self.failures else None,
        }  # fmt: skip


class Queue:
    def __init__(self) -> None:
        self.ways: dict[str, Way] = {}
        self._busy: dict[str, Job] = {}  # by lane

    @property
    def busy(self) -> tuple[Job, ...]:
        return tuple(self._busy.values())

    def owe(self, uid: str, ways: tuple[str, ...], now: float) -> None:
        """Exactly these deliveries of an event are owed."""
        for name in ways:
            self.ways.setdefault(name, Way()).waiting.setdefault(uid, _Waiting(now))
        for name, way in self.ways.items():
            if name not in ways and Job(uid, name) not in self._busy.values():
                way.waiting.pop(uid, None)

    def withdraw(self, job: Job) -> None:
        """It is not owed after all."""
        self._busy = {of: busy for of, busy in self._busy.items() if busy != job}
        if job.way in self.ways:
            self.ways[job.way].waiting.pop(job.uid, None)

    def clear(self) -> None:
        """Nothing is owed by this unit any more; how the receivers did is remembered."""
        for way in self.ways.values():
            way.waiting.clear()
        self._busy.clear()

    def again(self) -> None:
        """Settings have changed: nobody waits for what was before."""
        for way in self.ways.values():
            way.next, way.failures = 0.0, 0

    def forget(self, known: set[str]) -> None:
        """Ways that are not set up any more, and owe nothing."""
        for name in [name for name, way in self.ways.items() if name not in known and not way.waiting]:
            del self.ways[name]

    def due(self, now: float) -> list[Job]:
        """At most one delivery for each lane that does nothing; they count as begun."""
        found: dict[str, Job] = {}
        for name, way in sorted(self.ways.items(), key=lambda item: item[1].served):
            of = lane(name)
            if way.waiting and way.next <= now and of not in self._busy and of not in found:
                found[of] = Job(next(iter(way.waiting)), name)
                way.served = now
        self._busy.update(found)
        return list(found.values())

    def expired(self, now: float) -> list[Job]:
        """What has waited too long; it is given up."""
        found: list[Job] = []
        for name, way in self.ways.items():
            old = [u for u, w in way.waiting.items()
                   if now - w.since > EXPIRY and Job(u, name) not in self._busy.values()]  # fmt: skip
            for uid in old:
                del way.waiting[uid]
                way.given_up += 1
                found.append(Job(uid, name))
        return found

    def done(self, job: Job, outcome: Outcome, why: str, now: float) -> bool:
        """How it went. Returns whether nothing is owed of it any more."""
        self._busy = {of: busy for of, busy in self._busy.items() if busy != job}
        way = self.ways.setdefault(job.way, Way())
        waiting = way.waiting.get(job.uid)
        if outcome == Outcome.LATER:
            way.trouble = why[:WHY_MAX]
            way.failing = now if way.failing is None else way.failing
            way.next = now + min(MOST, LEAST * 2 ** min(way.failures, 20))
            way.failures += 1
            return False
        way.failures, way.failing, way.next = 0, None, 0.0
        if outcome == Outcome.DONE:
            way.trouble = ""
            way.delivered += 1
            way.waiting.pop(job.uid, None)
            return True
        way.trouble = why[:WHY_MAX]
        if waiting is None:
            return False
        waiting.refused += 1
        del way.waiting[job.uid]
        if waiting.refused >= REFUSED_MAX:
            way.given_up += 1
            return True
        way.waiting[job.uid] = waiting
        if len(way.waiting) == 1:
            way.next = now + LEAST * 2**waiting.refused
        return False

    def plain(self, now: float) -> list[dict[str, Any]]:
        return [way.plain(name, now) for name, way in sorted(self.ways.items())]
