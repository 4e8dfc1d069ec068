# SPDX-License-Identifier: Apache-2.0
"""vm_rack: a campaign's pair of emulated units, with a kernel, a clock and flash of their own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from board.virt.machine import Machine, MachineError
from board.virt.vm import Pair

import prepared
from emulated import BOOT, started, status, wait_for
from labtools import master_of
from pairs import same_settings, would_take_over

from . import vm_faults
from .judge import Pace
from .kinds import VM
from .ledger import Answer
from .plan import Kind, Step
from .rack import Mend, Write, both
from .vm_answers import Answers

REST = 300.0  # seconds within which the pair is one again
FLASH = 64 << 20  # octets of each unit's data partition
ASK = 120.0  # seconds for a command
# Each write's answer is on flash before the next begins, or it was never said; in memory where flash is full.
WRITES = """
tell() { echo "$*" >>/data/writes || echo "$*" >>/run/writes; }
(for write in %s; do
  said=$(qx set --json $write 2>&1); tell "$write $?" $said; sync
done; tell end) </dev/null >/dev/null 2>&1 &
"""
SHAPE = """
for name in daemon guardian; do
  pid=$(cat /run/qx/$name.pid)
  echo "$name threads|$(ls /proc/$pid/task | wc -l)"
  echo "$name descriptors|$(ls /proc/$pid/fd | wc -l)"
  echo "$name resident|$(awk '/^VmRSS/ {print $2}' /proc/$pid/status)"
done
ip -o -4 address | awk '{print "addresses|" $2 " " $4}'
ip route | sed 's/^/routes|/'
cd /proc/sys/net/ipv4/conf
grep . */arp_ignore */arp_announce */rp_filter | sed 's/^/sysctls|/'
echo "sysctls|ip_forward:$(cat /proc/sys/net/ipv4/ip_forward)"
"""


class VmRack:
    """`folder` takes the units' disks and serial logs."""

    kinds: Mapping[str, Kind] = VM
    option = "VM=1"
    pace = Pace(1.0, late=5.0, two=2.0)  # its settings' defaults; two processors, each for one unit and more

    def __init__(self, folder: Path) -> None:
        self._pair = Pair(folder)
        self._answers: Answers | None = None

    @contextmanager
    def pair(self) -> Iterator[None]:
        prepared.prepare(self._pair, octets=FLASH)
        with self._pair as pair:
            for machine in pair.machines.values():
                machine.power_on()
            for machine in pair.machines.values():
                started(machine)
            yield

    def watch(self) -> Answers:
        self._answers = Answers(self._pair)
        return self._answers

    def calls(self) -> None:
        """None: phones on this LAN have tests of their own (tests/boot/test_guide.py)."""

    def rest(self) -> str:
        def look() -> str:
            told = both(lambda unit: status(self._unit(unit)))
            master = master_of(told)
            whole = master and would_take_over(told, master) and same_settings(list(told.values()))
            return master if whole else ""

        return wait_for(look, REST, "a Master, and a Backup that would take over with the same settings", 1)

    def begin(self, step: Step, units: Sequence[str]) -> Mend:
        assert self._answers
        return vm_faults.begin(self._pair, self._answers.ports, step, units)

    def write(self, write: Write) -> Answer:
        unit, path, value = write
        return _answer(*self._unit(unit).run(f"qx set --json {path}={value}", ASK))

    def writing(self, writes: Sequence[Write]) -> Callable[[], Sequence[Answer]]:
        """On both units at once. What a unit that lost its power had not put on flash yet, it never said."""
        ends: dict[str, Callable[[], str]] = {}
        for unit in dict.fromkeys(unit for unit, _, _ in writes):
            words = " ".join(f"{path}={value}" for of, path, value in writes if of == unit)
            ends[unit] = self._begun(self._unit(unit), WRITES % words)

        def answers() -> Sequence[Answer]:
            said = {unit: end() for unit, end in ends.items()}
            return [_answered(f"{path}={value}", said[unit]) for unit, path, value in writes]

        return answers

    @staticmethod
    def _begun(machine: Machine, command: str) -> Callable[[], str]:
        life = (machine.powered_at, machine.starts())
        machine.run("rm -f /data/writes /run/writes", ASK)
        machine.begin(command)

        def end() -> str:
            if life != (machine.powered_at, machine.starts()):
                # What is said to a guest that is just opening its end of the workbench may be lost.
                machine.wait_started(BOOT, max(1, machine.starts()))

            def look() -> str:
                _, said = machine.run("cat /run/writes /data/writes 2>/dev/null", ASK)
                over = "end\n" in said or life != (machine.powered_at, machine.starts())
                return f"{said}\n" if over else ""

            return wait_for(look, BOOT, f"{machine.name} has written", every=1)

        return end

    def settings(self, unit: str) -> dict[str, str]:
        code, said = self._unit(unit).run("qx get --json extensions", ASK)
        found = json.loads(said) if code == 0 else {}  # 1: there are none
        return {path: str(value) for path, value in found.items()}

    def events(self, unit: str) -> list[dict[str, Any]]:
        code, said = self._unit(unit).run("qx events --json", ASK)
        if code:
            raise MachineError(f"{unit}: qx events: {said.strip()}")
        return json.loads(said)

    def shape(self, unit: str) -> dict[str, Any]:
        found: dict[str, Any] = {"addresses": [], "routes": [], "sysctls": []}
        for line in self._unit(unit).run(SHAPE, ASK)[1].splitlines():
            name, _, value = line.partition("|")
            if name in ("addresses", "routes", "sysctls"):
                found[name] = sorted([*found[name], value.strip()])
            else:
                found[name] = int(value)
        return found

    def keep_logs(self, folder: Path) -> None:
        for unit, machine in self._pair.machines.items():
            shutil.copy(machine.console, folder / f"{unit}.console")
            with suppress(MachineError):
                (folder / f"{unit}.log").write_text(machine.run("cat /var/log/messages; qx status", ASK)[1])

    def _unit(self, name: str) -> Machine:
        return self._pair.machines[name]


def _answer(code: int, said: str) -> Answer:
    if code == 1 and "read-only" in said:
        return "refused"  # any other failure may have come after the commit
    with suppress(ValueError, KeyError, TypeError):
        return "both" if json.loads(said)["durable"] == "both" else "this"
    return "none"


def _answered(write: str, said: str) -> Answer:
    """Of a line of WRITES."""
    for line in said.splitlines():
        words, _, rest = line.partition(" ")
        if words == write:
            code, _, told = rest.partition(" ")
            return _answer(int(code), told)
    return "none"
