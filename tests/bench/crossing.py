# SPDX-License-Identifier: Apache-2.0
"""What synchronisation takes between two real daemons over their TLS session, in turn with rsync (R13, R14).

Settings are set as a user does it, over the control socket: the time is from the request until the answer
`durable: both`. Octets are the session's own count of both ways, before TLS (22 more a record), heartbeats of
the time included. Voice files count when they are in the Backup's tree and the Master calls it in step.
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from board.lab.namespace import LabError

from qx.control.client import call
from qx.paths import Paths

from . import cost
from .figures import PRODUCT, RSYNC, Sample
from .office import office
from .pair import Pair, other, wait_for
from .rsync import Rsync

FOLDERS = 100
OCTETS = 30_000  # of a file, on average
PACE = 0.005  # seconds between two settings
QUIET = 3.0  # seconds of looking for what a comparison costs
PATIENCE = 120.0

Found = dict[str, dict[str, list[Sample]]]  # figure: contestant: samples


class _Daemon:
    """The Master's daemon, asked over its control socket without the start of a program."""

    def __init__(self, pair: Pair, unit: str) -> None:
        root = pair.lab.units[unit].root
        self._paths = Paths(root)
        self.voice: Path = self._paths.voice
        self.pid = pair.contestant.processes(unit)["engine"]

    def set(self, changes: dict[str, str]) -> str:
        return str(call(self._paths, "set", {"changes": changes, "who": "bench"}, 60.0)["durable"])

    def status(self) -> dict[str, Any]:
        return call(self._paths, "status")

    def compare(self) -> None:
        call(self._paths, "sync_now")

    @property
    def octets(self) -> int:
        counters = self.status()["peer"]["session"]["counters"]
        return int(counters["octets_sent"]) + int(counters["octets_received"])

    @property
    def in_step(self) -> bool:
        sync = self.status()["sync"]
        return sync["state"] == "in step" and sync["voice"]["state"] == "in step"


def settings(pair: Pair, folder: Path, count: int, rounds: int, runs: int) -> Found:
    """`setting`: ms until one of `count` settings is durable on both; `setting-octets`: of a change. Measured
    between two of them, what of that the way to the daemon takes (`setting-asked`: the same once more, which
    is checked, changes nothing and is answered at once) and what the disk alone (`setting-flush`)."""
    master = pair.ready()
    daemon = _Daemon(pair, master)
    values = {
        path: str(value).lower() if value is True else str(value) for path, value in office(count).items()
    }
    wait_for(lambda: daemon.in_step, PATIENCE, "the pair in step", 0.1)
    daemon.set(values)
    names = [path for path in values if path.endswith(".name")]
    wait_for(lambda: daemon.in_step, PATIENCE, "the settings on both units", 0.1)
    before, times = daemon.octets, list[Sample]()
    asked, flushes = list[Sample](), list[Sample]()
    for number in range(rounds):
        change = {names[number % len(names)]: f"Changed {number}"}
        began = time.perf_counter()
        durable = daemon.set(change)
        lasted = time.perf_counter() - began
        failed = "" if durable == "both" else f"answered durable: {durable}"
        times.append(Sample(lasted * 1e3, failed=failed))
        time.sleep(PACE)
        began = time.perf_counter()
        daemon.set(change)
        asked.append(Sample((time.perf_counter() - began) * 1e3))
        time.sleep(PACE)
        flushes.append(Sample(2e3 * _flush(folder / "flushed", number)))
    ours = Sample((daemon.octets - before) / rounds)
    theirs: list[Sample] = []
    crossed: list[Sample] = []
    source = folder / "source"
    with Rsync(pair.lab, master, other(master), folder / "rsync") as rsync:
        source.mkdir()
        for number in range(runs + 1):  # the first copies it whole
            values[names[0]] = f"Changed {number:06}"
            (source / "settings").write_text("".join(f"{path}={value}\n" for path, value in values.items()))
            run = rsync.run(source, "settings", "--checksum", "--no-whole-file")
            if number:
                theirs.append(Sample(run.seconds * 1e3))
                crossed.append(Sample(run.octets))
    return {
        "setting": {PRODUCT: times, RSYNC: theirs},
        "setting-asked": {PRODUCT: asked},
        "setting-flush": {PRODUCT: flushes},
        "setting-octets": {PRODUCT: [ours], RSYNC: crossed},
    }


