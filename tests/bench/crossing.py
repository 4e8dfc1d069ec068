# SPDX-License-Identifier: Apache-2.0
"""What synchronisation takes between two real daemons over their TLS session, in turn with guests (R13, R14).

Settings are set as a user does it, over the control socket: the time is from the request until the answer
`durable: both`. Octets are the session's own count of both ways, before TLS (22 more a record), heartbeats of
the time included. Voice files count when they are in the Backup's tree and the Master calls it in step.
"""

import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

from board.lab.namespace import LabError

from qx.control.client import call
from qx.paths import Paths

from . import cost
from .csync2 import CSYNC2
from .figures import PRODUCT, RSYNC, Sample
from .guests import NOT_VOICE, Change, Guests
from .lsyncd import LSYNCD
from .office import office
from .pair import Pair, other, wait_for

FOLDERS = 100
OCTETS = 30_000  # of a file, on average
PACE = 0.005  # seconds between two settings
QUIET = 3.0  # seconds of looking for what a comparison costs
PATIENCE = 120.0

Found = dict[str, dict[str, list[Sample]]]  # figure: contestant: samples


class Daemon:
    """A unit's daemon, asked over its control socket without the start of a program."""

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
    daemon = Daemon(pair, master)
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
    theirs: dict[str, list[Sample]] = {RSYNC: [], CSYNC2: [], LSYNCD: []}
    crossed: dict[str, list[Sample]] = {RSYNC: [], CSYNC2: [], LSYNCD: []}
    source, own = folder / "source", folder / "own"
    source.mkdir()
    own.mkdir()
    options = ("--checksum", "--no-whole-file")
    with Guests(pair.lab, master, other(master), folder, source, own, options) as guests:
        for number in range(runs + 1):  # the first copies it whole
            values[names[0]] = f"Changed {number:06}"
            change = _written("".join(f"{path}={value}\n" for path, value in values.items()))
            change.make(source)
            for who, run in guests.carry(change).items():
                if number:
                    theirs[who].append(Sample(run.seconds * 1e3))
                    crossed[who].append(Sample(run.octets))
    return {
        "setting": {PRODUCT: times, **theirs},
        "setting-asked": {PRODUCT: asked},
        "setting-flush": {PRODUCT: flushes},
        "setting-octets": {PRODUCT: [ours], **crossed},
    }


def _written(text: str) -> Change:
    """A file of settings."""
    octets = text.encode()

    def make(tree: Path) -> None:
        (tree / "settings").write_bytes(octets)

    return Change(make, lambda copy: _holds(copy / "settings", octets))


def voice(pair: Pair, folder: Path, files: int, runs: int) -> Found:
    """The first copy of a tree, a comparison of what is the same, 10 new and 5 changed, 100 moved."""
    master = pair.ready()
    daemon = Daemon(pair, master)
    backup = Daemon(pair, other(master))
    wait_for(lambda: daemon.in_step, PATIENCE, "the pair in step", 0.1)
    chance, tree, own = random.Random(1), daemon.voice, folder / "own"
    own.mkdir()
    found: Found = {}

    def note(figure: str, who: str, value: float) -> None:
        found.setdefault(figure, {}).setdefault(who, []).append(Sample(value))

    def turn(figure: str, change: Change, look: float = 0.001) -> None:
        """One change of the tree, by all, each with nothing on its way to the disk when it begins."""
        lasted, octets = carried(daemon, backup, change, figure, look)
        note(figure, PRODUCT, lasted * 1e3)
        note(f"{figure}-octets", PRODUCT, octets)
        for who, run in guests.carry(change).items():
            note(figure, who, run.seconds * 1e3)
            note(f"{figure}-octets", who, run.octets)

    with Guests(pair.lab, master, other(master), folder, tree, own, NOT_VOICE) as guests:
        turn("voice-first", first(folder, chance, files, OCTETS), 0.1)
        time.sleep(3.0)  # nothing is young any more
        for _ in range(runs):
            base, ours, theirs = (compared(daemon, backup, work) for work in (None, daemon, backup))
            note("voice-same", PRODUCT, max(0.0, ours[0] - base[0]))
            note("voice-same-backup", PRODUCT, max(0.0, theirs[1] - base[1]))
            note("voice-same-octets", PRODUCT, max(0, ours[2] - base[2]))
            for who, run in guests.compare().items():
                note("voice-same", who, run.cpu * 1e3)
                note("voice-same-octets", who, run.octets)
        for _ in range(runs):
            turn("voice-some", _some(chance))
            time.sleep(0.3)
        time.sleep(3.0)
        turn("voice-moved", _moved(tree))
    return found


