# SPDX-License-Identifier: Apache-2.0
"""Voice data and roles: a swap waits for it and turns it round; older firmware gets none (R5, R8, R14)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from voice_bench import Unit, connect, in_step, pair, run

from qx.errors import Refusal
from waiting import until


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
