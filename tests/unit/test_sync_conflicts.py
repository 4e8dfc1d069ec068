# SPDX-License-Identifier: Apache-2.0
"""Conflict snapshots: what the loser of a split had is kept, and crosses to the administrator (R10, R16)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from sync_bench import Line, Unit, events, in_step, joined, run, same, split

from qx.control.conflict_operations import merging
from qx.sync import messages
from qx.sync.messages import Said
from qx.sync.passing import PASSED
from qx.sync.staging import digest_of
from waiting import until


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
