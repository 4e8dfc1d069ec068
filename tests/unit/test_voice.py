# SPDX-License-Identifier: Apache-2.0
"""Voice data crosses from Master to Backup: new, changed, renamed, deleted; resumed, united (R5, R14-R16)."""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path

import pytest
from voice_bench import Line, Unit, connect, disconnect, in_step, pair, run, some, until

from counts import choices, count
from qx.errors import Refusal
from qx.sync.voice import messages
from qx.sync.voice.messages import BLOBS


def content_octets(line: Line) -> int:
    """Octets that the unit behind this line has received in this session."""
    return line.wire.octets_received


# --- what crosses -----------------------------------------------------------------------------------------
def test_a_first_copy_has_every_file(tmp_path: Path) -> None:
    """R14: contents, names, times; on both units every file is known as the other's."""

    async def check() -> None:
        a = Unit(tmp_path / "a", "QX200-000001")
        files = some(random.Random(1), 300) | {"empty": b"", "a/b/c/d/e.wav": b"deep", "x": b"x" * 300_001}
        for name, octets in files.items():
            a.write(name, octets)
        async with pair(tmp_path) as (a, b, _, _line):
            await in_step(a, b)
            assert b.files() == files
            for name in files:
                assert (a.voice / name).stat().st_mtime_ns == (b.voice / name).stat().st_mtime_ns
            await until(lambda: not a.part._rows.fresh())
            assert not b.part._rows.fresh()
            assert a.part.status() | {"unsettled": 0} == {
                "files": 303, "octets": sum(map(len, files.values())), "state": "in step", "progress": None,
                "unsettled": 0, "held": 0, "trouble": None,
            }  # fmt: skip
            assert sorted(p.name for p in (b.voice / ".sync").iterdir()) == ["tree"]
            assert not a.told
            assert not b.told

    run(check())


def test_every_kind_of_change_crosses_within_a_second(tmp_path: Path) -> None:
    """R14, R15: as they happen, by the kernel's hint alone."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            await in_step(a, b)

            async def crossed() -> None:
                await until(lambda: a.files() == b.files(), 1.0, f"{a.files().keys()} {b.files().keys()}")

            a.write("new.wav", b"new")
            await crossed()
            a.write("folder/in/folder.wav", b"1")
            await crossed()
            a.write("new.wav", b"changed, longer")
            await crossed()
            with (a.voice / "new.wav").open("ab") as file:
                file.write(b"more")
            await crossed()
            (a.voice / "new.wav").rename(a.voice / "folder/moved.wav")
            await crossed()
            (a.voice / "folder").rename(a.voice / "other")
            await crossed()
            a.write("other/in/after.wav", b"a watch goes with its folder")
            await crossed()
            a.write("copy.wav", (a.voice / "other/moved.wav").read_bytes())
            await crossed()
            os.link(a.voice / "copy.wav", a.voice / "linked.wav")
            await crossed()
            (a.voice / "copy.wav").write_bytes(b"")  # no hint tells of the other name
            await until(lambda: a.files() == b.files(), 3.0)
            (a.voice / "other/moved.wav").unlink()
            await crossed()
            assert sorted(p.name for p in b.voice.iterdir()) == sorted(p.name for p in a.voice.iterdir())
            await in_step(a, b)
            assert not a.told
            assert not b.told

    run(check())


def test_a_name_becomes_a_folder_and_a_folder_a_name(tmp_path: Path) -> None:
    """R14: whatever stood in the way."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            for name in ("one", "two/file"):
                a.write(name, name.encode())
            await in_step(a, b)
            for connected in (True, False):
                if not connected:
                    await disconnect(one, two)
                for old, new in (
                    (("one", "one/file"), ("two/file", "two"))
                    if connected
                    else (("one/file", "one"), ("two", "two/file"))
                ):
                    (a.voice / old).rename(a.voice / "aside")
                    if "/" in old:
                        (a.voice / old).parent.rmdir()
                    (a.voice / new).parent.mkdir(exist_ok=True)
                    (a.voice / "aside").rename(a.voice / new)
                if not connected:
                    await connect(a, b)
                await until(lambda: a.files() == b.files(), what=f"{a.files()} {b.files()}")
                await in_step(a, b)

    run(check())


