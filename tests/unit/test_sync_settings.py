# SPDX-License-Identifier: Apache-2.0
"""Settings cross from Master to Backup over a real wire: every row of the decision table (R5, R10, R13, R16)."""

from __future__ import annotations

from pathlib import Path

from sync_bench import Line, Unit, in_step, run, same, until


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
