# SPDX-License-Identifier: Apache-2.0
"""lab_rack: a campaign's pair in namespaces of this computer, each with a small flash of its own."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from board.lab.demo import Demo
from board.lab.namespace import LabError
from board.lab.network import UNITS
from board.lab.pair import Lab

from labtools import guardian_pid
from pairs import QUICK, events, in_step, ready
from small_flash import left_over, small

from . import lab_faults, remains
from .calls import Calls
from .judge import Pace
from .kinds import LAB
from .lab_answers import Answers
from .ledger import Answer
from .plan import Kind, Step
from .rack import Mend, Write

REST = 60.0  # seconds within which the pair is one again
FLASH = 16 << 20  # octets of each unit's data partition
_SYSCTLS = (
    "grep -s . /proc/sys/net/ipv4/conf/*/{arp_ignore,arp_announce,rp_filter} /proc/sys/net/ipv4/ip_forward"
)


class LabRack:
    """With a `demo` that has Kamailio a call is up in each step. `name` is the prefix of its namespaces."""

    kinds: Mapping[str, Kind] = LAB

    def __init__(self, name: str, folder: Path, demo: Demo = QUICK) -> None:
        self._lab = Lab(prefix=name, folder=folder)
        self._demo = demo
        self.option = "CALLS=1" if demo.pbx else ""
        self.pace = Pace(float(demo.interval or 1), late=1.5, two=0.5)

    @contextmanager
    def pair(self) -> Iterator[None]:
        lab = self._lab
        with ExitStack() as stack:
            stack.callback(lab.down)
            for unit in UNITS:
                left_over(lab.units[unit].root / "data" / "qx")
            lab.up(self._demo, fresh=True, power=False)
            for unit in UNITS:
                stack.enter_context(small(lab.units[unit].root / "data" / "qx", FLASH))
            stack.callback(lab.down)  # before they go
            for unit in UNITS:
                lab.power_on(unit)
            yield

    def watch(self) -> Answers:
        return Answers(self._lab)

    def calls(self) -> Calls | None:
        return Calls(self._lab) if self._demo.pbx else None

    def rest(self) -> str:
        master = ready(self._lab, REST)
        in_step(self._lab, 20.0)
        return master

    def begin(self, step: Step, units: Sequence[str]) -> Mend:
        return lab_faults.begin(self._lab, step, units)

    def write(self, write: Write) -> Answer:
        unit, path, value = write
        found = self._lab.units[unit]
        argv = [str(found.executable), "set", "--json", "--root", str(found.root), f"{path}={value}"]
        try:
            done = self._lab.exec(unit, argv, timeout=40)  # in the unit: it dies with its power
        except (LabError, OSError):
            return "refused"  # without power nothing is written
        if done.returncode == 1 and "read-only" in done.stderr:
            return "refused"  # any other failure may have come after the commit
        with suppress(ValueError, KeyError):
            return "both" if json.loads(done.stdout)["durable"] == "both" else "this"
        return "none"

    def writing(self, writes: Sequence[Write]) -> Callable[[], Sequence[Answer]]:
        """One after the other."""
        answers: list[Answer] = []
        writer = threading.Thread(target=lambda: answers.extend(map(self.write, writes)))
        writer.start()

        def end() -> Sequence[Answer]:
            writer.join()
            return answers

        return end

    def settings(self, unit: str) -> dict[str, str]:
        done = self._lab.qx(unit, "get", "--json", "extensions")
        found = json.loads(done.stdout) if done.returncode == 0 else {}  # 1: there are none
        return {path: str(value) for path, value in found.items()}

    def events(self, unit: str) -> list[dict[str, Any]]:
        return [dict(one) for one in events(self._lab, unit)]

    def shape(self, unit: str) -> dict[str, Any]:
        lab = self._lab
        found: dict[str, Any] = {}
        for name, pid in (("daemon", lab.units[unit].daemon_pid()), ("guardian", guardian_pid(lab, unit))):
            found[f"{name} threads"] = len(list(Path(f"/proc/{pid}/task").iterdir()))
            found[f"{name} descriptors"] = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            found[f"{name} resident"] = remains.resident(pid)
        found["addresses"] = sorted(lab.status(unit)["addresses"].items())
        found["routes"] = sorted(line.strip() for line in lab.exec(unit, ["ip", "route"]).stdout.splitlines())
        found["sysctls"] = sorted(lab.exec(unit, ["bash", "-c", _SYSCTLS]).stdout.splitlines())
        return found

    def keep_logs(self, folder: Path) -> None:
        for unit in UNITS:
            with suppress(FileNotFoundError):
                shutil.copy(self._lab.units[unit].log, folder)