def test_moved_and_copied_files_send_no_content(tmp_path: Path) -> None:
    """R14: 100 moved files, a copied one: known by their hash."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, line):
            for n in range(100):
                a.write(f"old/{n}.wav", random.Random(n).randbytes(10_000))
            await in_step(a, b)
            inodes = {f.stat().st_ino for f in (b.voice / "old").iterdir()}
            before, wants = content_octets(line), line.heard_kinds.count(BLOBS)
            (a.voice / "old").rename(a.voice / "new")
            a.write("copy.wav", (a.voice / "new/5.wav").read_bytes())
            await until(lambda: a.files() == b.files())
            await in_step(a, b)
            assert line.heard_kinds.count(BLOBS) == wants
            assert content_octets(line) - before < 20_000  # names and hashes
            assert {f.stat().st_ino for f in (b.voice / "new").iterdir()} == inodes  # moved, not written
            assert not (b.voice / "old").exists()

    run(check())


def test_of_two_changes_of_one_size_within_a_second_none_is_missed(tmp_path: Path) -> None:
    """What rsync, unison and csync2 each missed; also where the second comes while the first is read."""

    async def check() -> None:
        rounds, chance = count(20, 100), choices("same size")
        async with pair(tmp_path) as (a, b, _, _line):
            await in_step(a, b)
            for number in range(rounds):
                name = f"f{number}.wav"
                a.write(name, b"1" * 1000)
                await asyncio.sleep(chance.random() * 0.03)
                a.write(name, b"2" * 1000)
            await until(lambda: a.files() == b.files(), 5.0)
            assert set(b.files().values()) == {b"2" * 1000}

    run(check())


def test_the_same_without_hints_and_in_the_same_tick_of_the_clock(tmp_path: Path) -> None:
    """A key that says "unchanged" is not believed while the file is young."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            await in_step(a, b)
            assert a.part._scanner.watch is not None
            a.part._scanner.watch.close()
            young = 0
            for _ in range(count(5, 50)):
                a.write("f", b"1" * 1000)
                a.part.closed("f")
                await until(lambda: b.files().get("f") == b"1" * 1000)
                if not a.part.status()["unsettled"]:
                    continue  # on a busy machine it was no longer young when it was read: the interval's case
                young += 1
                (a.voice / "f").write_bytes(b"2" * 1000)
                await until(lambda: b.files().get("f") == b"2" * 1000, 2.0)
            assert young

    run(check())


def test_a_young_file_is_read_a_second_time(tmp_path: Path) -> None:
    """A change in the same tick of the clock leaves the key as it is: only reading again finds it."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            await in_step(a, b)
            read: list[bytes] = []
            content = a.tree.content

            def noted(path: bytes, flush: bool = False, tries: int = 3) -> object:
                read.append(path)
                return content(path, flush, tries)

            a.tree.content = noted  # type: ignore[method-assign,assignment]
            a.write("f", b"1")
            await until(lambda: b.files() == {"f": b"1"})
            await until(lambda: read == [b"f", b"f"], 2.0)
            await asyncio.sleep(0.3)
            assert read == [b"f", b"f"]  # and then it has settled

    run(check())


def test_a_file_that_is_still_written_waits_until_it_is_closed(tmp_path: Path) -> None:
    """A half recording does not cross again and again."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            await in_step(a, b)
            with (a.voice / "long.wav").open("wb", buffering=0) as file:
                for _ in range(20):
                    file.write(b"x" * 1000)
                    await asyncio.sleep(0.02)
                assert "long.wav" not in b.files()
            await until(lambda: b.files().get("long.wav") == b"x" * 20_000, 1.0)

    run(check())


def test_a_file_that_changes_while_it_is_given_is_offered_again(tmp_path: Path) -> None:
    """R14: content is verified end to end: what is not what its hash says is never stored."""

    async def check() -> None:
        a, b = await Unit(tmp_path / "a", "A").start(), await Unit(tmp_path / "b", "B").start()
        a.write("f.wav", b"1" * 400_000)
        a.part.role(True)
        await until(lambda: a.part.status()["files"] == 1)
        assert a.part._scanner.watch is not None
        a.part._scanner.watch.close()  # it does not hear of the change
        a.part._scanner.again.clear()
        stat = (a.voice / "f.wav").stat()
        (a.voice / "f.wav").write_bytes(b"2" * 400_000)
        os.utime(a.voice / "f.wav", ns=(stat.st_atime_ns, stat.st_mtime_ns))
        b.part.role(False)
        lines = await connect(a, b)
        seen: set[bytes] = set()
        await until(lambda: seen.update(b.files().values()) or seen, 10)
        assert seen == {b"2" * 400_000}
        assert messages.DOUBT in lines[0].heard_kinds
        await b.stop()
        await a.stop()

    run(check())