def voice(pair: Pair, folder: Path, files: int, runs: int) -> Found:
    """The first copy of a tree, a comparison of what is the same, 10 new and 5 changed, 100 moved."""
    master = pair.ready()
    daemon = _Daemon(pair, master)
    backup = _Daemon(pair, other(master))
    copy = backup.voice
    wait_for(lambda: daemon.in_step, PATIENCE, "the pair in step", 0.1)
    chance, tree, made = random.Random(1), daemon.voice, folder / "made"
    for number in range(files):
        place = made / f"mailbox{number % FOLDERS:03}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"msg{number:06}.wav").write_bytes(chance.randbytes(chance.randrange(2 * OCTETS)))
    found: Found = {}

    def note(figure: str, ours: float, theirs: float) -> None:
        samples = found.setdefault(figure, {PRODUCT: [], RSYNC: []})
        samples[PRODUCT].append(Sample(ours))
        samples[RSYNC].append(Sample(theirs))

    def turn(figure: str, change: Callable[[], Callable[[], bool]], look: float = 0.001) -> None:
        """One change of the tree, by both, each with nothing on its way to the disk when it begins."""
        os.sync()
        before, began = daemon.octets, time.monotonic()
        there = change()
        wait_for(there, PATIENCE, f"{figure} on the Backup", look)
        wait_for(lambda: daemon.in_step, PATIENCE, f"{figure} acknowledged", 0.001)
        lasted = time.monotonic() - began
        octets = daemon.octets - before
        os.sync()
        run = rsync.run(tree, "voice", "--exclude=/.sync", "--exclude=/.trash")
        note(figure, lasted * 1e3, run.seconds * 1e3)
        note(f"{figure}-octets", octets, run.octets)

    def first() -> Callable[[], bool]:
        for place in sorted(made.iterdir()):
            place.rename(tree / place.name)
        return lambda: daemon.status()["sync"]["voice"]["files"] >= files and daemon.in_step

    def some() -> Callable[[], bool]:
        names = [f"mailbox{n:03}/new{time.monotonic_ns()}.wav" for n in range(10)]
        names += [f"mailbox{n:03}/msg{n:06}.wav" for n in range(5)]
        content = {name: chance.randbytes(OCTETS) for name in names}
        for name, octets in content.items():
            (tree / name).write_bytes(octets)
        return lambda: all(_holds(copy / name, octets) for name, octets in content.items())

    def moved() -> Callable[[], bool]:
        names: list[str] = []
        for number, file in enumerate(sorted(tree.glob("mailbox0[0-4]*/msg*"))[:100]):
            names.append(f"mailbox050/moved{time.monotonic_ns()}-{number}.wav")
            file.rename(tree / names[-1])
        return lambda: all((copy / name).exists() for name in names)

    with Rsync(pair.lab, master, other(master), folder / "rsync") as rsync:
        turn("voice-first", first, 0.02)  # asking a daemon a thousand times a second would be its main work
        time.sleep(3.0)  # nothing is young any more
        for _ in range(runs):
            base = _cost(daemon, backup, lambda: None)
            ours = _cost(daemon, backup, daemon.compare)
            theirs = _cost(daemon, backup, backup.compare)
            run = rsync.run(tree, "voice", "--exclude=/.sync", "--exclude=/.trash")
            note("voice-same", max(0.0, ours[0] - base[0]), run.cpu * 1e3)
            found.setdefault("voice-same-backup", {PRODUCT: []})[PRODUCT].append(
                Sample(max(0.0, theirs[1] - base[1]))
            )
            note("voice-same-octets", max(0, ours[2] - base[2]), run.octets)
        for _ in range(runs):
            turn("voice-some", some)
            time.sleep(0.3)
        time.sleep(3.0)
        turn("voice-moved", moved)
    return found


def _flush(file: Path, number: int) -> float:
    """Seconds until as many octets as a commit writes are durable on this disk, over older ones."""
    with file.open("r+b" if number else "wb") as out:
        out.seek(number % 64 << 14)
        out.write(bytes(1 << 14))
        out.flush()
        began = time.perf_counter()
        os.fdatasync(out.fileno())
        return time.perf_counter() - began


def _holds(file: Path, octets: bytes) -> bool:
    try:
        return file.stat().st_size == len(octets) and file.read_bytes() == octets
    except FileNotFoundError:
        return False


def _cost(master: _Daemon, backup: _Daemon, work: Callable[[], None]) -> tuple[float, float, int]:
    """ms of each daemon's CPU and octets of the session within QUIET seconds, which begin with `work`."""
    pids, octets = (master.pid, backup.pid), master.octets
    before = [cost.cpu_seconds([pid]) for pid in pids]
    work()
    time.sleep(QUIET)
    spent = [(cost.cpu_seconds([pid]) - then) * 1e3 for pid, then in zip(pids, before, strict=True)]
    crossed = master.octets - octets
    if not master.in_step:
        raise LabError("the pair is not in step after a comparison")
    return spent[0], spent[1], crossed
