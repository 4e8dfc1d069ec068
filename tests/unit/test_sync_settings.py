# SPDX-License-Identifier: Apache-2.0
"""Settings cross from Master to Backup over a real wire, and a commit waits for it (R5, R8, R13-R16)."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sync_bench import Line, Unit, history, in_step, joined, run, same

from qx.errors import Refusal
from qx.sync.leader import BATCH, WINDOW
from waiting import until


def test_a_commit_is_durable_on_the_backup(tmp_path: Path) -> None:
    """R13, R16: from factory state on, each commit as it happens, and known to be durable."""

    async def work(a: Unit, b: Unit) -> None:
        line = await joined(a, b)
        await in_step(a, b)
        for number in range(20):
            await a.commit({"mail.user": f"u{number}"})
            assert await a.sync.durable(a.store.position, 1.0)
            assert same(a, b)
        assert b.store.settings["mail.user"] == "u19"
        assert b.applied == [frozenset({"mail.user"})] * 20
        await line.cut()
        assert not await a.sync.durable(a.store.position, 1.0)

    run(work, tmp_path)


def test_the_roles_change_while_the_session_is_up(tmp_path: Path) -> None:
    """R8: both begin anew; what the new Master commits opens its history and crosses back."""

    async def work(a: Unit, b: Unit) -> None:
        await joined(a, b)
        for term in range(1, 7):
            master, backup = (a, b) if term % 2 else (b, a)
            for unit in (backup, master) if term % 3 else (master, backup):
                unit.sync.role(unit is master)
                await asyncio.sleep(0.01 * (term % 2))
            await master.run_in_store(lambda store, term=term: store.open_history(term))
            await master.commit({"mail.user": f"term{term}"})
            await in_step(master, backup)
        assert [h.term for h in a.store.standing.histories] == [1, 2, 3, 4, 5, 6]
        assert a.conflicts.found() == b.conflicts.found() == []

    run(work, tmp_path)


@pytest.mark.parametrize(
    ("master", "backup", "crosses"),
    [("1.0.0", "1.0.0", True), ("1.0.0", "1.1.0", True), ("1.1.0", "1.0.0", False), ("1.0.0", "next", False)],
)
def test_settings_cross_to_newer_firmware_and_never_back(
    tmp_path: Path, master: str, backup: str, crosses: bool
) -> None:
    """R5: a Master with newer firmware says so, on both units, and how old the other's state is."""

    async def work(a: Unit, b: Unit) -> None:
        a.sync._means = replace(a.sync._means, firmware=master)
        a.firmware, b.firmware = master, backup
        history(a.store, 3)
        await joined(a, b)
        if crosses:
            await in_step(a, b)
            return
        await until(lambda: b.sync.status()["state"].startswith("held: "))
        assert a.sync.status()["state"] == (
            f"held: the other unit has older firmware ({backup}, here {master})"
        )
        assert b.store.position.empty
        assert not await a.sync.durable(a.store.position, 5.0)
        assert b.sync.status()["age_s"] is None

    run(work, tmp_path)


def test_a_reconcile_of_what_is_the_same_costs_few_octets(tmp_path: Path) -> None:
    """R15: standing and state hash compared, 5,000 settings or none; at most 300 octets."""

    async def work(a: Unit, b: Unit) -> None:
        values = {f"extensions.{1000 + n}.name": "x" for n in range(100)}
        await a.commit(values)  # type: ignore[arg-type]
        line = await joined(a, b)
        await in_step(a, b)
        before = sum(line.octets)
        for unit, most in ((a, 200), (b, 500)):
            unit.sync.reconcile()
            await asyncio.sleep(0.1)
            spent, before = sum(line.octets) - before, sum(line.octets)
            assert 50 < spent <= most
        await in_step(a, b)

    run(work, tmp_path)


def test_who_waits_goes_on_waiting_while_the_backup_begins_anew(tmp_path: Path) -> None:
    """SPEC "acknowledged": `qx sync now` on the Backup in the middle of a commit."""

    async def work(a: Unit, b: Unit) -> None:
        history(a.store, 1)
        await joined(a, b)
        await in_step(a, b)
        for number in range(30):
            await a.commit({"mail.user": f"u{number}"})
            waiting = asyncio.ensure_future(a.sync.durable(a.store.position, 5.0))
            await asyncio.sleep(0)
            b.sync.reconcile()
            assert await waiting
        await in_step(a, b)
        assert b.events == []

    run(work, tmp_path)