# --- cost -------------------------------------------------------------------------------------------------
def test_nothing_changed_costs_next_to_nothing(tmp_path: Path) -> None:
    """R15: at most 300 octets both ways for a full comparison."""

    async def check() -> None:
        a = Unit(tmp_path / "a", "A")
        for name, octets in some(random.Random(2), 100).items():
            a.write(name, octets)
        async with pair(tmp_path) as (a, b, one, two):
            await in_step(a, b)
            await asyncio.sleep(0.3)
            before = one.wire.octets_received + two.wire.octets_received
            done = a.part._looking.done, b.part._looking.done
            a.part.reconcile()
            b.part.reconcile()
            await until(lambda: (a.part._looking.done, b.part._looking.done) > done)
            await a.part.flush(5)
            assert 0 < one.wire.octets_received + two.wire.octets_received - before <= 2 * 300

    run(check())


# --- interruptions ----------------------------------------------------------------------------------------
def test_an_interrupted_file_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """R16: by hash and offset, also after the Backup was started anew."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            await in_step(a, b)
            octets = random.Random(3).randbytes(20_000_000)
            two.cut_after = lambda: two.wire.octets_received > 12_000_000
            a.write("long.wav", octets)
            await until(lambda: not two.up and not one.up)
            assert "long.wav" not in b.files()
            await b.stop()
            there = max(f.stat().st_size for f in (b.voice / ".sync").iterdir())
            assert there > 4_000_000
            await b.start()
            b.part.role(False)
            _, line = await connect(a, b)
            await until(lambda: b.files().get("long.wav") == octets)
            assert line.wire.octets_received < 20_000_000 - there + 300_000

    run(check())


def test_what_was_spoilt_in_staging_is_fetched_anew(tmp_path: Path) -> None:
    """R14: a torn or zeroed part from before a power cut, a whole one, one too long."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            await in_step(a, b)
            await disconnect(one, two)
            for number, spoilt in enumerate((bytes(50_000), bytes(100_000), bytes(100_001), b"")):
                octets = random.Random(number).randbytes(100_000)
                a.write(f"{number}.wav", octets)
                from hashlib import blake2b

                name = blake2b(octets, digest_size=32).hexdigest()
                (b.voice / ".sync" / name).write_bytes(spoilt)
            await connect(a, b)
            await in_step(a, b)
            assert len(b.files()) == 4

    run(check())


def test_cut_at_any_octet_the_backup_has_whole_files_and_catches_up(tmp_path: Path) -> None:
    """R16: each file on the Backup is one that the Master had, at every cut; then all cross."""

    async def check() -> None:
        chance = choices("cuts")
        async with pair(tmp_path) as (a, b, one, two):
            await in_step(a, b)
            had: dict[str, set[bytes]] = {}

            def change() -> None:
                for _ in range(chance.randrange(1, 12)):
                    name = f"d{chance.randrange(3)}/f{chance.randrange(12)}"
                    if chance.random() < 0.2 and (a.voice / name).exists():
                        a.part.deleted(name)  # the PBX's own: more than 100 within a minute would be held
                        (a.voice / name).unlink()
                    else:
                        octets = chance.randbytes(chance.choice((0, 10, 5000, 300_000)))
                        had.setdefault(name, set()).add(octets)
                        a.write(name, octets)

            for _ in range(count(25, 500)):
                most = two.wire.octets_received + chance.randrange(60_000)
                line = chance.choice((one, two))
                line.cut_after = lambda line=line, most=most: line.wire.octets_received > most
                change()
                await asyncio.sleep(chance.random() * 0.05)
                await disconnect(one, two)
                for name, octets in b.files().items():
                    assert octets in had[name], name
                one, two = await connect(a, b)
            await in_step(a, b)

    run(check(), 280)


