# SPDX-License-Identifier: Apache-2.0
"""What looks like an accident, what is no voice data, and what flash refuses (R14, Bad input)."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from pathlib import Path

import pytest
from voice_bench import SETTLED, Unit, connect, disconnect, in_step, pair, run

from qx.errors import Refusal
from qx.sync.voice.naming import DEPTH_MAX
from qx.sync.voice.tree import Tree
from waiting import until


async def filled(a: Unit, b: Unit, files: int) -> None:
    for number in range(files):
        a.write(f"d{number % 5}/{number}.wav", b"%d" % number)
    await in_step(a, b, 20)


@pytest.mark.parametrize(
    ("files", "deleted", "held"),
    [(400, 100, False), (400, 101, True), (600, 120, False), (600, 121, True), (100, 100, False)],
)
def test_a_deletion_that_looks_like_an_accident_is_held(
    tmp_path: Path, files: int, deleted: int, held: bool
) -> None:
    """R14: more than 20 % and more than 100 files at once: at, below and above both."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            await filled(a, b, files)
            assert a.part._scanner.watch is not None
            a.part._scanner.watch.close()  # at once, not as the loop of this test gets to it
            for number in range(deleted):
                (a.voice / f"d{number % 5}/{number}.wav").unlink()
            a.part.reconcile()
            await until(lambda: a.part._looking.done == a.part._looking.due)
            await asyncio.sleep(0.2)
            assert a.part.status()["held"] == (deleted if held else 0)
            assert len(b.files()) == (files if held else files - deleted)
            assert a.events() == (["Voice data: deletion held"] if held else [])
            if held:
                with pytest.raises(Refusal):
                    await a.part.flush(0.2)
                a.part.reconcile()  # told once
                await until(lambda: a.part._looking.done == a.part._looking.due)
                a.part.allow_deletion()
                await until(lambda: len(b.files()) == files - deleted)
                await in_step(a, b)
                assert a.part.status()["held"] == 0
                assert a.events() == ["Voice data: deletion held", "Voice data: deletion no longer held"]
            assert len(b.trash()) == deleted

    run(check())


def test_small_bites_of_one_accident_are_one(tmp_path: Path) -> None:
    """R14: `rm -r` is seen in pieces, as the kernel tells of it."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            await filled(a, b, 300)
            for number in range(300):
                (a.voice / f"d{number % 5}/{number}.wav").unlink()
                if number % 20 == 0:
                    await asyncio.sleep(0.06)
            await until(lambda: a.part.status()["held"])
            await asyncio.sleep(0.3)
            assert len(b.files()) >= 200
            a.part._scanner.allowed = False

    run(check())


def test_files_that_come_back_end_the_hold_and_new_ones_cross_meanwhile(tmp_path: Path) -> None:
    """R14: nothing else waits for the administrator."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            await filled(a, b, 300)
            shutil.copytree(a.voice / "d1", tmp_path / "d1")
            shutil.copytree(a.voice / "d2", tmp_path / "d2")
            (a.voice / "d1").rename(tmp_path / "gone1")
            (a.voice / "d2").rename(tmp_path / "gone2")
            await until(lambda: a.part.status()["held"] == 120)
            a.write("new.wav", b"new")
            await until(lambda: b.files().get("new.wav") == b"new", 2)
            shutil.copytree(tmp_path / "d1", a.voice / "d1")
            shutil.copytree(tmp_path / "d2", a.voice / "d2")
            await until(lambda: not a.part.status()["held"])
            await in_step(a, b)
            assert len(b.files()) == 301
            assert not b.trash()

    run(check())


