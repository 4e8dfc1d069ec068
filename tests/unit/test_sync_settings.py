# SPDX-License-Identifier: Apache-2.0
"""Settings cross from Master to Backup over a real wire: every row of the decision table (R5, R10, R13)."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from settings_bench import new, opened
from sync_bench import Line, Unit, in_step, run, same, until

from qx.control.conflict_operations import merging
from qx.errors import Refusal
from qx.settings.lineage import Action
from qx.settings.store import Store
from qx.sync import messages
from qx.sync.leader import BATCH, WINDOW
from qx.sync.messages import Said
from qx.sync.passing import PASSED
from qx.sync.staging import digest_of


async def joined(a: Unit, b: Unit) -> Line:
    """a is Master, b Backup."""
    a.sync.role(True)
    b.sync.role(False)
    return await Line(a, b).join()


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


def history(store: Store, revisions: int, first: int = 0) -> None:
    for number in range(first, first + revisions):
        store.commit({"mail.user": f"u{number}", f"extensions.{100 + number}.name": "x"}, "admin", "set")


def events(unit: Unit, name: str) -> list[str]:
    return [said for _, told, said in unit.events if told == name]


# --- the decision table, end to end -------------------------------------------------------------------------
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


def split(a: Unit, b: Unit) -> None:
    """Both had the same, and each went on by itself: b was promoted."""
    history(a.store, 3)
    b.store.apply_deltas(a.store.log.frames(0))
    history(a.store, 2, 10)
    b.store.open_history(7)
    for number in range(4):
        b.store.commit({"mail.user": f"loser{number}", "mail.password": "s3cret"}, "admin", "set")


def test_after_a_split_the_loser_keeps_a_conflict_snapshot(tmp_path: Path) -> None:
    """R10: the Master's settings everywhere, the loser's byte for byte in a conflict snapshot."""

    async def work(a: Unit, b: Unit) -> None:
        split(a, b)
        kept, tail, position = b.store.snapshot(), b.store.log.frames(3), b.store.position
        before = a.store.snapshot()
        await joined(a, b)
        await in_step(a, b)
        assert a.store.snapshot() == before
        (found,) = b.conflicts.found()
        conflict = b.conflicts.read(found.number)
        assert (conflict.snapshot, list(conflict.frames)) == (kept, tail)
        assert (conflict.position, conflict.theirs, conflict.parting) == (position, a.store.position, 3)
        assert (conflict.unit, conflict.peer, conflict.voice) == ("QX200-B", "QX200-A", ("greeting.wav",))
        assert len(tail) == 4
        assert events(b, "Conflict snapshot")[0].startswith("conflict 1: ")
        assert "QX200-B" in events(a, "Conflict snapshot")[0]
        await a.commit({"mail.user": "on"})
        await in_step(a, b)
        assert len(b.conflicts.found()) == 1
        said = str([*a.events, *b.events, a.sync.status(), b.sync.status()])
        assert "s3cret" not in said

    run(work, tmp_path, voice=lambda: ("greeting.wav",))


def test_a_master_that_lost_its_tail_uses_no_revision_twice(tmp_path: Path) -> None:
    """R16: restored from an older copy, it begins a new history before it goes on."""

    async def work(a: Unit, b: Unit) -> None:
        history(a.store, 3)
        b.store.apply_deltas(a.store.log.frames(0))
        b.store.apply_deltas([ahead := _next_frame(a, tmp_path)])
        await joined(a, b)
        await in_step(a, b)
        lost = b.conflicts.read(1)
        assert (lost.position.rev, lost.frames, lost.parting) == (4, (ahead,), 3)
        await a.commit({"mail.user": "other"})
        await in_step(a, b)
        assert a.store.position.history != lost.position.history
        assert [h.fork_rev for h in a.store.standing.histories] == [0, 3]

    run(work, tmp_path)


def _next_frame(a: Unit, folder: Path) -> bytes:
    """The delta that a store with the content of a's would make next."""
    (folder / "c").mkdir()
    (folder / "c/settings.db").write_bytes(b"")
    with opened(new(folder / "c")) as c:
        c.apply_deltas(a.store.log.frames(0))
        return c.commit({"mail.user": "lost"}, "admin", "set").frame


