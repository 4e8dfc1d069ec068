# SPDX-License-Identifier: Apache-2.0
"""R18: live state crosses within a second of its change, whole where it must, and outlives the session."""

from __future__ import annotations

import asyncio
import random
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sync_bench import Line, Unit, run

from qx.errors import Refusal
from qx.redundancy.peer.message import BadMessage
from qx.sync import live
from qx.sync.live import LiveState, Tables
from waiting import until


def both(
    work: Callable[[Line, LiveState, LiveState], Awaitable[None]], folder: Path, join: bool = True
) -> None:
    """Runs `work(line, a, b)`; a is Master, b Backup."""

    async def whole(a: Unit, b: Unit) -> None:
        one, other = LiveState(), LiveState()
        a.parts, b.parts = [one], [other]
        one.role(True)
        other.role(False)
        line = Line(a, b)
        await work(await line.join() if join else line, one, other)

    run(whole, folder)


def equal(a: LiveState, b: LiveState) -> bool:
    return a._tables.tables == b._tables.tables and a._tables.sum == b._tables.sum


def test_a_change_crosses_within_a_second(tmp_path: Path) -> None:
    """R18: put, put again, drop; the last value wins, and whoever asked is told."""

    async def work(line: Line, a: LiveState, b: LiveState) -> None:
        told: list[frozenset[str]] = []
        b.subscribe("registrations", told.append)
        await until(lambda: a.in_step and b.in_step)
        began = time.monotonic()
        for number in range(50):
            a.put("registrations", "101", b"contact %d" % number)
        a.put("registrations", "102", b"x")
        await until(lambda: equal(a, b))
        assert time.monotonic() - began < 1.0
        assert b.table("registrations") == {"101": b"contact 49", "102": b"x"}
        assert told == [frozenset({"101", "102"})]  # one message, not fifty
        a.drop("registrations", "101")
        a.drop("registrations", "never there")
        await until(lambda: equal(a, b))
        assert b.table("registrations") == {"102": b"x"}
        assert told[1:] == [frozenset({"101"})]
        await until(lambda: a.status() == {"rows": 1, "octets": 4, "waiting": 0, "in_step": True})

    both(work, tmp_path)


def test_the_backup_keeps_what_it_has_and_catches_up(tmp_path: Path) -> None:
    """R18: it may have to serve it; what is gone meanwhile is gone after the next whole copy."""

    async def whole(a: Unit, b: Unit) -> None:
        one, other = LiveState(), LiveState()
        a.parts, b.parts = [one], [other]
        one.role(True)
        other.role(False)
        for number in range(3):
            one.put("dialogs", f"call-{number}", b"tags")
        line = await Line(a, b).join()
        await until(lambda: equal(one, other))
        await line.cut()
        assert len(other.table("dialogs")) == 3
        assert not one.in_step
        one.drop("dialogs", "call-1")
        one.put("dialogs", "call-7", b"new")
        line = await Line(a, b).join()
        await until(lambda: one.in_step and equal(one, other))
        assert sorted(other.table("dialogs")) == ["call-0", "call-2", "call-7"]
        # The roles change while the session is up: what the new Master says goes to the other.
        one.role(None)
        other.role(True)
        one.role(False)
        other.put("dialogs", "call-8", b"here")
        await until(lambda: other.in_step and equal(one, other))
        assert one.table("dialogs")["call-8"] == b"here"
        await line.cut()

    run(whole, tmp_path)


def test_what_came_before_this_unit_was_backup_comes_again(tmp_path: Path) -> None:
    """R10, R18: a split that is shorter than the session's patience. Each unit is Master and drops what the
    other says; the one that goes back to Backup asks for it, and nobody waits for an answer in vain."""

    async def work(line: Line, a: LiveState, b: LiveState) -> None:
        a.put("registrations", "101", b"x")
        await until(lambda: a.in_step and b.in_step)
        b.role(True)
        b.put("registrations", "102", b"b's own")
        a.put("registrations", "103", b"y")
        await until(lambda: not a._changed)  # its round is under way, and b drops it
        await asyncio.sleep(3 * live.GATHER)
        b.role(False)
        await until(lambda: a.in_step and b.in_step and equal(a, b))
        assert b.table("registrations") == {"101": b"x", "103": b"y"}
        a.put("registrations", "104", b"z")
        await until(lambda: a.in_step and equal(a, b))

    both(work, tmp_path)


