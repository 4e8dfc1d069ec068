# SPDX-License-Identifier: Apache-2.0
"""How costs grow: with settings, voice files, phones and pairs on one LAN.

What is measured at which size, and the measuring of it, on the lab of the other rows and after them.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence, Set
from functools import partial
from pathlib import Path

from board.lab.namespace import PROJECT, LabError
from board.lab.network import UNITS
from board.lab.pair import Lab

from qx.errors import Refusal

from . import cost, telephony
from .adverts import Adverts
from .crossing import PACE, PATIENCE, Daemon, carried, compared, first
from .curves import Curve, Topic
from .figures import CONTESTANTS, PRODUCT, RSYNC, Sample
from .guests import NOT_VOICE
from .keepalived import Keepalived
from .office import office
from .pair import Contestant, Pair, other, wait_for
from .product import Product
from .rsync import Rsync
from .setting import FAST, OFFICE, Setting

BESIDE_RSYNC = (PRODUCT, RSYNC)
CHANGES = 50  # of a setting, at each size
RUNS = 2  # of rsync, comparisons
OCTETS = 3000  # of a voice file on average: their number is what grows here
CALLS = 5  # up through a power cut
SLICES, SLICE = 3, 2.0  # of a Backup among other groups, and seconds of one
TRIES, PAUSE = 3, 0.2  # of such groups, and seconds for which none may pause
Say = Callable[[str], None]


def topics(quick: bool, keys: Set[str] = frozenset()) -> list[Topic]:
    """All, or those of these keys: growth, growth-settings, …"""
    planned = _planned(quick)
    return [topic for topic in planned if not keys or keys & {"growth", topic.key}]


def _planned(quick: bool) -> list[Topic]:
    few = slice(None, None, 2) if quick else slice(None)
    return [
        Topic(
            "growth-settings",
            "settings",
            (100, 1000, 5000, 20_000, 50_000)[few][: 2 if quick else None],
            [
                Curve("setting", "one change, durable on both", "ms", BESIDE_RSYNC),
                Curve("octets", "both ways, a change", "octets", BESIDE_RSYNC),
                Curve("memory", "the Master's daemon: resident", "MiB", (PRODUCT,)),
                Curve("memory-backup", "the Backup's daemon: resident", "MiB", (PRODUCT,)),
                Curve("start", "start of a daemon until it hears VRRP", "ms", (PRODUCT,)),
            ],
            "2,000 phones and 4,000 extensions are a QX2000's most: 50,000 settings with the five and ten "
            "that each is given here. rsync copies one file with all of them; keepalived keeps none.",
        ),
        Topic(
            "growth-voice",
            "voice files",
            (100, 1000, 10_000, 50_000)[few][: 2 if quick else None],
            [
                Curve("same", "nothing changed: CPU of the Master (client)", "ms", BESIDE_RSYNC),
                Curve("same-octets", "both ways, nothing changed", "octets", BESIDE_RSYNC),
                Curve("first", "first copy", "ms", BESIDE_RSYNC),
                Curve("first-octets", "both ways, first copy", "octets", BESIDE_RSYNC),
                Curve("memory", "the Master's daemon: resident", "MiB", (PRODUCT,)),
            ],
            f"Files of {OCTETS:,} octets on average.",
        ),
        Topic(
            "growth-phones",
            "phones",
            (10, 100, 500, 2000)[few][: 2 if quick else None],
            [
                Curve("service", "SIP service after its address", "ms", CONTESTANTS),
                Curve("rows", "of it until all registrations are written for it", "ms", (PRODUCT,)),
                Curve("memory", "all processes of the new Master: proportional share", "MiB", CONTESTANTS),
            ],
            f"A power cut of the Master with {CALLS} calls up, which lived where none failed. keepalived has "
            "Kamailio on both units. Once it answers it is asked how many registrations it has: all, or the "
            "sample failed.",
        ),
        Topic(
            "growth-groups",
            "groups on the LAN",
            (1, 50, 125, 250)[few],
            [
                Curve("backup", "CPU of the Backup", "ms/s", CONTESTANTS),
                Curve("master", "CPU of the Master", "ms/s", CONTESTANTS),
            ],
            f"Each other group has a Master that advertises every {FAST.interval} s, as the pair's own does.",
        ),
    ]


class Growth:
    """The lab is up, with both units off. `folder` is for what is measured."""

    def __init__(self, lab: Lab, folder: Path, say: Say) -> None:
        self._lab, self._say = lab, say
        self._folder, self._configuration = folder / "point", folder / "keepalived"

    def run(self, topic: Topic) -> None:
        """Fills the topic's curves."""
        measure = {
            "growth-settings": self._settings,
            "growth-voice": self._voice,
            "growth-phones": self._phones,
            "growth-groups": self._groups,
        }[topic.key]
        with Adverts(self._lab.network.name("pc")) as adverts:
            measure(topic, adverts)

    # ── settings ──

    def _settings(self, topic: Topic, adverts: Adverts) -> None:
        pair = self._pair(Product(self._lab), OFFICE, adverts)
        for size in topic.sizes:
            self._point(topic, PRODUCT, size, partial(self._settings_at, topic, pair, size))
            pair.end()

    def _settings_at(self, topic: Topic, pair: Pair, size: int) -> None:
        """The settings of the size before are in it, and those of this one come on top."""
        master = pair.ready()
        daemon, backup = Daemon(pair, master), Daemon(pair, other(master))
        values = {
            path: str(value).lower() if value is True else str(value) for path, value in office(size).items()
        }
        wait_for(lambda: daemon.in_step, PATIENCE, "the pair in step", 0.1)
        daemon.set(values)
        wait_for(lambda: daemon.in_step, PATIENCE, "the settings on both units", 0.1)
        names = [path for path in values if path.endswith(".name")]
        before, curve = daemon.octets, topic.curve("setting")
        for number in range(CHANGES):
            began = time.perf_counter()
            durable = daemon.set({names[number % len(names)]: f"{size} {number}"})
            lasted = time.perf_counter() - began
            failed = "" if durable == "both" else f"answered durable: {durable}"
            curve.add(PRODUCT, size, Sample(lasted * 1e3, failed=failed))
            time.sleep(PACE)
        topic.curve("octets").add(PRODUCT, size, Sample((daemon.octets - before) / CHANGES))
        topic.curve("memory").add(PRODUCT, size, Sample(cost.memory(daemon.pid)["rss"]))
        topic.curve("memory-backup").add(PRODUCT, size, Sample(cost.memory(backup.pid)["rss"]))
        self._settings_by_rsync(topic, pair, size, values)
        pair.end()
        pair.starts.clear()
        pair.ready()
        topic.curve("start").add(PRODUCT, size, *(Sample(1e3 * seconds) for seconds in pair.starts))

    def _settings_by_rsync(self, topic: Topic, pair: Pair, size: int, values: dict[str, str]) -> None:
        master, source = pair.ready(), self._folder / "source"
        name = next(iter(values))
        source.mkdir()
        with Rsync(self._lab, master, other(master), self._folder / "rsync") as rsync:
            for number in range(RUNS + 1):  # the first copies it whole
                changed = values | {name: f"Changed {number:06}"}
                (source / "settings").write_text("".join(f"{path}={one}\n" for path, one in changed.items()))
                run = rsync.run(source, "copy", "--checksum", "--no-whole-file")
                if number:
                    topic.curve("setting").add(RSYNC, size, Sample(run.seconds * 1e3))
                    topic.curve("octets").add(RSYNC, size, Sample(run.octets))

    # ── voice files ──

    def _voice(self, topic: Topic, adverts: Adverts) -> None:
        for size in topic.sizes:
            pair = self._pair(Product(self._lab), OFFICE, adverts)  # a first copy wants a unit that has none
            self._point(topic, PRODUCT, size, partial(self._voice_at, topic, pair, size))
            pair.end()

    def _voice_at(self, topic: Topic, pair: Pair, size: int) -> None:
        master = pair.ready()
        daemon, backup = Daemon(pair, master), Daemon(pair, other(master))
        wait_for(lambda: daemon.in_step, PATIENCE, "the pair in step", 0.1)
        change = first(self._folder, random.Random(size), size, OCTETS)
        lasted, octets = carried(daemon, backup, change, "the first copy", 0.1)
        topic.curve("first").add(PRODUCT, size, Sample(lasted * 1e3))
        topic.curve("first-octets").add(PRODUCT, size, Sample(octets))
        os.sync()
        with Rsync(self._lab, master, other(master), self._folder / "rsync") as rsync:
            run = rsync.run(daemon.voice, "copy", *NOT_VOICE)
            topic.curve("first").add(RSYNC, size, Sample(run.seconds * 1e3))
            topic.curve("first-octets").add(RSYNC, size, Sample(run.octets))
            time.sleep(3.0)  # nothing is young any more
            for _ in range(RUNS):
                base, ours = compared(daemon, backup, None), compared(daemon, backup, daemon)
                run = rsync.run(daemon.voice, "copy", *NOT_VOICE)
                topic.curve("same").add(PRODUCT, size, Sample(max(0.0, ours[0] - base[0])))
                topic.curve("same").add(RSYNC, size, Sample(run.cpu * 1e3))
                topic.curve("same-octets").add(PRODUCT, size, Sample(max(0, ours[2] - base[2])))
                topic.curve("same-octets").add(RSYNC, size, Sample(run.octets))
        topic.curve("memory").add(PRODUCT, size, Sample(cost.memory(daemon.pid)["rss"]))

    # ── phones ──

    def _phones(self, topic: Topic, adverts: Adverts) -> None:
        for size in topic.sizes:
            setting = Setting(f"{size} phones", 3, "0.1", "qx2000", pbx=True, phones=size)
            for contestant in self._contestants():
                pair = self._pair(contestant, setting, adverts)
                self._point(topic, contestant.name, size, partial(_phones_at, topic, pair, size))
                pair.end()

    # ── groups ──

    def _groups(self, topic: Topic, adverts: Adverts) -> None:
        for contestant in self._contestants():
            pair = self._pair(contestant, FAST, adverts)
            for size in topic.sizes:
                self._point(topic, contestant.name, size, partial(_groups_at, topic, pair, size))
            pair.end()

    # ── any ──

    def _contestants(self) -> Sequence[Contestant]:
        return (Product(self._lab), Keepalived(self._lab, self._configuration))

    def _pair(self, contestant: Contestant, setting: Setting, adverts: Adverts) -> Pair:
        contestant.prepare(setting)
        return Pair(self._lab, contestant, setting, adverts)

    def _point(self, topic: Topic, who: str, size: int, measure: Callable[[], None]) -> None:
        """One size; what fails stands at every cost of it that has no figure."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        try:
            measure()
        except (LabError, Refusal, ProcessLookupError) as error:
            for curve in topic.curves:
                if who in curve.of and size not in curve.samples[who]:
                    curve.add(who, size, Sample(failed=str(error)))
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        for curve in topic.curves:
            if who in curve.of:
                told = dict(curve.medians(who)).get(size)
                figure = "no figure" if told is None else f"{told:.2f} {curve.unit}"
                self._say(f"{who:<10} {size:>6,} {topic.axis}: {curve.name}: {figure}")


def _phones_at(topic: Topic, pair: Pair, size: int) -> None:
    found = telephony.power_cut(pair, CALLS)
    if lost := found["lost"][0].value:
        raise LabError(f"{lost:.0f} of {CALLS} calls were lost")
    for curve in topic.curves:
        if pair.contestant.name in curve.of:
            curve.add(pair.contestant.name, size, *found[curve.key])


def _groups_at(topic: Topic, pair: Pair, size: int) -> None:
    """CPU of all of a unit's processes while the other groups' Masters advertise; again where they did not
    keep their interval, because this machine had no time for them."""
    for _ in range(TRIES):
        if _among(topic, pair, size) < PAUSE:
            return


def _among(topic: Topic, pair: Pair, size: int) -> float:
    """Adds a sample a slice, spoilt where the others paused; returns their longest pause in seconds."""
    master = pair.ready()
    pids = {unit: list(pair.contestant.processes(unit).values()) for unit in UNITS}
    argv = [sys.executable, "-m", "bench.neighbours", pair.lab.network.name("pc")]
    argv += [str(size - 1), FAST.interval, str(SLICES * SLICE + 1.0)]
    environ = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}"}
    found: dict[str, list[float]] = {"master": [], "backup": []}
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, text=True) as neighbours:
        assert neighbours.stdout
        neighbours.stdout.readline()
        time.sleep(0.5)
        for _ in range(SLICES):
            began, before = time.monotonic(), {unit: cost.cpu_seconds(pids[unit]) for unit in UNITS}
            time.sleep(SLICE)
            lasted = time.monotonic() - began
            for key, unit in (("master", master), ("backup", other(master))):
                found[key].append(1e3 * (cost.cpu_seconds(pids[unit]) - before[unit]) / lasted)
        told = neighbours.communicate(timeout=30.0)[0].split()
    if neighbours.returncode:
        raise LabError("the other groups did not advertise")
    sent, pause = int(told[0]), float(told[1])
    if pair.adverts.master(1.0) != master:
        raise LabError("the role changed among other groups")
    spoilt = f"the others paused for {pause:.2f} s" if pause >= PAUSE else ""
    for key, values in found.items():
        samples = (Sample(value, spoilt, detail={"sent": sent}) for value in values)
        topic.curve(key).add(pair.contestant.name, size, *samples)
    return pause