def test_one_position_with_two_contents_is_an_alarm(tmp_path: Path) -> None:
    """R16: flash gave back something else: both look through theirs, the Backup's is kept and replaced."""

    async def work(a: Unit, b: Unit) -> None:
        history(a.store, 3)
        b.store.apply_deltas(a.store.log.frames(0))
        b.store._state = b.store._state.replaced({"mail.user": "flipped"})
        line = await joined(a, b)
        await in_step(a, b)
        assert b.conflicts.read(1).action == "corrupt"
        assert "here: as written" in events(a, "Settings differ")[0]
        assert "damaged" in events(b, "Settings differ")[0] or "holds" in events(b, "Settings differ")[0]
        # And while the session is up, where only the comparison can notice it.
        b.store._state = b.store._state.replaced({"mail.user": "flipped again"})
        a.sync.reconcile()
        await until(lambda: len(b.conflicts.found()) == 2)
        await in_step(a, b)
        assert not line.broken

    run(work, tmp_path)


def test_a_damaged_master_spreads_nothing(tmp_path: Path) -> None:
    """R16: it is the Master's own content that is not what was written."""

    async def work(a: Unit, b: Unit) -> None:
        history(a.store, 3)
        b.store.apply_deltas(a.store.log.frames(0))
        before = b.store.snapshot()
        a.store._db._db.execute("UPDATE kv SET v = (SELECT v FROM kv WHERE path = 'extensions.100.name') "
                                "WHERE path = 'mail.user'")  # fmt: skip
        a.store._state = a.store._state.replaced({"mail.user": "x"})
        await joined(a, b)
        await until(lambda: "Synchronization stopped" in a.names())
        assert "damaged" in a.sync.status()["state"]
        await until(lambda: b.sync.status()["state"] == "held: the Master's own settings are damaged")
        assert b.store.snapshot() == before
        for _ in range(3):  # each comparison finds it again, and it is told once
            a.sync.reconcile()
            await asyncio.sleep(0.05)
        assert a.names().count("Synchronization stopped") == 1

    run(work, tmp_path)


def test_a_delta_that_does_not_fit_leads_to_a_snapshot_and_no_loop(tmp_path: Path) -> None:
    """R16: the chain fits, the content does not: kept, replaced, and slower each time it happens again."""

    async def work(a: Unit, b: Unit) -> None:
        await joined(a, b)
        await a.commit({"mail.user": "x"})
        await in_step(a, b)
        for number in (1, 2):
            b.store._state = b.store._state.replaced({"mail.user": f"flipped{number}"})
            await a.commit({"mail.user": f"y{number}"})
            await until(lambda number=number: len(b.conflicts.found()) == number)
            await in_step(a, b)
        assert b.sync._past.strikes and len(b.sync._past.strikes) == 2
        assert ["1 s" in said for said in events(b, "Synchronization begins anew")] == [True]
        assert [b.sync._past.pause(0.0 + b.sync._past.strikes[-1]) for _ in range(7)] == [
            2,
            4,
            8,
            16,
            32,
            60,
            60,
        ]

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
        assert b.store.snapshot() == kept
        a.sync.role(False)
        b.sync.role(True)
        await in_step(b, a)
        assert b.store.snapshot() == kept

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


def test_a_snapshot_of_nothing_is_not_taken(tmp_path: Path) -> None:
    """R16: the Backup looks for itself, whatever a Master says."""

    async def work(a: Unit, b: Unit) -> None:
        history(b.store, 4)
        kept, nothing = b.store.snapshot(), a.store.snapshot()
        b.sync.role(False)
        line = await Line(a, b).join()
        end = line.ends[0]
        standing = Said(0, messages.MASTER, a.store.standing)
        end.send(messages.STANDING, messages.standing_body(standing))
        await until(lambda: b.sync._past.number == 1)
        end.send(messages.SNAPSHOT, (1, len(nothing), digest_of(nothing), 0))
        end.send(messages.CHUNK, (1, 0, nothing))
        await until(lambda: "factory state" in (b.sync.status()["trouble"] or ""))
        assert b.store.snapshot() == kept

    run(work, tmp_path)


def test_a_snapshot_that_would_lose_something_is_taken_after_a_conflict_snapshot(tmp_path: Path) -> None:
    """R10: even where the Master did not ask for one."""

    async def work(a: Unit, b: Unit) -> None:
        split(a, b)
        kept, theirs = b.store.snapshot(), a.store.snapshot()
        b.sync.role(False)
        line = await Line(a, b).join()
        end = line.ends[0]
        end.send(messages.STANDING, messages.standing_body(Said(0, messages.MASTER, a.store.standing)))
        await until(lambda: b.sync._past.number == 1)
        end.send(messages.SNAPSHOT, (1, len(theirs), digest_of(theirs), 0))
        end.send(messages.CHUNK, (1, 0, theirs))
        await until(lambda: same(a, b))
        assert b.conflicts.read(1).snapshot == kept

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