# --- waiting for the Backup ---------------------------------------------------------------------------------
def test_waiting_ends_at_once_where_it_is_in_vain(tmp_path: Path) -> None:
    """SPEC "acknowledged": a commit waits up to 200 ms, and not at all where nobody answers."""

    async def work(a: Unit, b: Unit) -> None:
        history(a.store, 1)
        for role in (None, False, True):
            a.sync.role(role)
            assert not await asyncio.wait_for(a.sync.durable(a.store.position, 60.0), 0.5)
        with pytest.raises(Refusal, match="no session with the other unit"):
            await a.sync.flush(60.0)
        line = await joined(a, b)
        await in_step(a, b)
        await a.sync.flush(1.0)
        # A Backup that does not answer: its store is busy.
        hold = threading.Event()
        held = asyncio.ensure_future(b.run_in_store(lambda _: hold.wait(5)))
        revision = await a.commit({"mail.user": "slow"})
        began = time.monotonic()
        assert not await a.sync.durable(a.store.position, 0.2)
        assert 0.2 <= time.monotonic() - began < 0.3
        with pytest.raises(Refusal, match=f"the other unit has revision 1 of {revision.rev}"):
            await a.sync.flush(0.1)
        assert a.sync.status()["state"] == "behind"
        assert a.sync.status()["lag"] == 1
        waiting = asyncio.ensure_future(a.sync.durable(a.store.position, 60.0))
        await asyncio.sleep(0.05)
        await line.cut()
        assert await asyncio.wait_for(waiting, 0.5) is False
        hold.set()
        await held

    run(work, tmp_path)


def test_two_changes_of_one_size_within_a_moment(tmp_path: Path) -> None:
    """R13: rsync, unison and csync2 each miss the second; here none of 100 is missed."""

    async def work(a: Unit, b: Unit) -> None:
        await joined(a, b)
        await in_step(a, b)
        for number in range(100):
            await a.commit({"mail.user": f"a{number:04}"})
            await a.commit({"mail.user": f"b{number:04}"})
            await a.sync.flush(5.0)
            assert b.store.settings["mail.user"] == f"b{number:04}"

    run(work, tmp_path)


@pytest.mark.parametrize("pace", [0.0, 0.002])
def test_many_commits_at_once_all_arrive(tmp_path: Path, pace: float) -> None:
    """R16: more than may be on its way; the rest waits in the log, each commit is acknowledged, and nothing
    overtakes on a slow line."""

    async def work(a: Unit, b: Unit) -> None:
        a.sync.role(True)
        b.sync.role(False)
        await Line(a, b, pace=pace).join()
        await in_step(a, b)
        big = "x" * 60
        for number in range(80):
            changes = {f"extensions.{1000 + n}.name": f"{big[: n % 50]}{number % 7}" for n in range(400)}
            await a.commit(changes)  # type: ignore[arg-type]
            if number % 20 == 19:
                await a.commit({"mail.user": f"u{number}"})
        assert sum(map(len, a.store.log.frames(0))) > 2 << 20
        assert await a.sync.durable(a.store.position, 10.0)
        await in_step(a, b)
        assert b.store.log.fault(b.store.position) == ""
        assert not b.sync._past.strikes

    run(work, tmp_path)


def test_no_more_is_on_its_way_than_memory_has_room_for(tmp_path: Path) -> None:
    """R16: a Backup whose flash hangs: the log of the Master keeps what is beyond the window."""

    async def work(a: Unit, b: Unit) -> None:
        line = await joined(a, b)
        await in_step(a, b)
        hold = threading.Event()
        held = asyncio.ensure_future(b.run_in_store(lambda _: hold.wait(30)))
        frame = 0
        for number in range(90):
            changes = {f"extensions.{1000 + n}.name": f"{'x' * 40}{number % 7}" for n in range(400)}
            frame = max(frame, len((await a.commit(changes)).frame))  # type: ignore[arg-type]
        await asyncio.sleep(0.2)
        assert WINDOW < line.octets[0] < WINDOW + BATCH + 2 * frame + 1000
        assert a.sync.status()["lag"] == 90
        hold.set()
        await held
        await in_step(a, b)
        assert not b.sync._past.strikes

    run(work, tmp_path)
