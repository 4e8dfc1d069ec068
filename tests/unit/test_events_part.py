# SPDX-License-Identifier: Apache-2.0
"""The events of both units on both units, over a session that breaks at any octet (R33, R34)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sync_bench import Line, Unit, run

from counts import choices, count
from qx.events.event import Event, event, merged
from qx.events.log import EventLog
from qx.events.part import KNOWN, SAID, EventsPart
from qx.paths import Paths
from qx.redundancy.peer.message import BadMessage
from waiting import until

A, B = "QX200-000001", "QX200-000002"


def log_of(folder: Path, serial: str) -> EventLog:
    paths = Paths(folder / serial)
    paths.data_qx.mkdir(parents=True, exist_ok=True)
    return EventLog(paths, serial, gather=0.01)


def both(work: Callable[[Unit, Unit, EventLog, EventLog], Awaitable[None]], folder: Path) -> None:
    async def whole(a: Unit, b: Unit) -> None:
        one, other = log_of(folder, A), log_of(folder, B)
        ours, theirs = EventsPart(one), EventsPart(other)
        a.parts, b.parts = [ours], [theirs]
        try:
            await work(a, b, one, other)
        finally:
            ours.close()
            theirs.close()
            one.close()
            other.close()

    run(whole, folder)


def known(log: EventLog) -> dict[str, tuple[Any, ...]]:
    """What a log knows, without what is its own."""
    return {e.uid: (e.unit, e.name, e.time, e.state, e.cleared, e.owed) for e in log.recent()}


def test_what_happens_on_one_unit_is_seen_on_both(tmp_path: Path) -> None:
    """R33: events of the pair, their reading, and what is owed of them; each keeps its owner."""

    async def work(a: Unit, b: Unit, one: EventLog, other: EventLog) -> None:
        before = one.add("critical", "Backup device is DOWN")
        await Line(a, b).join()
        there = other.add("warning", "LAN link is down")
        await until(lambda: len(one.recent()) == len(other.recent()) == 2)
        one.owe(there.uid, ("mail:x@example.com", "snmp:noc"))
        await until(lambda: (other.get(there.uid) or there).owed is not None)
        other.mark_read()
        one.paid(there.uid, "mail:x@example.com")
        await until(lambda: known(one) == known(other))
        assert (one.get(there.uid) or there).owed == ("snmp:noc",)
        assert (one.get(before.uid) or there).state == "read"
        assert [e.unit for e in other.recent()] == [B, A]

    both(work, tmp_path)


def test_they_meet_again_with_what_each_learned_alone(tmp_path: Path) -> None:
    """R34: after a split both know all, a delivery that either made is made, and nothing comes twice."""

    async def work(a: Unit, b: Unit, one: EventLog, other: EventLog) -> None:
        shared = one.add("critical", "fault")
        one.owe(shared.uid, ("mail:a@x", "mail:b@x", "sms:1"))
        line = await Line(a, b).join()
        await until(lambda: known(one) == known(other))
        await line.cut()
        one.paid(shared.uid, "mail:a@x")
        other.paid(shared.uid, "sms:1")
        other.mark_read()
        for number in range(30):
            one.add("info", f"on a {number}")
            other.add("info", f"on b {number}")
        await Line(a, b).join()
        await until(lambda: known(one) == known(other))
        assert (one.get(shared.uid) or shared).owed == ("mail:b@x",)
        assert len(one.recent()) == 61

    both(work, tmp_path)


def test_a_session_that_breaks_anywhere_loses_nothing(tmp_path: Path) -> None:
    """R33: at random octets, with events on both units all the time."""
    seeded = choices("events part")

    async def work(a: Unit, b: Unit, one: EventLog, other: EventLog) -> None:
        for _ in range(count(10, 100)):
            line = await Line(a, b, cut_after=seeded.randrange(8000)).join()
            for log in (one, other):
                for number in range(seeded.randrange(20)):
                    made = log.add(seeded.choice(("info", "critical")), f"e{number}")
                    if seeded.random() < 0.5:
                        log.owe(made.uid, ("mail:a@x",))
            await asyncio.sleep(0.005)
            await line.cut()
        await Line(a, b).join()
        await until(lambda: known(one) == known(other))

    both(work, tmp_path)


def test_a_burst_crosses_bounded(tmp_path: Path) -> None:
    """R34: 10,000 events at once: neither unit keeps a queue of them, and both end with the same."""

    async def work(a: Unit, b: Unit, one: EventLog, other: EventLog) -> None:
        await Line(a, b).join()
        for number in range(10_000):
            one.add("info", f"event {number}")
        await until(lambda: known(one) == known(other))
        assert len(other.recent()) == 500
        assert sum(other.dropped.values()) < 1500, "what was gone already did not cross"

    both(work, tmp_path)


@pytest.mark.parametrize(
    ("kind", "body"),
    [(KNOWN, 3), (KNOWN, (1, 2)), (SAID, None), (SAID, ({},)), (SAID, ("text",)), (78, ()),
     (SAID, ({"id": 1, "time": "now"},)), (KNOWN, (("u",),) * 3000)],
)  # fmt: skip
def test_another_shape_ends_the_session_and_changes_nothing(tmp_path: Path, kind: int, body: Any) -> None:
    """Bad input: from a peer that authenticated and is wrong all the same."""

    async def work(a: Unit, b: Unit, one: EventLog, other: EventLog) -> None:
        one.add("info", "there")
        before = known(one)
        with pytest.raises(BadMessage, match="events: message of kind"):
            a.parts[0].received(kind, body)
        assert known(one) == before

    both(work, tmp_path)


def test_merging_has_no_order() -> None:
    """R34: associative, commutative, idempotent: whatever crosses, both come to the same."""
    seeded = random.Random(7)
    ways = ("mail:a", "mail:b", "sms:1")

    def some() -> Event:
        owed = None if seeded.random() < 0.3 else tuple(way for way in ways if seeded.random() < 0.6)
        record = {"id": 1, "time": 1.0, "monotonic": 1.0, "unit": A, "source": "x", "severity": "info",
                  "name": "x", "description": "", "uid": "0" * 16, "owed": owed,
                  "state": seeded.choice(("new", "read")), "cleared": seeded.random() < 0.5}  # fmt: skip
        return event(record)

    for _ in range(300):
        one, two, three = some(), some(), some()
        assert merged(one, two) == merged(two, one)
        assert merged(merged(one, two), three) == merged(one, merged(two, three))
        assert merged(one, one) == one