def test_what_the_pbx_deletes_itself_and_what_moves_is_no_accident(tmp_path: Path) -> None:
    """R14: all of a mailbox, said with `deleted`; all of the tree under another folder."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            await filled(a, b, 300)
            (a.voice / "all").mkdir()
            for number in range(5):
                (a.voice / f"d{number}").rename(a.voice / f"all/{number}")
            await until(lambda: not (b.voice / "d4").exists())  # without reading: the units share this loop
            await in_step(a, b)
            for name in a.files():
                (a.voice / name).unlink()
                a.part.deleted(name)
            await until(lambda: not b.part.status()["files"])
            assert not b.files()
            assert not a.told

    run(check())


@pytest.mark.parametrize("how", ["missing", "another", "emptied"])
def test_a_tree_that_is_not_there_deletes_nothing(tmp_path: Path, how: str) -> None:
    """R14 (Unison's unmounted medium): the folder is gone, or another is in its place; and it comes back."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            await filled(a, b, 20)
            a.voice.rename(tmp_path / "aside")
            if how != "missing":
                a.voice.mkdir()
            if how == "emptied":
                (a.voice / ".sync").mkdir()
            a.part.reconcile()
            await until(lambda: a.part.status()["held"] == 20)
            assert "expected" in str(a.part.status()["trouble"])
            assert len(b.files()) == 20
            shutil.rmtree(a.voice, ignore_errors=True)
            (tmp_path / "aside").rename(a.voice)
            a.part.reconcile()
            await in_step(a, b)
            assert a.part.status()["held"] == 0
            assert len(b.files()) == 20

    run(check())


def test_a_look_that_is_asked_for_while_one_fails_is_made(tmp_path: Path) -> None:
    """R14, R15: the tree comes back in the moment in which its loss is told."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            await filled(a, b, 3)
            aside = tmp_path / "aside"

            class Told(list[tuple[str, str, str]]):
                def append(self, event: tuple[str, str, str]) -> None:
                    super().append(event)
                    if aside.exists():
                        shutil.rmtree(a.voice, ignore_errors=True)
                        aside.rename(a.voice)

            a.told = Told()
            async with a.part._stock.busy:  # the look has begun and waits for its turn
                a.voice.rename(aside)
                a.part.reconcile()
                await asyncio.sleep(0.1)
                (aside / "new.wav").write_bytes(b"while it was away")
                a.part.reconcile()
            await until(lambda: "new.wav" in b.files())
            assert a.told and a.part.status()["held"] == 0

    run(check())


def test_a_started_master_without_its_tree_deletes_nothing(tmp_path: Path) -> None:
    """R14: it was not mounted at boot; an administrator may say that it is to be so."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            await filled(a, b, 20)
            await disconnect(one, two)
            await a.stop()
            a.voice.rename(tmp_path / "aside")
            await a.start()
            a.part.role(True)
            await connect(a, b)
            await until(lambda: a.part.status()["held"] == 20)
            await asyncio.sleep(0.2)
            assert len(b.files()) == 20
            a.part.allow_deletion()
            await until(lambda: not b.files())
            assert len(b.trash()) == 20

    run(check())


def test_what_is_no_voice_file_is_left_alone_and_named_once(tmp_path: Path) -> None:
    """Bad input: links, pipes, folders too deep, names that are no UTF-8 (these do cross)."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            outside = tmp_path / "secret"
            outside.write_bytes(b"secret")
            (a.voice / "link.wav").symlink_to(outside)
            (a.voice / "folder").symlink_to(tmp_path)
            os.mkfifo(a.voice / "pipe.wav")
            deep = "/".join("d" * DEPTH_MAX)
            a.write(f"{deep}/too deep.wav", b"x")
            a.write(f"{deep[2:]}/deep.wav", b"x")
            a.write("n" * 255, b"long name")
            odd = os.fsencode(a.voice) + b"/\xff\xfe odd\n.wav"
            with open(odd, "wb") as file:  # noqa: PTH123 - a name of octets
                file.write(b"odd")
            for _ in range(2):
                a.part.reconcile()
                await in_step_without_odd(a)
            assert sorted(a.events()) == ["Voice data: left out"] * 4, a.told
            assert any("too deep" in text or "parts" in text for *_, text in a.told)
            names = set(b.files())
            assert names == {f"{deep[2:]}/deep.wav", "n" * 255, os.fsdecode(b"\xff\xfe odd\n.wav")}
            assert b"secret" not in b.files().values()

    run(check())


async def in_step_without_odd(a: Unit) -> None:
    await a.part.flush(5)


@pytest.mark.parametrize("size", [0, 1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, (8 << 20) + 1])
def test_sizes_at_the_limits_of_messages_and_credit(tmp_path: Path, size: int) -> None:
    """Bad input: sizes at, below and above a chunk and the credit."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            a.write("f", os.urandom(size))
            await in_step(a, b)

    run(check())


# --- flash that refuses -----------------------------------------------------------------------------------
class Refusing(Tree):
    """A tree on flash that refuses: the error comes from where the kernel gives it."""

    code = 0
    flushes = 0

    def write(self, path: bytes, offset: int, octets: bytes) -> None:
        if self.code == errno.ENOSPC and len(octets) > 16:
            raise OSError(self.code, os.strerror(self.code))
        super().write(path, offset, octets)

    def flush(self) -> None:
        self.flushes += 1
        if self.code == errno.EIO:
            raise OSError(self.code, os.strerror(self.code))
        super().flush()


def refusing(tmp_path: Path) -> tuple[Unit, Unit, Refusing]:
    tree = Refusing(tmp_path / "b/data/qx/voice", SETTLED)
    return Unit(tmp_path / "a", "A"), Unit(tmp_path / "b", "B", tree=tree), tree


def test_a_full_disk_acknowledges_nothing_and_is_over_when_space_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R16: told once, nothing half there, taken up again by itself."""
    monkeypatch.setattr("qx.sync.voice.follower.RETRY", 0.2)

    async def check() -> None:
        a, b, tree = refusing(tmp_path)
        await a.start()
        await b.start()
        a.part.role(True)
        b.part.role(False)
        await connect(a, b)
        await in_step(a, b)
        tree.code = errno.ENOSPC
        for number in range(50):
            a.write(f"{number}", b"%d" % number * 1000)
        await until(lambda: "no space left" in str(b.part.status()["trouble"]))
        await until(lambda: "no space left" in str(a.part.status()["trouble"]))
        await asyncio.sleep(0.5)
        with pytest.raises(Refusal, match="no space left"):
            await a.part.flush(0.1)
        assert not b.files()
        assert b.events() == ["Voice data: not synchronised"]
        tree.code = 0
        await until(lambda: len(b.files()) == 50)
        await in_step(a, b)
        assert b.events() == ["Voice data: not synchronised", "Voice data: stored again"]
        assert a.part.status()["trouble"] is b.part.status()["trouble"] is None
        await b.stop()
        await a.stop()

    run(check())


def test_a_flush_that_failed_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R16 (PostgreSQL's fsync errors): no acknowledgement until a restart, then everything is there."""
    monkeypatch.setattr("qx.sync.voice.follower.RETRY", 0.1)

    async def check() -> None:
        a, b, tree = refusing(tmp_path)
        await a.start()
        await b.start()
        a.part.role(True)
        b.part.role(False)
        await connect(a, b)
        await in_step(a, b)
        tree.code = errno.EIO
        before = tree.flushes
        a.write("f", b"x" * 1000)
        await until(lambda: b.part.status()["state"] == "stopped")
        tree.code = 0  # a second flush would succeed, and prove nothing
        await asyncio.sleep(0.4)
        a.part.reconcile()
        a.write("g", b"y")
        await asyncio.sleep(0.3)
        assert tree.flushes == before + 1
        assert "until a restart" in str(b.part.status()["trouble"])
        assert [event for event in b.told if event[0] == "critical"] == b.told[:1] == b.told
        assert not a.part._in_step()
        await b.stop()
        await b.start()
        b.part.role(False)
        await connect(a, b)
        await in_step(a, b)
        await b.stop()
        await a.stop()

    run(check())


def test_a_file_that_cannot_be_read_is_named_and_the_rest_crosses(tmp_path: Path) -> None:
    """R14: one bad block costs one file."""

    class Bad(Tree):
        def content(self, path: bytes, flush: bool = False, tries: int = 3):  # type: ignore[no-untyped-def]
            if path == b"bad.wav":
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().content(path, flush, tries)

    async def check() -> None:
        a = Unit(tmp_path / "a", "A", tree=Bad(tmp_path / "a/data/qx/voice", SETTLED))
        b = Unit(tmp_path / "b", "B")
        await a.start()
        await b.start()
        a.write("bad.wav", b"x")
        a.write("good.wav", b"y")
        a.part.role(True)
        b.part.role(False)
        await connect(a, b)
        await until(lambda: b.files() == {"good.wav": b"y"})
        a.part.reconcile()
        await a.part.flush(5)
        assert a.events() == ["Voice data: not readable"]
        assert "bad.wav" in a.told[0][2]
        assert "Input/output error" in str(a.part.status()["trouble"])
        await b.stop()
        await a.stop()

    run(check())
