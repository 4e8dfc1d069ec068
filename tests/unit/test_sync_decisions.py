# SPDX-License-Identifier: Apache-2.0
"""Two units meet over a real wire: every row of the decision table, end to end (R5, R10, R16)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sync_bench import Line, Unit, history, in_step, joined, run, split

from qx.errors import Refusal
from qx.settings.lineage import Action
from waiting import until


def test_both_in_factory_state(tmp_path: Path) -> None:
    """R5: nothing to send, and the first commit crosses."""

    async def work(a: Unit, b: Unit) -> None:
        await joined(a, b)
        await in_step(a, b)
        assert a.store.position.empty
        await a.commit({"mail.user": "x"})
        await in_step(a, b)
        assert (a.events, b.events, a.decisions) == ([], [], [])

    run(work, tmp_path)


def test_an_empty_backup_gets_a_snapshot(tmp_path: Path) -> None:
    """R5: the second unit of a pair, and what is its own stays."""

    async def work(a: Unit, b: Unit) -> None:
        history(a.store, 5)
        b.store.commit({"redundancy.backup_mode": "passive"}, "admin", "set")
        await joined(a, b)
        await in_step(a, b)
        assert b.store.settings["redundancy.backup_mode"] == "passive"
        assert b.conflicts.found() == []
        assert b.applied[0] >= {"mail.user", "extensions.100.name"}

    run(work, tmp_path)


def test_a_backup_that_was_away_gets_the_deltas(tmp_path: Path) -> None:
    """R16: resumed where it stopped, with the log of the Master, and across a change of history."""

    async def work(a: Unit, b: Unit) -> None:
        history(a.store, 3)
        b.store.apply_deltas(a.store.log.frames(0))
        history(a.store, 20, 3)
        a.store.open_history(5)
        history(a.store, 20, 23)
        line = await joined(a, b)
        await in_step(a, b)
        assert b.store.log.frames(0) == a.store.log.frames(0)
        assert b.store.standing.histories == a.store.standing.histories
        assert line.octets[0] < 30_000

    run(work, tmp_path)


def test_where_the_log_was_dropped_a_snapshot_crosses(tmp_path: Path) -> None:
    """R16: a Backup that was away for longer than the log reaches back loses nothing by it."""

    async def work(a: Unit, b: Unit) -> None:
        history(a.store, 3)
        b.store.apply_deltas(a.store.log.frames(0))
        a.store._log._most, a.store._log._most_octets = 2, 500
        history(a.store, 10, 3)
        assert (a.store.log.first or 0) > 4
        await joined(a, b)
        await in_step(a, b)
        assert b.conflicts.found() == []

    run(work, tmp_path)


def test_first_pairing_of_two_units_with_data(tmp_path: Path) -> None:
    """R5, R10: strangers with keys for each other; nothing of either is lost."""

    async def work(a: Unit, b: Unit) -> None:
        history(a.store, 3)
        history(b.store, 5)
        kept = b.store.snapshot()
        await joined(a, b)
        await in_step(a, b)
        assert b.conflicts.read(1).snapshot == kept
        assert b.conflicts.read(1).parting == 0
        assert len(b.conflicts.read(1).frames) == 5

    run(work, tmp_path)


def test_first_pairing_with_a_unit_that_has_only_its_own(tmp_path: Path) -> None:
    """R5: redundancy, network and password settings give way without a conflict snapshot."""

    async def work(a: Unit, b: Unit) -> None:
        history(a.store, 3)
        b.store.commit({"redundancy.group_id": 9}, "admin", "set")
        await joined(a, b)
        await in_step(a, b)
        assert b.conflicts.found() == []

    run(work, tmp_path)


def test_a_bare_master_hands_over(tmp_path: Path) -> None:
    """R5: the data is on the other unit; the roles change, and it crosses."""

    async def work(a: Unit, b: Unit) -> None:
        a.store.commit({"redundancy.group_id": 9}, "admin", "set")
        history(b.store, 3)
        kept = b.store.snapshot()
        await joined(a, b)
        await until(lambda: a.decisions and not b.sync.status()["state"].startswith("waiting"))
        assert a.decisions[0].action == Action.HAND_OVER
        assert a.sync.status()["state"].startswith("hand over: ")
        assert b.sync.status()["state"].startswith("hand over: ")
        assert b.sync.ahead and not a.sync.ahead
        assert b.store.snapshot() == kept
        a.sync.role(False)
        b.sync.role(True)
        await in_step(b, a)
        assert b.store.snapshot() == kept
        assert not b.sync.ahead and not a.sync.ahead

    run(work, tmp_path)


@pytest.mark.parametrize("empty_first", [True, False])
@pytest.mark.parametrize("session_first", [True, False])
def test_a_factory_reset_meets_data_in_every_order(
    tmp_path: Path, empty_first: bool, session_first: bool
) -> None:
    """R5, R16 (Redis): emptiness never crosses; the empty unit takes the data once it is Backup."""

    async def work(empty: Unit, full: Unit) -> None:
        history(full.store, 4)
        kept = full.store.snapshot()
        line = Line(empty, full)
        if session_first:
            await line.join()
        roles = [lambda: empty.sync.role(True), lambda: full.sync.role(False)]
        for take in roles if empty_first else roles[::-1]:
            take()
            await asyncio.sleep(0.02)
        if not session_first:
            await line.join()
        await until(lambda: empty.decisions)
        assert empty.decisions[0].action == Action.STOP
        await until(lambda: "Synchronization stopped" in empty.names())
        assert full.store.snapshot() == kept
        with pytest.raises(Refusal, match="factory state"):
            await empty.sync.flush(0.1)
        empty.sync.role(False)
        full.sync.role(True)
        await in_step(full, empty)
        assert full.store.snapshot() == kept

    run(work, tmp_path)


def test_two_masters_send_nothing(tmp_path: Path) -> None:
    """R10: synchronisation never elects."""

    async def work(a: Unit, b: Unit) -> None:
        split(a, b)
        kept = a.store.snapshot(), b.store.snapshot()
        a.sync.role(True)
        b.sync.role(True)
        await Line(a, b).join()
        await until(lambda: a.decisions)
        assert a.decisions[0].action == Action.BOTH_MASTERS
        await asyncio.sleep(0.1)
        assert (a.store.snapshot(), b.store.snapshot()) == kept
        b.sync.role(None)
        await asyncio.sleep(0.05)
        assert a.sync.status()["state"] == "waiting for the Backup"
        b.sync.role(False)
        await in_step(a, b)
        assert b.conflicts.read(1).snapshot == kept[1]

    run(work, tmp_path)
