# SPDX-License-Identifier: Apache-2.0
"""How old the Backup's state is, told while it grows and kept across restarts (R5, R15)."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from settings_bench import new
from sync_bench import Line, Unit, in_step, joined, run

from qx.sync.lately import Lately
from waiting import until


def test_the_age_is_kept_in_the_time_of_a_file(tmp_path: Path) -> None:
    """R15: what was known `before` seconds ago; nothing without a file, and nothing of a clock that went
    back."""
    file = tmp_path / "in-step"
    assert Lately(file).age is None
    Lately(file).known(5.0)
    assert file.read_bytes() == b"" and file.stat().st_mode & 0o777 == 0o600
    found = Lately(file).age
    assert found is not None and 5.0 <= found < 6.0
    ahead = time.time() + 60
    os.utime(file, (ahead, ahead))
    assert Lately(file).age is None
    lost = Lately(tmp_path / "none" / "in-step")
    lost.known()  # flash that refuses is no error here
    assert lost.age == pytest.approx(0.0, abs=0.5)


def test_a_unit_that_starts_alone_knows_how_old_its_state_is(tmp_path: Path) -> None:
    """R5, R15: since both were in step, on either unit and in either role; 0 as soon as they are again."""

    def made(name: str) -> Unit:
        file = tmp_path / name / "settings.db"
        if not file.exists():
            new(file.parent)
        return Unit(file, f"QX200-{name.upper()}", lately=Lately(file.with_name("in-step")))

    async def before() -> None:
        a, b = made("a"), made("b")
        a.sync.role(True)
        b.sync.role(False)
        assert a.sync.status()["age_s"] is b.sync.status()["age_s"] is None
        await a.commit({"mail.user": "x"})
        line = await Line(a, b).join()
        await in_step(a, b)
        await line.cut()
        files = [tmp_path / name / "in-step" for name in "ab"]
        await until(lambda: all(file.exists() for file in files))
        for unit in (a, b):
            unit.close()
        for file in files:  # an hour goes by
            then = file.stat().st_mtime - 3600
            os.utime(file, (then, then))

    async def after(leading: bool) -> None:
        a, b = made("a"), made("b")
        a.sync.role(leading)
        b.sync.role(not leading)
        for unit in (a, b):
            assert 3600 <= unit.sync.status()["age_s"] < 3700
        line = await Line(a, b).join()
        await in_step(a, b)
        assert a.sync.status()["age_s"] == b.sync.status()["age_s"] == 0.0
        for unit in (a, b):
            unit.sync.reconcile()
            await until(lambda unit=unit: Lately(unit.file.with_name("in-step")).age < 60)
        for file in (tmp_path / name / "in-step" for name in "ab"):
            os.utime(file, (0, 0))
        for unit in (a, b):  # a daemon that ends while the session is up
            unit.close()
            assert Lately(unit.file.with_name("in-step")).age < 60
        await line.cut()

    asyncio.run(before())
    asyncio.run(after(False))


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
