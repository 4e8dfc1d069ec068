# SPDX-License-Identifier: Apache-2.0
"""Either unit killed at any moment under a load of settings and voice files (R9, R16): what the Backup has is
always a state that the Master had, what was acknowledged is there, and it catches up."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from board.lab.network import UNITS
from board.lab.pair import Lab

from counts import bound, choices, count
from labtools import other, wait_for
from pairs import QUICK, another_daemon, pair
from qx.model import MODELS
from qx.settings.lineage import Standing
from qx.settings.position import Position, history_at
from qx.settings.store import Store
from writers import Writers, ask

WRITERS = 4
PACE = bound(0.01, 0.04)  # seconds between two writes of one
FILES = 40  # names that files have
CHANGES = 12  # of files in a round
DEATHS = 2  # of one daemon without a cold start between


class Voice:
    """Files as a PBX makes them on the Master, and what they are expected to hold."""

    def __init__(self, lab: Lab, dice: random.Random) -> None:
        self._lab, self._dice = lab, dice
        self.expected: dict[str, bytes] = {}
        self.ever: set[bytes] = set()

    def root(self, unit: str) -> Path:
        return self._lab.units[unit].root / "data/qx/voice"

    def work(self, master: str) -> None:
        """New files, changed ones, moved ones, deleted ones."""
        for _ in range(CHANGES):
            name = f"box{self._dice.randrange(4)}/m{self._dice.randrange(FILES // 4)}.wav"
            file = self.root(master) / name
            what = self._dice.random()
            if what < 0.2 and self.expected.pop(name, None) is not None:
                file.unlink(missing_ok=True)
            elif what < 0.4 and name in self.expected and file.exists():
                to = f"box{self._dice.randrange(4)}/moved{self._dice.randrange(FILES)}.wav"
                (self.root(master) / to).parent.mkdir(exist_ok=True)
                file.rename(self.root(master) / to)
                self.expected[to] = self.expected.pop(name)
            else:
                octets = self._dice.randbytes(self._dice.randrange(1, 60_000))
                self.ever.add(octets)  # before anybody can read it
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(octets)
                self.expected[name] = octets

    def on(self, unit: str) -> dict[str, bytes]:
        root, found = self.root(unit), dict[str, bytes]()
        for file in root.rglob("*.wav"):
            name = file.relative_to(root)
            if name.parts[0] not in (".sync", ".trash"):
                try:
                    found[str(name)] = file.read_bytes()
                except FileNotFoundError:
                    continue  # moved meanwhile
        return found


def copied(lab: Lab, unit: str, folder: Path) -> Store:
    """The settings of a unit that writes nothing now."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in (lab.units[unit].root / "data/qx").glob("settings.db*"):
        shutil.copy(file, folder)
    return Store(folder / "settings.db", MODELS["qx200"], keep_after=60.0)


def standing(lab: Lab, unit: str, folder: Path) -> Standing:
    """Where a unit without power stands by its flash."""
    with copied(lab, unit, folder) as store:
        assert store.log.fault(store.position) == ""
        return store.standing


def had(master: Store, at: Position) -> bool:
    """Is this a state that the unit was in? The chain is made of all contents before it."""
    return history_at(master.standing.histories, at.rev) == at.history and (
        at == master.position or master.log.chain_at(at.rev) == at.chain
    )


def settled(lab: Lab, voice: Voice) -> str:
    """Both units have the same; the Master's name."""

    def look() -> str:
        told = {unit: ask(lab, unit) for unit in UNITS}
        if sorted(str(one.get("role")) for one in told.values()) != ["backup", "master"]:
            return ""
        master = UNITS[0] if told[UNITS[0]]["role"] == "master" else UNITS[1]
        sync = [one["sync"] for one in told.values()]
        same = len({(one["history"], one["revision"]) for one in sync}) == 1
        steady = all(one["state"] == one["voice"]["state"] == "in step" for one in sync)
        return master if same and steady and told[other(master)]["vrrp"]["armed"] else ""

    try:
        return wait_for(look, 30.0, "both units are in step")
    except BaseException:
        print({unit: ask(lab, unit).get("sync") for unit in UNITS}, sorted(voice.expected))
        raise


def test_killed_at_any_moment(tmp_path: Path, record_figures: Callable[..., None]) -> None:
    """R16, R9: the daemon with SIGKILL or the whole unit's power, the Master's or the Backup's; power also of
    a Backup that is looked at where it stands."""
    dice = choices("kills")
    done = dict.fromkeys(("daemon of the master", "daemon of the backup", "master", "backup"), 0)
    deaths = dict.fromkeys(UNITS, 0)
    with pair("kl", tmp_path, QUICK) as lab, Writers(lab, WRITERS, PACE) as writers:
        voice = Voice(lab, dice)
        for _ in range(count(4, 500)):
            writers.pause()
            master = settled(lab, voice)
            writers.go_on()
            voice.work(master)
            target = dice.choice(("master", "backup"))
            unit = master if target == "master" else other(master)
            # A guardian whose daemon dies again and again waits longer each time: power begins anew.
            power = dice.random() < 0.4 or deaths[unit] >= DEATHS
            deaths[unit] = 0 if power else deaths[unit] + 1
            wait = dice.uniform(0.0, 0.3)
            what = target if power else f"daemon of the {target}"
            print(what, f"unit {unit} after {wait * 1000:.0f} ms")
            done[what] += 1
            time.sleep(wait)
            stood: Standing | None = None
            if not power:
                another_daemon(lab, unit, lab.kill(unit))
            else:
                lab.power_off(unit)
                if target == "backup":
                    stood = standing(lab, unit, tmp_path / "stood")
                    assert set(voice.on(unit).values()) <= voice.ever, "no file that the Master never had"
                lab.power_on(unit)
            writers.pause()
            master = settled(lab, voice)
            for one in UNITS:
                assert not writers.missing(one)
            if stood is not None:
                with copied(lab, master, tmp_path / "master") as store:
                    assert had(store, stood.position), (stood.position, store.position)
            wait_for(lambda: voice.on("a") == voice.on("b"), 10.0, "both trees are the same")
            files = voice.on("a")
            assert set(files.values()) <= voice.ever
            assert set(voice.expected.values()) <= set(files.values()), "no file is lost"
            voice.expected = files
    record_figures(**{name.replace(" ", "_"): number for name, number in done.items()}, taken=writers.taken)
