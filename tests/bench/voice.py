# SPDX-License-Identifier: Apache-2.0
"""Voice data beside rsync, in turn on the same files: `python -m tests.bench.voice [FILES] [FOLDER]`.

Two units, each in a process of its own, over a socket; `rsync -a --fsync` against an rsync daemon on this
machine, each run timed as a whole. Prints a row a figure. FOLDER is where the trees are made (flash to be
measured); default: a temporary one.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from qx.model import MODELS
from qx.paths import Paths
from qx.redundancy.peer.hello import PeerHello
from qx.redundancy.peer.wire import Wire
from qx.settings.store import Store
from qx.sync.voice.part import VoiceSync

FOLDERS = 100
OCTETS = 30_000  # of a file, on average
ROUNDS = 5


class End:
    """A unit, and its end of the session."""

    def __init__(self, root: Path, leading: bool) -> None:
        self.paths = Paths(root)
        self.paths.data_qx.mkdir(parents=True, exist_ok=True)
        if not self.paths.settings_db.exists():
            Store.create(self.paths.settings_db)
        self.leading = leading
        self.wire = Wire(self)
        self.peer = PeerHello("other", "qx2000", "1.0.0")
        self.over_: asyncio.Event | None = None

    async def start(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self.over_ = asyncio.Event()
        loop = asyncio.get_running_loop()
        self.store = await loop.run_in_executor(
            self._thread, lambda: Store(self.paths.settings_db, MODELS["qx2000"])
        )
        self.part = VoiceSync(self.paths, self._in_store, print, serial="bench", firmware="1.0.0")
        await self.part.open()
        self.part.role(self.leading)

    async def connect(self, end: socket.socket) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self.wire, sock=end)
        self.part.started(self)

    async def stop(self) -> None:
        await self.part.close()
        await asyncio.get_running_loop().run_in_executor(self._thread, self.store.close)

    async def _in_store(self, work: Callable[[Store], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self.store))

    def send(self, kind: int, body: Any, *, bulk: bool = False) -> None:
        self.wire.send(kind, body, bulk=bulk)

    async def room(self) -> None:
        await self.wire.room()

    def made(self, transport: asyncio.BaseTransport) -> None:
        pass

    def bad(self, error: Exception) -> None:
        self.wire.abort(error)

    def heard(self, kind: int, body: Any) -> None:
        self.part.received(kind, body)

    def over(self, error: Exception | None) -> None:
        if error:
            print(error)
        self.part.ended()
        assert self.over_ is not None
        self.over_.set()


async def backup(root: Path, number: int) -> None:
    """The other process."""
    end = End(root, leading=False)
    await end.start()
    await end.connect(socket.socket(fileno=number))
    assert end.over_ is not None
    await end.over_.wait()
    await end.stop()


def row(name: str, ours: str, theirs: str = "") -> None:
    print(f"{name:<44} {ours:>24}   {theirs:>24}", flush=True)


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def make(tree: Path, files: int) -> None:
    chance = random.Random(1)
    for number in range(files):
        folder = tree / f"mailbox{number % FOLDERS:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"msg{number:06}.wav").write_bytes(chance.randbytes(chance.randrange(2 * OCTETS)))


class Rsync:
    """A daemon of it, and the tree that it keeps."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "rsync"
        self.tree.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        config = folder / "rsyncd.conf"
        config.write_text(
            f"use chroot = no\n[voice]\npath = {self.tree}\nread only = no\nuid = root\ngid = root\n"
        )
        command = ["rsync", "--daemon", "--no-detach", f"--config={config}", f"--port={self._port}"]
        self._daemon = subprocess.Popen(command)
        time.sleep(0.5)

    def run(self, source: Path) -> tuple[float, float, int]:
        """Seconds, seconds of CPU of the client, octets both ways."""
        command = ["rsync", "-a", "--delete", "--fsync", "--stats", "--exclude=/.sync", "--exclude=/.trash",
                   f"{source}/", f"rsync://127.0.0.1:{self._port}/voice/"]  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        passed = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        octets = sum(
            int(line.split(":")[1].replace(",", ""))
            for line in said.splitlines()
            if line.startswith("Total bytes")
        )
        return passed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, octets

    def stop(self) -> None:
        self._daemon.terminate()
        self._daemon.wait()


