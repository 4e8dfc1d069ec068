# SPDX-License-Identifier: Apache-2.0
"""Voice data crosses from Master to Backup: new, changed, renamed, deleted; at what cost (R14, R15)."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

from voice_bench import Line, Unit, connect, disconnect, in_step, pair, run, some

from counts import choices, count
from qx.sync.voice import messages
from qx.sync.voice.messages import BLOBS
from waiting import until


def content_octets(line: Line) -> int:
    """Octets that the unit behind this line has received in this session."""
    return line.wire.octets_received


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