def test_a_master_that_started_anew_is_told_of(tmp_path: Path) -> None:
    """R18: its Backup's rows give way to its own, and are handed on before; once, and not where the Master is
    the one that they came from, or had them from this unit."""

    async def whole(a: Unit, b: Unit) -> None:
        one, other, given = LiveState(), LiveState(), []
        other.given_up = given.append

        async def met(master: LiveState) -> Line:
            a.parts, b.parts = [master], [other]
            master.role(True)
            other.role(False)
            line = await Line(a, b).join()
            await until(lambda: master.in_step and equal(master, other))
            return line

        one.put("registrations", "101", b"x")
        await (await met(one)).cut()
        await (await met(one)).cut()
        assert not given
        anew = LiveState()
        anew.put("registrations", "102", b"y")
        line = await met(anew)
        assert given == [{"registrations": {"101": b"x"}}]
        anew.given_up = given.append
        anew.role(None)  # the roles change: what there is came from here
        other.role(True)
        anew.role(False)
        await until(lambda: other.in_step and equal(anew, other))
        await line.cut()
        assert len(given) == 1

    run(whole, tmp_path)


def test_a_backup_is_asked_for_nothing(tmp_path: Path) -> None:
    """R18: a unit that was Master a moment ago hears what was meant for the Master."""

    async def work(line: Line, a: LiveState, b: LiveState) -> None:
        a.put("registrations", "101", b"x")
        await until(lambda: a.in_step and b.in_step)
        b.received(live.HERE, None)
        assert b.in_step
        a.put("registrations", "102", b"y")
        await until(lambda: a.in_step and equal(a, b))

    both(work, tmp_path)


def test_a_unit_whose_role_comes_later_than_its_session(tmp_path: Path) -> None:
    """R18: the Master's whole copy came while this unit was neither Master nor Backup."""

    async def work(line: Line, a: LiveState, b: LiveState) -> None:
        b.role(None)
        a.put("registrations", "101", b"x")
        await line.join()
        await asyncio.sleep(3 * live.GATHER)
        assert not a.in_step
        b.role(False)
        await until(lambda: a.in_step and b.in_step and equal(a, b))

    both(work, tmp_path, join=False)


def test_what_changes_during_a_whole_copy_is_not_lost(tmp_path: Path) -> None:
    """R18: 20,000 rows cross while rows come, change and go."""

    async def work(line: Line, a: LiveState, b: LiveState) -> None:
        values = random.Random(7)
        for number in range(20_000):
            a.put("registrations", str(number), values.randbytes(100))
        copies: list[int] = []
        send = line.ends[0].send

        def counted(kind: int, body: Any, *, bulk: bool = False) -> None:
            copies.extend([1] if kind == live.BEGIN else [])
            send(kind, body, bulk=bulk)

        line.ends[0].send = counted  # type: ignore[method-assign]
        await line.join()
        for _ in range(200):
            for _ in range(20):
                key = str(values.randrange(21_000))
                if values.random() < 0.3:
                    a.drop("registrations", key)
                else:
                    a.put("registrations", key, values.randbytes(60))
            await asyncio.sleep(0.001)
        await until(lambda: a.in_step and not a._changed and equal(a, b))
        assert copies == [1]

    both(work, tmp_path, join=False)


def test_a_difference_is_noticed_and_everything_sent_again(tmp_path: Path) -> None:
    """R18: the count and the sum at the end of each round."""

    async def work(line: Line, a: LiveState, b: LiveState) -> None:
        for number in range(10):
            a.put("registrations", str(number), b"x")
        await until(lambda: a.in_step and equal(a, b))
        b._tables.set("registrations", "3", b"flipped")
        b._tables.set("ghosts", "1", b"never on the Master")
        a.put("registrations", "11", b"y")
        await until(lambda: equal(a, b))
        assert not b.table("ghosts")

    both(work, tmp_path)


def test_a_copy_that_is_cut_anywhere_is_made_good(tmp_path: Path) -> None:
    """R18: every row that the Backup has is one that the Master had; after the next copy all are the same."""

    async def whole(a: Unit, b: Unit) -> None:
        one, other = LiveState(0.002), LiveState(0.002)
        a.parts, b.parts = [one], [other]
        one.role(True)
        other.role(False)
        dice = random.Random(3)
        had: set[tuple[str, bytes]] = set()
        for _ in range(60):
            line = await Line(a, b, cut_after=dice.randrange(30_000)).join()
            while not line.broken:
                for _ in range(20):
                    key, value = str(dice.randrange(60)), dice.randbytes(dice.randrange(1, 300))
                    if dice.random() < 0.2:
                        one.drop("registrations", key)
                    else:
                        one.put("registrations", key, value)
                        had.add((key, value))
                await asyncio.sleep(0.001)
            await line.cut()
            assert set(other.table("registrations").items()) <= had
        line = await Line(a, b).join()
        await until(lambda: one.in_step and equal(one, other))
        await line.cut()

    run(whole, tmp_path)


