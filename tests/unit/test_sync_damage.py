# SPDX-License-Identifier: Apache-2.0
"""Settings that are not what they were: a lost tail, a damaged store, what must not be taken (R10, R16)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from settings_bench import new, opened
from sync_bench import Line, Unit, events, history, in_step, joined, run

from qx.sync import messages
from qx.sync.messages import Said
from qx.sync.staging import digest_of
from waiting import until


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