def first(folder: Path, chance: random.Random, files: int, octets: int) -> Change:
    """A tree of so many files of `octets` on average; each who makes the change has a copy of it."""
    made = folder / "made"
    for number in range(files):
        place = made / f"mailbox{number % FOLDERS:03}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"msg{number:06}.wav").write_bytes(chance.randbytes(chance.randrange(2 * octets)))

    def make(tree: Path) -> None:
        for place in sorted(copies.pop().iterdir()):
            place.rename(tree / place.name)

    copies = [made, shutil.copytree(made, folder / "made-again")]
    last = max(path.relative_to(made) for path in made.glob("*/*"))
    return Change(
        make, lambda copy: (copy / last).exists() and len(list(copy.glob("mailbox*/msg*"))) == files
    )


def carried(
    daemon: Daemon, backup: Daemon, change: Change, what: str, look: float = 0.001
) -> tuple[float, int]:
    """Seconds until the change of the Master's tree is acknowledged by the Backup, octets both ways. `look`:
    seconds between two looks, where looking is work."""
    os.sync()
    before, began = daemon.octets, time.monotonic()
    change.make(daemon.voice)
    wait_for(lambda: change.there(backup.voice), PATIENCE, f"{what} on the Backup", look)
    wait_for(lambda: daemon.in_step, PATIENCE, f"{what} acknowledged", 0.001)
    return time.monotonic() - began, daemon.octets - before


def _some(chance: random.Random) -> Change:
    names = [f"mailbox{n:03}/new{time.monotonic_ns()}.wav" for n in range(10)]
    names += [f"mailbox{n:03}/msg{n:06}.wav" for n in range(5)]
    content = {name: chance.randbytes(OCTETS) for name in names}

    def make(tree: Path) -> None:
        for name, octets in content.items():
            (tree / name).write_bytes(octets)

    return Change(make, lambda copy: all(_holds(copy / name, octets) for name, octets in content.items()))


def _moved(tree: Path) -> Change:
    moves = {
        str(file.relative_to(tree)): f"mailbox050/moved{time.monotonic_ns()}-{number}.wav"
        for number, file in enumerate(sorted(tree.glob("mailbox0[0-4]*/msg*"))[:100])
    }

    def make(own: Path) -> None:
        for old, new in moves.items():
            (own / old).rename(own / new)

    return Change(
        make,
        lambda copy: all((copy / new).exists() and not (copy / old).exists() for old, new in moves.items()),
    )


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


def compared(master: Daemon, backup: Daemon, who: Daemon | None) -> tuple[float, float, int]:
    """ms of each daemon's CPU and octets of the session within QUIET seconds, which begin with a comparison
    by `who`."""
    pids, octets = (master.pid, backup.pid), master.octets
    before = [cost.cpu_seconds([pid]) for pid in pids]
    if who:
        who.compare()
    time.sleep(QUIET)
    spent = [(cost.cpu_seconds([pid]) - then) * 1e3 for pid, then in zip(pids, before, strict=True)]
    crossed = master.octets - octets
    if not master.in_step:
        raise LabError("the pair is not in step after a comparison")
    return spent[0], spent[1], crossed
