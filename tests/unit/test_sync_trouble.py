# SPDX-License-Identifier: Apache-2.0
"""Settings cross over cut lines, power cuts, full disks and flushes that fail (R10, R13, R16)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from flash_bench import MARK, after_power_cut, full, mounted, recorded, run_shimmed
from settings_bench import cut, lay_out, opened
from sync_bench import Line, Unit, in_step, run, same

from counts import bound, choices, count
from qx.errors import Refusal
from qx.model import MODELS
from qx.settings.store import Store
from qx.sync import follower
from qx.sync.follower import Past
from waiting import until

DATABASE = ("settings.db", "settings.db-wal", "settings.db-journal")


# --- lines that are cut -------------------------------------------------------------------------------------
def test_a_line_that_is_cut_anywhere_loses_nothing(tmp_path: Path) -> None:
    """R16: at each of 500 points the Backup equals a state that the Master had, what was acknowledged is
    there, and it catches up; a power cut of the Backup and a new history now and then."""
    dice = choices("cut anywhere")

    async def work(a: Unit, b: Unit) -> None:
        had = {(a.store.position, a.store.state_hash)}
        for round_ in range(count(60, 500)):
            a.sync.role(True)
            b.sync.role(False)
            line = await Line(a, b, cut_after=int(10 ** dice.uniform(0, 5))).join()
            acknowledged = 0
            for number in range(dice.randrange(1, 12)):
                changes = {f"extensions.{dice.randrange(100, 130)}.name": str(dice.random())}
                if dice.random() < 0.2:
                    changes = {f"extensions.{n}.name": str(dice.random()) for n in range(100, 400)}
                if dice.random() < 0.1:
                    await a.run_in_store(lambda store, term=round_: store.open_history(term + 1))
                await a.commit({**changes, "mail.user": f"{round_}-{number}"})  # type: ignore[arg-type]
                had.add((a.store.position, a.store.state_hash))
                if dice.random() < 0.5 and await a.sync.durable(a.store.position, 0.02):
                    acknowledged = a.store.revision
            if dice.random() < 0.7:
                await until(lambda line=line: line.broken or same(a, b))
            await line.cut()
            await b.run_in_store(lambda _: None)  # what the store was doing is done
            if dice.random() < 0.3:
                b.sync.close()
                cut(b.store)
                b.thread.shutdown()
                b.__init__(b.file, b.serial)  # type: ignore[misc]
            assert (b.store.position, b.store.state_hash) in had
            assert b.store.revision >= acknowledged
            assert not b.sync._past.strikes  # nothing ever came in another order than it was sent in
        b.sync.role(False)
        await Line(a, b).join()
        await in_step(a, b, bound(60.0, 10.0))  # it may lack most of what was set in all the rounds
        assert a.conflicts.found() == b.conflicts.found() == []
        assert b.store.log.fault(b.store.position) == ""
        assert not b.names()

    run(work, tmp_path)


def test_a_long_snapshot_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    """R16: the octets that are there do not cross again, as long as the Master still has the same."""

    async def work(a: Unit, b: Unit) -> None:
        for part in range(10):
            numbers = range(1000 + part * 400, 1400 + part * 400)
            lines = {
                f"extensions.{n}.{field}": "n" * 50 + str(n) for n in numbers for field in ("name", "display")
            }
            await a.commit(lines)  # type: ignore[arg-type]
        size = len(a.store.snapshot())
        a.store._log.drop()
        a.sync.role(True)
        b.sync.role(False)
        crossed = 0
        seen: list[dict[str, float]] = []
        looking = asyncio.ensure_future(_progress((a, b), seen))
        for _ in range(20):
            line = await Line(a, b, cut_after=290_000).join()
            await until(lambda line=line: line.broken or same(a, b))
            progress = b.sync._past.staging.have
            await line.cut()
            crossed += sum(line.octets)
            if same(a, b):
                break
            assert progress % (256 << 10) == 0
        looking.cancel()
        assert same(a, b)
        assert size > 300_000
        assert {progress["of"] for progress in seen} == {size}
        assert len({progress["octets"] for progress in seen}) > 1
        assert all(0 <= progress["octets"] <= size for progress in seen)
        assert crossed < size * 2.2  # not 20 times; a part that was cut off comes again

    run(work, tmp_path, model=MODELS["qx2000"])


async def _progress(units: tuple[Unit, Unit], seen: list[dict[str, float]]) -> None:
    while True:
        for unit in units:
            progress = unit.sync.status()["progress"]
            if progress:
                seen.append(progress)
        await asyncio.sleep(0)


def test_pauses_grow_and_end() -> None:
    """R16: never a loop: none, 1, 2, 4 … 60 s; after ten minutes without any, none again."""
    past = Past()
    assert [past.pause(100.0) for _ in range(9)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert past.pause(100.0 + follower.FORGIVEN - 0.1) == 60
    assert Past(strikes=[100.0]).pause(100.0 + follower.FORGIVEN) == 0


# --- power cuts below SQLite --------------------------------------------------------------------------------
def test_a_power_cut_at_any_write_of_the_backup(tmp_path: Path) -> None:
    """R16: after every prefix of what SQLite did to flash the Backup opens, equals a state that the Master
    had, and has everything that it acknowledged until then."""
    for name in "ab":
        (tmp_path / name).mkdir()
    for name in "ab":
        Store.create(tmp_path / name / "settings.db")
    before = {"settings.db": (tmp_path / "b/settings.db").read_bytes()}
    run_shimmed("shimmed_sync.py", "following", tmp_path, root=tmp_path / "b", folder=tmp_path)
    states = {int(rev): digest for rev, digest in json.loads((tmp_path / "states").read_text()).items()}
    trace = recorded(tmp_path)
    marks = [o.at for o in trace if o.kind == MARK]
    assert marks[-1] == max(states) and len(marks) > 6
    acknowledged, seen, every = 0, set(), count(3, 1)
    found = after_power_cut(before, trace, DATABASE, choices("power cut"))
    for number, (done, files) in enumerate(found):
        acknowledged = max((o.at for o in trace[:done] if o.kind == MARK), default=0)
        if number % every and not (done and trace[done - 1].kind == MARK):
            continue
        with opened(lay_out(tmp_path / "cut", files) / "settings.db", keep_after=60.0) as store:
            assert states[store.revision] == store.state_hash.hex()
            assert store.revision >= acknowledged, (done, trace[done - 1])
            assert store.log.fault(store.position) == ""
            assert not store.notices
            seen.add(store.revision)
    assert len(seen) > 6


@pytest.mark.parametrize(
    ("scenario", "unit"),
    [("backup_cannot_flush", "b"), ("master_cannot_flush", "a"), ("conflict_cannot_flush", "b")],
)
def test_a_flush_that_fails(tmp_path: Path, scenario: str, unit: str) -> None:
    """R16: what the scenario says (shimmed_sync): never acknowledged, never tried again."""
    (tmp_path / unit).mkdir()
    run_shimmed("shimmed_sync.py", scenario, tmp_path, root=tmp_path / unit, folder=tmp_path)


# --- no space -----------------------------------------------------------------------------------------------
OFFICE = {f"extensions.{1000 + n}.name": f"Person number {n}" for n in range(400)}


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_backup_without_space_waits_for_it(tmp_path: Path, kind: str) -> None:
    """R16: told once, nothing acknowledged, and it goes on when there is space again: by itself."""

    async def work(a: Unit, b: Unit) -> None:
        a.sync.role(True)
        b.sync.role(False)
        await a.commit({"mail.user": "before"})
        await Line(a, b).join()
        await in_step(a, b)
        for way in ("timer", "delta"):
            before = b.store.snapshot()
            pause = 0.2 if way == "timer" else 60.0
            follower.RETRY, kept = pause, follower.RETRY
            try:
                with full(tmp_path / "b"):
                    for number in range(3):
                        await a.commit({p: f"{v} {way} {number}" for p, v in OFFICE.items()})
                        assert not await a.sync.durable(a.store.position, 0.3)
                    assert b.store.snapshot() == before
                    assert "no space left" in b.sync.status()["trouble"]
                    assert b.sync.status()["state"].startswith("waiting for space")
                    assert a.sync.status()["state"] == "behind"
                if way == "delta":
                    await a.commit({"mail.user": "after"})
                assert await a.sync.durable(a.store.position, 5.0)
            finally:
                follower.RETRY = kept
            await in_step(a, b)
        told = ["No space for synchronization", "Synchronization has space again"]
        assert b.names() == told * 2
        assert b.store.log.fault(b.store.position) == ""

    with mounted(tmp_path / "b", kind, 4 << 20):
        run(work, tmp_path)


def test_a_backup_without_space_gives_nothing_up(tmp_path: Path) -> None:
    """R10: a conflict snapshot that does not fit is waited for; then all goes its way."""

    async def work(a: Unit, b: Unit) -> None:
        a.store.commit({"mail.user": "a"}, "t", "set")
        b.store.commit({**OFFICE, "mail.user": "b"}, "t", "set")
        kept = b.store.snapshot()
        a.sync.role(True)
        b.sync.role(False)
        follower.RETRY, normal = 0.1, follower.RETRY
        try:
            with full(tmp_path / "b"):
                await Line(a, b).join()
                await until(lambda: "No space for synchronization" in b.names())
                await asyncio.sleep(0.3)
                assert b.store.snapshot() == kept
                assert b.names().count("No space for synchronization") == 1
            await in_step(a, b)
        finally:
            follower.RETRY = normal
        assert b.conflicts.read(1).snapshot == kept

    with mounted(tmp_path / "b", "tmpfs", 4 << 20):
        run(work, tmp_path)


def test_a_master_without_space_refuses_in_words(tmp_path: Path) -> None:
    """R16: nothing is changed on either unit, and it goes on when there is space again."""

    async def work(a: Unit, b: Unit) -> None:
        a.sync.role(True)
        b.sync.role(False)
        await a.commit({"mail.user": "before"})
        await Line(a, b).join()
        await in_step(a, b)
        with full(tmp_path / "a"):
            with pytest.raises(Refusal, match="no space left; nothing was changed"):
                for number in range(20):
                    await a.commit({p: f"{v} {number}" for p, v in OFFICE.items()})
            await in_step(a, b)
        await a.commit({"mail.user": "after"})
        await in_step(a, b)
        assert a.events == b.events == []

    with mounted(tmp_path / "a", "tmpfs", 4 << 20):
        run(work, tmp_path)
