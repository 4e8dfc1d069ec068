# SPDX-License-Identifier: Apache-2.0
"""A power cut of the Backup at any instant of a batch: old or new, file by file, and it catches up (R16)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from crash_states import states
from voice_bench import SETTLED, Files, Unit, connect, disconnect, in_step, run

from counts import SOAK, choices, count
from qx.sync.voice.tree import Stopped, Tree
from waiting import until


class Recorder(Tree):
    """Does each operation and writes it down as `crash_states` reads it; a flush is one of every file and
    every folder, one after another, so that a cut in the middle of it is looked at as well."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, SETTLED)
        self.record: list[tuple[Any, ...]] = []
        self.recording = False

    def _path(self, path: bytes) -> str:
        return str(self.root / os.fsdecode(path))

    def _note(self, *operation: Any) -> None:
        if self.recording:
            self.record.append(operation)

    def write(self, path: bytes, offset: int, octets: bytes) -> None:
        super().write(path, offset, octets)
        if not offset:
            self._note("create", self._path(path))
        self._note("write", self._path(path), octets)

    def rename(self, path: bytes, to: bytes) -> os.stat_result:
        found = super().rename(path, to)
        target = Path(self._path(to))
        self._note("rename", self._path(path), str(target))
        return found

    def remove(self, path: bytes) -> None:
        there = self.look(path) is not None
        super().remove(path)
        if there:
            self._note("unlink", self._path(path))

    def flush(self) -> None:
        super().flush()
        files = [p for p in sorted(self.root.rglob("*")) if p.is_file()]
        for path in (*files, *(p for p in sorted(self.root.rglob("*")) if p.is_dir()), self.root):
            self._note("fsync", str(path))


def database(unit: Unit) -> dict[str, bytes]:
    folder = unit.paths.settings_db.parent
    return {f.name: f.read_bytes() for f in folder.glob("settings.db*")}


def test_a_cut_of_the_backup_at_any_instant_leaves_old_or_new(tmp_path: Path) -> None:
    """R16: every prefix of the file operations, with what was not flushed lost, torn, zeroed, or there; the
    database as of its last commit. Each file is one that the Master had; the next session brings the rest."""
    before: Files = {
        "d/changed": b"one" * 50,
        "d/deleted": b"two" * 50,
        "moved": b"three" * 50,
        "kept": b"four",
    }
    after: Files = {
        "d/changed": b"ONE!" * 50,
        "other/moved": b"three" * 50,
        "kept": b"four",
        "new": b"five" * 50,
    }

    async def record() -> tuple[Recorder, list[tuple[int, dict[str, bytes]]], dict[str, bytes]]:
        tree = Recorder(tmp_path / "b/data/qx/voice")
        a, b = Unit(tmp_path / "a", "A"), Unit(tmp_path / "b", "B", tree=tree)
        for name, octets in before.items():
            a.write(name, octets)
        await a.start()
        await b.start()
        a.part.role(True)
        b.part.role(False)
        one, two = await connect(a, b)
        await in_step(a, b)
        await until(lambda: not b.part._rows.fresh() and not a.part._rows.fresh())
        await disconnect(one, two)
        (a.voice / "d/changed").write_bytes(after["d/changed"])
        (a.voice / "d/deleted").unlink()
        (a.voice / "other").mkdir()
        (a.voice / "moved").rename(a.voice / "other/moved")
        a.write("new", after["new"])
        await until(lambda: a.part._rows.files == 4 and a.part._rows.root != b.part._rows.root)
        master = database(a)  # as long as it has no acknowledgement
        commits: list[tuple[int, dict[str, bytes]]] = [(0, database(b))]
        tree.recording = True
        in_store = b.in_store

        async def noted(work: Any) -> Any:
            found = await in_store(work)
            now = database(b)
            if now != commits[-1][1]:
                commits.append((len(tree.record), now))
            return found

        b.part._stock._run_in_store = noted  # type: ignore[method-assign]
        await connect(a, b)
        await in_step(a, b)
        tree.recording = False
        await b.stop()
        await a.stop()
        return tree, commits, master

    result: list[Any] = []

    async def recorded() -> None:
        result.extend(await record())

    run(recorded())
    tree, commits, master = result
    root = tmp_path / "b/data/qx/voice"
    mark = (root / ".sync/tree").read_bytes()
    flushed = {str(root / name): octets for name, octets in before.items()} | {str(root / ".sync/tree"): mark}
    cuts = [(n, files, db) for n, files in states(flushed, tree.record) for db in held_at(commits, n)]
    assert len(tree.record) > 20
    chosen = cuts if SOAK else choices("voice cuts").sample(cuts, min(len(cuts), count(20, 0)))
    for number, files, held in chosen:
        boot(tmp_path / "b", files, held)
        for file in (tmp_path / "a/data/qx").glob("settings*"):
            file.unlink()
        for name, octets in master.items():
            (tmp_path / "a/data/qx" / name).write_bytes(octets)
        run(caught_up(tmp_path, f"after {number} of {len(tree.record)} operations", before, after))