async def measure(folder: Path, files: int) -> None:
    a = End(folder / "a", leading=True)
    tree = a.paths.voice
    make(tree, files)
    octets = sum(f.stat().st_size for f in tree.rglob("*.wav"))
    subprocess.run(["sync"], check=True)
    await asyncio.sleep(2.2)  # nothing is young
    began = time.perf_counter()
    await a.start()
    while a.part.status()["files"] < files or a.part._looking.done < a.part._looking.due:
        await asyncio.sleep(0.01)
    row(f"{files} files, {octets / 1e6:.0f} MB", "this product", "rsync -a --fsync")
    row("first look at the tree, hashes durable", f"{time.perf_counter() - began:.2f} s")

    rsync = Rsync(folder)
    left, right = socket.socketpair()
    command = [sys.executable, "-m", "tests.bench.voice", "--backup", str(folder / "b"), str(right.fileno())]
    child = subprocess.Popen(command, pass_fds=(right.fileno(),))
    right.close()
    left.setblocking(False)
    try:
        await asyncio.sleep(1.0)
        began, used = time.perf_counter(), own_cpu() + cpu(child.pid)
        await a.connect(left)
        while a.part.status()["state"] != "in step":
            await asyncio.sleep(0.005)
        passed, used = time.perf_counter() - began, own_cpu() + cpu(child.pid) - used
        theirs = await asyncio.to_thread(rsync.run, tree)
        crossed = a.wire.octets_sent + a.wire.octets_received
        row("first copy, durable", f"{passed:.2f} s", f"{theirs[0]:.2f} s")
        row("  CPU of both units (rsync: client)", f"{used:.2f} s", f"{theirs[1]:.2f} s")
        row("  octets both ways", f"{crossed}", f"{theirs[2]}")

        await asyncio.sleep(2.5)  # what was young is looked at again
        await settled(a)
        figures: list[tuple[float, float, int]] = []
        for _ in range(ROUNDS):
            before, used, began = a.wire.octets_sent + a.wire.octets_received, own_cpu(), time.perf_counter()
            await settled(a)
            figures.append(
                (
                    time.perf_counter() - began,
                    own_cpu() - used,
                    a.wire.octets_sent + a.wire.octets_received - before,
                )
            )
        theirs = await asyncio.to_thread(rsync.run, tree)
        row(
            "nothing changed",
            f"{statistics.median(f[0] for f in figures) * 1e3:.0f} ms",
            f"{theirs[0] * 1e3:.0f} ms",
        )
        row(
            "  CPU of the Master",
            f"{statistics.median(f[1] for f in figures) * 1e3:.0f} ms",
            f"{theirs[1] * 1e3:.0f} ms",
        )
        row("  octets both ways", f"{figures[0][2]}", f"{theirs[2]}")

        await changes(a, rsync, tree)
    finally:
        rsync.stop()
        left.close()
        await a.stop()
        child.wait(20)
    same = subprocess.run(
        ["diff", "-r", "-x", ".sync", "-x", ".trash", tree, Paths(folder / "b").voice], check=False
    )
    row("the two trees are equal", str(not same.returncode))


async def settled(a: End) -> None:
    """One full comparison."""
    due = a.part._due()
    while a.part._looking.done < due or a.part.status()["state"] != "in step":
        await asyncio.sleep(0.001)


async def crossed(a: End, files: int) -> float:
    """Seconds until the Backup has acknowledged so many files and everything else."""
    began = time.perf_counter()
    while a.part.status()["files"] != files or a.part.status()["state"] != "in step":
        await asyncio.sleep(0.0005)
    return time.perf_counter() - began


async def changes(a: End, rsync: Rsync, tree: Path) -> None:
    """10 new and 5 changed files; then 100 moved."""
    chance = random.Random(2)
    ours: list[float] = []
    theirs: list[float] = []
    before = a.wire.octets_sent
    for turn in range(ROUNDS):
        count = a.part.status()["files"]
        root = a.part._rows.root
        for number in range(10):
            (tree / f"mailbox{number:03}" / f"new{turn}-{number}.wav").write_bytes(chance.randbytes(OCTETS))
        for number in range(5):
            (tree / f"mailbox{number:03}" / f"msg{number:06}.wav").write_bytes(chance.randbytes(OCTETS))
        ours.append(await crossed(a, count + 10))
        assert a.part._rows.root != root
        theirs.append((await asyncio.to_thread(rsync.run, tree))[0])
        await asyncio.sleep(0.3)
    row(
        "10 new and 5 changed",
        f"{statistics.median(ours) * 1e3:.0f} ms",
        f"{statistics.median(theirs) * 1e3:.0f} ms",
    )
    row("  worst; octets a turn", f"{max(ours) * 1e3:.0f} ms; {(a.wire.octets_sent - before) // ROUNDS}")
    await asyncio.sleep(2.5)
    before, root = a.wire.octets_sent + a.wire.octets_received, a.part._rows.root
    began = time.perf_counter()
    for number, file in enumerate(sorted(tree.glob("mailbox00*/*"))[:100]):
        file.rename(tree / "mailbox050" / f"moved{number}.wav")
    while a.part._rows.root == root or a.part.status()["state"] != "in step":
        await asyncio.sleep(0.0005)
    await asyncio.sleep(0.2)
    passed = time.perf_counter() - began - 0.2
    sent = a.wire.octets_sent + a.wire.octets_received - before
    again = await asyncio.to_thread(rsync.run, tree)
    row("100 moved", f"{passed * 1e3:.0f} ms", f"{again[0] * 1e3:.0f} ms")
    row("  octets both ways", f"{sent}", f"{again[2]}")


def main(argv: list[str]) -> None:
    if argv[:1] == ["--backup"]:
        asyncio.run(backup(Path(argv[1]), int(argv[2])))
        return
    files = int(argv[0]) if argv else 10_000
    folder = Path(tempfile.mkdtemp(dir=argv[1] if len(argv) > 1 else None))
    try:
        asyncio.run(measure(folder, files))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