def test_a_backup_takes_no_rows_of_its_own(tmp_path: Path) -> None:
    """R18: there is one writer."""

    async def work(line: Line, a: LiveState, b: LiveState) -> None:
        a.put("registrations", "1", b"x")
        await until(lambda: equal(a, b))
        for change in (lambda: b.put("registrations", "1", b"y"), lambda: b.drop("registrations", "1")):
            with pytest.raises(Refusal, match="this unit is Backup"):
                change()
        assert equal(a, b)

    both(work, tmp_path)


# --- bounds -------------------------------------------------------------------------------------------------
def full(monkeypatch: pytest.MonkeyPatch, **bounds: int) -> Tables:
    for name, bound in bounds.items():
        monkeypatch.setattr(live, name, bound)
    return Tables()


@pytest.mark.parametrize(
    ("table", "key", "value", "said"),
    [
        ("", "k", b"", "a table's name of 0 characters"),
        ("x" * 33, "k", b"", "a table's name of 33 characters"),
        ("t", "", b"", "a key of 0 characters"),
        ("t", "k" * 257, b"", "a key of 257 characters"),
        ("t", "k", bytes(4097), "a value of 4097 octets"),
    ],
)
def test_what_is_too_long_is_refused(table: str, key: str, value: bytes, said: str) -> None:
    """Limits, in words; nothing is changed."""
    tables = Tables()
    with pytest.raises(Refusal, match=said):
        tables.set(table, key, value)
    assert tables == Tables()
    assert tables.set("x" * 32, "k" * 256, bytes(4096))


def test_tables_rows_and_octets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """At, below and above each bound; what is replaced or dropped makes room."""
    tables = Tables()
    for number in range(8):
        tables.set(f"t{number}", "k", b"v")
    with pytest.raises(Refusal, match="one table too many; expected at most 8"):
        tables.set("t8", "k", b"v")
    tables.set("t0", "k", None)
    assert tables.set("t8", "k", b"v")
    tables = full(monkeypatch, ROWS_MAX=5)
    for number in range(5):
        tables.set("t", str(number), b"v")
    with pytest.raises(Refusal, match="one row too many; expected at most 5"):
        tables.set("t", "5", b"v")
    assert tables.set("t", "4", b"w")
    tables = full(monkeypatch, OCTETS_MAX=10)
    assert tables.set("t", "k", bytes(9))
    with pytest.raises(Refusal, match="expected at most 10 octets"):
        tables.set("t", "l", b"")
    with pytest.raises(Refusal, match="expected at most 10 octets"):
        tables.set("t", "k", bytes(10))
    assert (tables.rows, tables.octets, tables.tables) == (1, 10, {"t": {"k": bytes(9)}})


def test_a_full_master_crosses_onto_a_full_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old rows go at the end of a copy: until then there are both."""
    monkeypatch.setattr(live, "ROWS_MAX", 50)

    async def work(line: Line, a: LiveState, b: LiveState) -> None:
        for number in range(50):
            a.put("new", str(number), b"x")
            b._tables.set("old", str(number), b"x")
        await line.join()
        await until(lambda: a.in_step and equal(a, b))
        assert len(b.table("new")) == 50
        # At the bound: one goes, one comes and one comes back, in one round.
        a.drop("new", "1")
        a.put("new", "fifty", b"x")
        a.drop("new", "2")
        a.put("new", "1", b"again")
        await until(lambda: a.in_step and not a._changed and equal(a, b))

    both(work, tmp_path, join=False)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (live.ROWS, None), (live.ROWS, (1, True, "t")), (live.ROWS, (1, True, 5, ())),
        (live.ROWS, (1, True, "t", (("k", "text"),))), (live.ROWS, (1, True, "t", ((1, b""),))),
        (live.ROWS, (1, True, "t", (("k", bytes(4097)),))), (live.END, (1, True, -1, bytes(16))),
        (live.END, (1,)), (live.BEGIN, ("x", bytes(8))), (live.BEGIN, 7), (live.BEGIN, (7, bytes(7))),
        (live.BEGIN, (7, "origin")), (live.BEGIN, (7,)), (55, ()),
    ],
)  # fmt: skip
def test_a_message_of_another_shape_ends_the_session(tmp_path: Path, kind: int, body: Any) -> None:
    """R17: said by name, and nothing is changed."""

    async def work(line: Line, a: LiveState, b: LiveState) -> None:
        await until(lambda: b.in_step)
        with pytest.raises(BadMessage, match="live state"):
            b.received(kind, body)
        assert not b._tables.tables

    both(work, tmp_path)


def test_two_thousand_registrations_are_small() -> None:
    """R18: 300 octets each, on a unit with 32 MB for everything: below 2 MB."""
    values = random.Random(1)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tables = Tables()
    for number in range(2000):
        tables.set("registrations", f"sip:{10000 + number}@example", values.randbytes(300))
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert 600_000 < used < 1_500_000