# --- conflict snapshots where the administrator is ----------------------------------------------------------
def test_a_conflict_snapshot_crosses_to_the_master_once(tmp_path: Path) -> None:
    """R10: merged on the Master, because a Backup's settings are read-only; what was dropped stays away."""

    async def work(a: Unit, b: Unit) -> None:
        split(a, b)
        kept = b.store.snapshot()
        line = await joined(a, b)
        await in_step(a, b)
        await until(a.conflicts.found)
        conflict = a.conflicts.read(1)
        assert replace(b.conflicts.read(1), number=1) == conflict
        assert conflict.snapshot == kept
        await until(lambda: len(events(a, "Conflict snapshot")) == 2)
        assert "conflict 1: of QX200-B" in events(a, "Conflict snapshot")[1]
        await a.run_in_store(
            lambda store: store.commit(merging(store, conflict, ["mail.user"]), "admin", "merge")
        )
        await in_step(a, b)
        assert b.store.settings["mail.user"] == "loser3"
        await until(lambda: b.store.unit_state_get(PASSED))
        a.conflicts.drop(1)
        await line.cut()
        await Line(a, b).join()
        await in_step(a, b)
        await asyncio.sleep(0.1)
        assert a.conflicts.found() == []
        # The roles are swapped: what came from the other unit does not go back there.
        a.conflicts.keep(conflict)
        b.conflicts.drop(1)
        a.sync.role(False)
        b.sync.role(True)
        await in_step(b, a)
        await asyncio.sleep(0.1)
        assert b.conflicts.found() == []

    run(work, tmp_path)


def test_a_conflict_snapshot_that_was_cut_off_comes_whole(tmp_path: Path) -> None:
    """R10, R16: cut anywhere on its way; damaged on its way it is not kept."""

    async def work(a: Unit, b: Unit) -> None:
        split(a, b)
        line = await joined(a, b)
        await in_step(a, b)
        await until(lambda: b.store.unit_state_get(PASSED))
        await line.cut()
        whole = a.conflicts.read(1)
        size = len(b.conflicts.octets(1))
        for octets in (200, size // 2, size - 1, size + 300):
            a.conflicts.drop(1)
            b.store.unit_state_put({PASSED: ()})
            line = await Line(a, b, cut_after=octets + 600).join()
            await until(lambda line=line: line.broken or b.store.unit_state_get(PASSED))
            await line.cut()
            line = await Line(a, b).join()
            await until(lambda: b.store.unit_state_get(PASSED))
            await line.cut()
            assert a.conflicts.read(1) == whole
        line = await Line(a, b).join()
        await in_step(a, b)
        for body in ((bytes(32), 4, 0, b"torn"), (digest_of(b"torn"), 4, 0, b"torn")):
            line.ends[1].send(messages.CONFLICT, body)
            await asyncio.sleep(0.1)
        assert sum("expected" in said for said in events(a, "Conflict snapshot")) == 2
        assert len(a.conflicts.found()) == 1
        assert not line.broken
        line.ends[1].send(messages.CONFLICT, (bytes(32), 9, 4, b"torn"))
        await until(lambda: line.ends[0].error is not None)
        assert "expected the next" in str(line.ends[0].error)

    run(work, tmp_path)


# --- roles, releases, age -----------------------------------------------------------------------------------
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


def test_the_age_is_told_once_when_it_is_too_old_and_once_when_it_is_not(
    tmp_path: Path,
) -> None:
    """R15: three intervals; on both units, as each knows it."""

    async def work(a: Unit, b: Unit) -> None:
        await a.commit({"redundancy.sync_interval": 1})
        line = await joined(a, b)
        await in_step(a, b)
        assert (a.sync.status()["age_s"], b.sync.status()["age_s"]) == (0.0, 0.0)
        await line.cut()
        # The session may have been silent for 3 s before its end was noticed, and this one was young.
        assert 0 <= b.sync.status()["age_s"] <= 0.5
        await until(
            lambda: "Synchronization is stale" in b.names() and "Synchronization is stale" in a.names()
        )
        assert b.sync.status()["age_s"] >= 3.0
        b.sync.reconcile()
        line = await Line(a, b).join()
        await until(
            lambda: "Synchronization is current" in b.names() and "Synchronization is current" in a.names()
        )
        assert b.names() == a.names() == ["Synchronization is stale", "Synchronization is current"]
        await line.cut()

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