def held_at(commits: list[tuple[int, dict[str, bytes]]], operations: int) -> list[dict[str, bytes]]:
    """What the database may hold after so many operations: the last commit before, or one at that moment."""
    earlier = [db for at, db in commits if at < operations][-1:]
    return earlier + [db for at, db in commits if at == operations] or [commits[0][1]]


def boot(root: Path, files: dict[str, bytes], held: dict[str, bytes]) -> None:
    """The root as flash has it after the cut."""
    shutil.rmtree(root)
    (root / "data/qx/voice").mkdir(parents=True)
    for name, octets in held.items():
        (root / "data/qx" / name).write_bytes(octets)
    for path, octets in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(octets)


async def caught_up(folder: Path, where: str, before: Files, after: Files) -> None:
    b = await Unit(folder / "b", "B").start()
    try:
        for name, octets in b.files().items():
            assert octets in (before.get(name), after.get(name)), f"{where}: {name}: {octets[:20]!r}"
        assert not b.part._stock.committer.dirty
        a = await Unit(folder / "a", "A").start()
        try:
            a.part.role(True)
            b.part.role(False)
            await connect(a, b)
            await in_step(a, b)
            assert b.files() == after, where
        finally:
            await a.stop()
    finally:
        await b.stop()


def test_a_master_never_publishes_what_a_cut_emptied(tmp_path: Path) -> None:
    """nextcloud/desktop#10547: rows are never ahead of flash, and after an unclean end what was written since
    the last clean one is read again."""

    async def check() -> None:
        a = await Unit(tmp_path / "a", "A").start()
        a.part.role(True)
        a.write("f", b"content" * 100)
        assert a.tree is not None
        flushed: list[int] = []
        content = a.tree.content

        def seen(path: bytes, flush: bool = False, tries: int = 3) -> Any:
            flushed.append(int(flush))
            return content(path, flush, tries)

        a.tree.content = seen  # type: ignore[method-assign]
        await until(lambda: a.part.status()["files"] == 1)
        assert flushed and all(flushed)  # before its row
        key = a.part._rows.row(b"f")
        held = database(a)
        await a.stop()
        for name, octets in held.items():  # as a cut leaves it: the mark of a clean end is not there
            (a.paths.settings_db.parent / name).write_bytes(octets)
        a.tree.content = content  # type: ignore[method-assign]
        await a.start()
        row = a.part._rows.row(b"f")
        assert key is not None and row is not None
        assert row.state == 1 and row.stat == b""  # to be read again
        a.part.role(True)
        await until(lambda: a.part._rows.row(b"f").state == 0)  # type: ignore[union-attr]
        await a.stop()
        await a.start()
        assert a.part._rows.row(b"f").state == 0  # type: ignore[union-attr] - a clean end
        await a.stop()

    run(check())


def test_a_batch_that_was_begun_is_finished_at_the_next_start(tmp_path: Path) -> None:
    """R16: its intents are durable before the first name moves, so no session is needed to finish it."""

    class Cut(Recorder):
        def rename(self, path: bytes, to: bytes) -> os.stat_result:
            if path.startswith(b".sync/"):
                raise Stopped  # nothing more happens on this unit
            return super().rename(path, to)

    async def check() -> None:
        a = Unit(tmp_path / "a", "A")
        b = Unit(tmp_path / "b", "B", tree=Cut(tmp_path / "b/data/qx/voice"))
        await a.start()
        await b.start()
        a.part.role(True)
        b.part.role(False)
        one, two = await connect(a, b)
        a.write("d/f", b"content")
        await until(lambda: b.part._stock.committer.dirty)
        await disconnect(one, two)
        await b.stop()
        assert b.files() == {}
        b.tree = Tree(b.voice, SETTLED)
        await b.start()
        assert b.files() == {"d/f": b"content"}
        row = b.part._rows.row(b"d/f")
        assert row is not None and row.state == 0 and row.shared
        assert b.part._rows.intents() == []
        await b.stop()
        await a.stop()

    run(check())
