# SPDX-License-Identifier: Apache-2.0
"""Two units on one LAN with a made-up clock.

The LAN delivers advertisements and hellos after 50 µs, unless split, muted or lossy; it answers the probes
for the service address with whoever holds it. There is no real time in it, and it sees every nanosecond: what
can change only at an event is looked at before and after each one.

Two things are asserted all the while: the address is held by a Master and nobody else, and while both units
hear each other, two hold it for no longer than it takes the wire to say so, or two intervals after a split
has healed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from random import Random
from typing import Any

from machine import MS, SECOND
from simulated_unit import Unit

from _qx import lib

WIRE = 50_000  # ns from one unit to the other


class Pair:
    """The LAN and the clock. `a` has the lower address."""

    def __init__(self, *, seed: int = 0, a: dict[str, Any] | None = None, b: dict[str, Any] | None = None,
                 **both: Any) -> None:  # fmt: skip
        settings = {
            "version": 2,
            "interval": SECOND,
            "vrid": 18,
            "service": "10.77.0.100",
            "wan_tracking": True,
        }
        self.now = 1000 * SECOND
        self.random = Random(seed)
        self.split = False
        self.strangers = False  # another router of our group is on the LAN
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self.a = Unit(self, "a", "10.77.0.1", "10.77.0.2", settings | both | (a or {}))
        self.b = Unit(self, "b", "10.77.0.2", "10.77.0.1", settings | both | (b or {}))
        self.units = (self.a, self.b)
        self._connected_since: int | None = None
        self._two_since: int | None = None

    # --- what to look at --------------------------------------------------------------------------------
    @property
    def interval(self) -> int:
        return max(self.a.interval, self.b.interval)

    @property
    def master_down(self) -> int:
        """The longest a listener of either unit waits."""
        return max(lib.qx_master_down_interval(each.version, 253, self.interval) for each in self.units)

    @property
    def masters(self) -> list[Unit]:
        return [each for each in self.units if each.is_master]

    @property
    def holders(self) -> list[Unit]:
        return [each for each in self.units if each.holds]

    def other(self, unit: Unit) -> Unit:
        return self.b if unit is self.a else self.a

    # --- the LAN ----------------------------------------------------------------------------------------
    def carries(self, sender: Unit, receiver: Unit) -> bool:
        up = all(
            each.powered and each.carrier and self.now >= each.passes_from for each in (sender, receiver)
        )
        return up and not self.split

    def carry_advert(self, sender: Unit, priority: int) -> None:
        receiver = self.other(sender)
        left = sender.carrier and self.now >= sender.passes_from and not self.split
        if left and not sender.mute and self.random.random() >= sender.loss:
            heard = lambda: receiver.hears_advert(sender, priority)  # noqa: E731
            self.at(self.now + WIRE, lambda: self._arrives(receiver, heard))

    def carry_hello(self, sender: Unit, hello: Any) -> None:
        receiver = self.other(sender)

        def heard() -> None:
            receiver.happens(lambda: lib.qx_group_hello(receiver.group, self.now, hello, receiver.actions))

        if self.carries(sender, receiver) and receiver.group.ready:
            self.at(self.now + WIRE, lambda: self._arrives(receiver, heard))

    def carry_question(self, sender: Unit) -> None:
        """Unicast, as hellos are: not lost where multicast is."""
        receiver = self.other(sender)
        if self.carries(sender, receiver):
            self.at(self.now + WIRE, lambda: self._arrives(receiver, lambda: receiver.hears_question(sender)))

    def carry_answer(self, sender: Unit, receiver: Unit) -> None:
        state = sender.state
        if self.carries(sender, receiver):
            self.at(self.now + WIRE, lambda: self._arrives(receiver, lambda: receiver.hears_answer(state)))

    def _arrives(self, receiver: Unit, heard: Callable[[], None]) -> None:
        if receiver.powered and receiver.carrier and self.now >= receiver.passes_from and not self.split:
            heard()

    # --- the clock --------------------------------------------------------------------------------------
    def at(self, when: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), what))

    def run(self, duration: int) -> Pair:
        end = self.now + duration
        while self._events and self._events[0][0] <= end:
            when, _, what = heapq.heappop(self._events)
            self._let_pass(when)
            what()
            self._look()
        self._let_pass(end)
        return self

    def until(self, reached: Callable[[], bool], within: int) -> int:
        """Runs until it is so, and says how long that took."""
        start = self.now
        while not reached():
            assert self._events and self._events[0][0] <= start + within, f"not within {within / SECOND} s"
            self.run(self._events[0][0] - self.now)
        return self.now - start

    def _let_pass(self, when: int) -> None:
        if self._two_since is not None and self._connected_since is not None:
            healed = self._connected_since + 2 * self.interval
            assert when <= max(healed, self._two_since + MS), f"two holders at {when / SECOND} s"
        self.now = when
        self._look()

    def _look(self) -> None:
        for each in self.units:
            assert each.holds == each.is_master, "a Master holds the address, and nobody else"
        clear = all(each.awake and not each.mute and not each.loss for each in self.units)
        connected = clear and not self.strangers and self.carries(self.a, self.b)
        self._connected_since = (self._connected_since or self.now) if connected else None
        self._two_since = (self._two_since or self.now) if len(self.holders) == 2 else None

    # --- stories ----------------------------------------------------------------------------------------
    def settled(self, master: Unit, *, seconds: int = 0) -> Pair:
        """`master` boots first, the other 10 s later and is its Backup."""
        master.boot()
        self.run(10 * SECOND)
        self.other(master).boot()
        self.run((5 + seconds) * SECOND)
        assert self.masters == [master] and self.other(master).is_backup
        assert master.seat == "confirmed"
        return self

    def alone(self, master: Unit, *, seconds: int = 10) -> Pair:
        """`master` boots and heard nobody: a Master that found an empty LAN."""
        master.boot()
        self.run(seconds * SECOND)
        assert self.masters == [master]
        assert master.seat == "startup"
        return self

    def passes_after(self, unit: Unit, seconds: float) -> None:
        """The switch port of `unit` shows link, and passes no frame for so long."""
        unit.passes_from = self.now + round(seconds * SECOND)
        self.at(unit.passes_from, lambda: None)

    @contextmanager
    def splits(self, seconds: float | None = None) -> Iterator[None]:
        """Carrier stays up, no frame crosses; on return it has healed."""
        self.split = True
        if seconds is not None:
            self.run(round(seconds * SECOND))
        yield
        self.split = False
        self._look()

    def within_two_intervals(self) -> list[Unit]:
        """Who is Master two intervals from now, and still (alone) a while later."""
        self.run(2 * self.interval)
        settled = self.masters
        self.run(2 * self.master_down)
        assert self.masters == settled, "and it stays so"
        return settled