def test_a_change_that_was_acknowledged_is_there_after_a_power_cut_of_the_backup(tmp_path: Path) -> None:
    """R16: `flush` returns when it is durable: what a new start reads from the files and rows says so."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            a.write("f.wav", b"acknowledged")
            await a.part.flush(5)
            root = b.part._rows.root
            await disconnect(one, two)
            await b.stop()
            await b.start()
            assert b.part._rows.root == root
            assert b.files() == {"f.wav": b"acknowledged"}

    run(check())


# --- flush ------------------------------------------------------------------------------------------------
def test_flush_says_how_much_is_left(tmp_path: Path) -> None:
    """R8: a swap waits for voice data or says what keeps it."""

    async def check() -> None:
        a = await Unit(tmp_path / "a", "A").start()
        with pytest.raises(Refusal, match="not the Master"):
            await a.part.flush(0)
        a.part.role(True)
        with pytest.raises(Refusal, match="the other unit is not connected"):
            await a.part.flush(0.01)
        b = await Unit(tmp_path / "b", "B").start()
        b.part.role(False)
        _, two = await connect(a, b)
        await a.part.flush(5)
        two.part = None  # type: ignore[assignment]
        two.up = False  # it hears nothing any more
        a.write("f.wav", b"12345")
        with pytest.raises(Refusal, match=r"1 files, 5 octets have not crossed.*within 0\.3 s"):
            await a.part.flush(0.3)
        await b.stop()
        await a.stop()

    run(check())


def test_flush_takes_along_what_was_written_just_now(tmp_path: Path) -> None:
    """R8: writers are still then, so young files are read as well."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            await in_step(a, b)
            assert a.part._scanner.watch is not None
            a.part._scanner.watch.close()
            for n in range(20):
                a.write(f"{n}.wav", b"%d" % n)
            await a.part.flush(5)
            assert len(b.files()) == 20

    run(check())


# --- roles, union -----------------------------------------------------------------------------------------
def test_after_a_swap_changes_cross_the_other_way(tmp_path: Path) -> None:
    """R8, R14: roles change while the session is up."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            a.write("1", b"one")
            await in_step(a, b)
            for master, backup in ((b, a), (a, b), (b, a)):
                backup.part.role(None)
                master.part.role(True)
                backup.part.role(False)
                master.write("1", master.serial.encode())
                master.write(f"of {master.serial} {time.monotonic_ns()}", b"x")
                await until(lambda m=master, o=backup: m.files() == o.files())
                await in_step(master, backup)
            assert one.up and two.up

    run(check())


def test_the_files_that_the_other_unit_may_not_have_are_known(tmp_path: Path) -> None:
    """R10: what came during a split stands in the conflict snapshot; nothing does once both have it."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):

            async def unshared() -> tuple[str, ...]:
                return await a.in_store(lambda _: a.part.unshared())

            a.write("before.wav", b"both have it")
            a.write("deleted.wav", b"both have it")
            await in_step(a, b)
            await until(lambda: not a.part._rows.fresh())
            assert await unshared() == ()
            await disconnect(one, two)
            a.write("d/split.wav", b"only here")
            a.write(os.fsdecode(b"\xff.wav"), b"only here, and no UTF-8")
            a.write("before.wav", b"changed only here")
            (a.voice / "deleted.wav").unlink()
            a.part.reconcile()
            await until(lambda: a.part._rows.files == 3 and not a.part.status()["unsettled"])
            assert await unshared() == ("before.wav", "d/split.wav", "\\xff.wav")
            await connect(a, b)
            await in_step(a, b)
            await until(lambda: not a.part._rows.fresh())
            assert await unshared() == ()

    run(check())


