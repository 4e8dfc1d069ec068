# SPDX-License-Identifier: Apache-2.0
"""Voice data of both units after a split, a loss, a reset: united, and nothing erased (R5, R10, R14, R15)."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from voice_bench import Unit, connect, disconnect, in_step, pair, run, some

from waiting import until


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
