# SPDX-License-Identifier: Apache-2.0
"""What the Backup keeps of deleted voice files, and for how long (R14)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from voice_bench import in_step, pair, run

from qx.sync.voice.looking import TRASH_DAYS
from qx.sync.voice.tree import Tree
from waiting import until


def put(trash: Path, day: str, name: str, octets: int) -> None:
    """As if deleted just now."""
    file = trash / day / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(octets))
    time.sleep(0.02)  # its ctime is later than the one before


def left(trash: Path) -> list[str]:
    return sorted(str(file.relative_to(trash)) for file in trash.rglob("*") if not file.is_dir())


@pytest.mark.parametrize(
    ("before", "most", "kept"),
    [
        ("20260102", None, ["20260102/b", "20260103/a/d", "20260103/z/c", "20260103~1/e"]),
        ("20260102", 4000, ["20260102/b", "20260103/a/d", "20260103/z/c", "20260103~1/e"]),
        ("20260102", 3999, ["20260103/a/d", "20260103/z/c", "20260103~1/e"]),
        ("20260102", 2000, ["20260103/a/d", "20260103~1/e"]),
        ("20260102", 999, []),
        ("~", None, []),
    ],
)
def test_the_trash_has_a_bound_in_days_and_octets(
    tmp_path: Path, before: str, most: int | None, kept: list[str]
) -> None:
    """R14: days that are over go, then what was put there first; at the bound and below it."""
    tree = Tree(tmp_path / "voice")
    tree.open()
    trash = tmp_path / "voice/.trash"
    for day, name in (("20260101", "a"), ("20260102", "b"), ("20260103", "z/c"), ("20260103", "a/d")):
        put(trash, day, name, 1000)
    put(trash, "20260103~1", "e", 1000)
    (tmp_path / "outside").write_bytes(b"kept")
    tree.purge(before, most)
    assert left(trash) == kept
    assert (tmp_path / "outside").exists()
    tree.close()


def test_a_link_in_the_trash_is_not_followed(tmp_path: Path) -> None:
    """Bad input: it goes itself, and what it points at stays and does not count."""
    tree = Tree(tmp_path / "voice")
    tree.open()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/big").write_bytes(bytes(100_000))
    trash = tmp_path / "voice/.trash"
    put(trash, "20260101", "a", 1000)
    (trash / "20260101/link").symlink_to(tmp_path / "outside")
    (trash / "20260101/file").symlink_to(tmp_path / "outside/big")
    tree.purge("20260101", 2000)
    assert left(trash) == ["20260101/a", "20260101/file"]  # a link to a folder counts as one
    tree.purge("20260102")
    assert left(trash) == []
    assert (tmp_path / "outside/big").stat().st_size == 100_000
    tree.close()


def test_a_look_through_the_tree_purges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R14: on the Backup, while it works: old days and what is too much; not every time."""
    monkeypatch.setattr("qx.sync.voice.looking.TRASH_MOST", 2500)

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            for number in range(4):
                a.write(f"{number}.wav", bytes([number]) * 1000)
            await in_step(a, b)
            for number in range(4):
                (a.voice / f"{number}.wav").unlink()
                await in_step(a, b)
            trash = b.voice / ".trash"
            old = time.strftime("%Y%m%d", time.localtime(time.time() - (TRASH_DAYS + 1) * 86400))
            put(trash, old, "old", 10)
            done = b.part._looking.done
            b.part.reconcile()
            await until(lambda: b.part._looking.done > done)
            assert len(left(trash)) == 5  # within the hour
            monkeypatch.setattr("qx.sync.voice.looking.PURGE_EACH", 0.0)
            b.part.reconcile()
            await until(lambda: len(left(trash)) == 2)
            assert b.trash() == ["2.wav", "3.wav"]

    run(check())