def test_files_of_both_units_are_united_after_a_split(tmp_path: Path) -> None:
    """R10, R14: none is discarded; one name with two contents becomes two; known deletions are kept."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            for name in ("both", "a deletes", "b deletes", "a deletes, b changes", "b changes", "a changes"):
                a.write(name, b"before")
            await in_step(a, b)
            await disconnect(one, two)
            b.part.role(True)
            a.write("both", b"of a")
            b.write("both", b"of b")
            a.write("new a", b"1")
            b.write("new b", b"2")
            b.write("b changes", b"changed")
            a.write("a changes", b"changed")
            b.write("a deletes, b changes", b"changed")
            for unit, names in ((a, ("a deletes", "a deletes, b changes")), (b, ("b deletes",))):
                for name in names:
                    (unit.voice / name).unlink()
            await asyncio.sleep(0.5)
            b.part.role(False)
            one, two = await connect(a, b)
            await until(
                lambda: a.files() == b.files() and len(b.files()) == 9, what=f"{a.files()}\n{b.files()}"
            )
            await in_step(a, b)
            files = a.files()
            kept = {n: o for n, o in files.items() if ".QX200-000002-" in n}
            assert sorted(kept.values()) == [b"changed", b"of b"]
            assert {n: o for n, o in files.items() if n not in kept} == {
                "both": b"of a", "new a": b"1", "new b": b"2", "a changes": b"changed",
                "b changes": b"before", "b deletes": b"before", "a deletes, b changes": b"changed",
            }  # fmt: skip
            for unit in (a, b):  # and it stays so
                unit.part.reconcile()
            await in_step(a, b)
            assert a.files() == files

    run(check())


@pytest.mark.parametrize("first", ["master", "backup"])
def test_an_empty_master_erases_nothing(tmp_path: Path, first: str) -> None:
    """R5, R14 (Redis' restarted empty Master): the Backup's files come to it, in either order of booting."""

    async def check() -> None:
        b = Unit(tmp_path / "b", "QX200-000002")
        files = some(random.Random(5), 300)
        for name, octets in files.items():
            b.write(name, octets)
        if first == "backup":  # it was Master before
            await b.start()
            b.part.role(True)
            await until(lambda: b.part.status()["files"] == 300)
            await b.stop()
        async with pair(tmp_path) as (a, b, _, _line):
            await until(lambda: a.files() == files, what=str(len(a.files())))
            await in_step(a, b)
            assert b.files() == files
            assert not b.trash()

    run(check())


def test_a_master_that_lost_everything_gets_it_back(tmp_path: Path) -> None:
    """R14: its data partition is new (factory reset, other flash): no deletion is known, so none crosses."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            files = some(random.Random(6), 150)
            for name, octets in files.items():
                a.write(name, octets)
            await in_step(a, b)
            await disconnect(one, two)
            await a.stop()
            a.root.rename(tmp_path / "gone")
            fresh = await Unit(tmp_path / "a", "QX200-000001").start()
            fresh.part.role(True)
            await connect(fresh, b)
            await until(lambda: fresh.files() == files)
            await in_step(fresh, b)
            await fresh.stop()
            a.thread.shutdown()

    run(check())


def test_what_is_lost_or_spoilt_on_the_backup_is_fetched_again(tmp_path: Path) -> None:
    """R14, R15: the full comparison looks at the Backup's files as well."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            for n in range(20):
                a.write(f"{n}", b"%d" % n)
            await in_step(a, b)
            for n in range(10):
                (b.voice / f"{n}").unlink()
            b.part.reconcile()
            await until(lambda: a.files() == b.files())
            await in_step(a, b)

    run(check())


@pytest.mark.parametrize(
    ("master", "backup", "crosses"), [("1.0.0", "1.0.1", True), ("1.0.1", "1.0.0", False)]
)
def test_nothing_crosses_from_newer_firmware_to_older(
    tmp_path: Path, master: str, backup: str, crosses: bool
) -> None:
    """R5: from the older release to the newer, never back, neither files of the Master nor of the Backup."""

    async def check() -> None:
        a, b = Unit(tmp_path / "a", "A", master), Unit(tmp_path / "b", "B", backup)
        a.write("a", b"1")
        b.write("b", b"2")
        await a.start()
        await b.start()
        a.part.role(True)
        b.part.role(False)
        lines = await connect(a, b)
        if crosses:
            await until(lambda: "a" in b.files())
        else:
            await asyncio.sleep(0.5)
            assert a.part.status()["state"] == b.part.status()["state"] == "older"
            assert not lines[0].heard_kinds
            assert not lines[1].heard_kinds
            assert set(b.files()) == {"b"}
            assert set(a.files()) == {"a"}
        await b.stop()
        await a.stop()

    run(check())


def test_the_progress_of_a_long_copy_is_told(tmp_path: Path) -> None:
    """Issue 3, item 5: octets, files and the time that is left, on both units."""

    async def check() -> None:
        a, b = Unit(tmp_path / "a", "A"), Unit(tmp_path / "b", "B")
        for n in range(600):
            a.write(f"{n}", random.Random(n).randbytes(20_000))
        await a.start()
        await b.start()
        a.part.role(True)
        await until(lambda: a.part.status()["files"] == 600)
        b.part.role(False)
        await connect(a, b)
        seen: dict[str, list[dict[str, float]]] = {"a": [], "b": []}

        def look() -> bool:
            for unit in (a, b):
                if progress := unit.part.status()["progress"]:
                    seen[unit.root.name].append(progress)
            return a.part.status()["state"] == b.part.status()["state"] == "in step"

        await until(look, 20)
        for told in seen.values():
            assert [p["octets"] for p in told] == sorted(p["octets"] for p in told)
            assert any(0 < p["octets"] < 12_000_000 and (p["seconds_left"] or 0) > 0 for p in told)
            assert told[-1]["of_files"] == 600
        assert a.part.status()["progress"] is b.part.status()["progress"] is None
        assert a.files() == b.files()
        await b.stop()
        await a.stop()

    run(check())
