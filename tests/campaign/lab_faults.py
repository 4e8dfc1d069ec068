# SPDX-License-Identifier: Apache-2.0
"""lab_faults: each kind of the plan, done to a lab: `begin` breaks something and returns what mends it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from board.lab import namespace
from board.lab.namespace import LabError
from board.lab.pair import Lab

from labtools import guardian_pid, kill_everything, restart
from pairs import another_daemon
from small_flash import fill

from .plan import Step
from .rack import Mend
from .wire import Wire

NEW_DAEMON = 15.0  # seconds: deaths come close upon each other here, and the guardian waits between them


def begin(lab: Lab, step: Step, units: Sequence[str]) -> Mend:
    """Does the step's fault to these units. What it returns is called once, when the fault has lasted."""
    mends = [_FAULTS[step.kind.name](lab, step, unit) for unit in units]

    def mend() -> None:
        for one in mends:
            one()

    return mend


def _nothing() -> None:
    """There is nothing to mend: the unit comes back by itself."""


def _power(lab: Lab, step: Step, unit: str) -> Mend:
    lab.power_off(unit)
    return partial(lab.power_on, unit)


def _kill(lab: Lab, step: Step, unit: str) -> Mend:
    pid = lab.kill(unit)
    return partial(another_daemon, lab, unit, pid, NEW_DAEMON)


def _kill_everything(lab: Lab, step: Step, unit: str) -> Mend:
    kill_everything(lab, unit)
    return partial(restart, lab, unit)


def _stop(lab: Lab, unit: str, pids: Sequence[int]) -> Mend:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)

    def go_on() -> None:
        there = namespace.processes(lab.network.name(unit))
        for pid in reversed(pids):  # the daemon first, as it would be if they had been woken together
            if pid in there:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    return go_on


def _hang(lab: Lab, step: Step, unit: str) -> Mend:
    return _stop(lab, unit, [lab.units[unit].daemon_pid()])


def _hang_everything(lab: Lab, step: Step, unit: str) -> Mend:
    return _stop(lab, unit, [guardian_pid(lab, unit), lab.units[unit].daemon_pid()])


def _split(lab: Lab, step: Step, unit: str) -> Mend:
    lab.split(step.option)
    return lab.heal


def _line(lab: Lab, step: Step, unit: str) -> Mend:
    return Wire(lab, unit, step.option, str(step)).mend


def _mute(lab: Lab, step: Step, unit: str) -> Mend:
    lab.mute(unit)
    return partial(lab.mend, unit)


def _busy(lab: Lab, step: Step, unit: str) -> Mend:
    """Loops that do nothing else than use the processors: eight for each of them."""
    loops = [
        subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
        for _ in range(8 * (os.cpu_count() or 1))
    ]

    def end() -> None:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()

    return end


def _disk_full(lab: Lab, step: Step, unit: str) -> Mend:
    return fill(lab.units[unit].root / "data" / "qx")


def _no_memory(lab: Lab, step: Step, unit: str) -> Mend:
    """What the daemon has it keeps; of new memory there is a page. Not for its guardian: a unit's kernel
    spares it, where a lab's may not be asked to."""
    legacy = Path("/sys/fs/cgroup/memory")
    group = (legacy if legacy.is_dir() else Path("/sys/fs/cgroup")) / lab.network.name(unit)
    limit = group / ("memory.limit_in_bytes" if legacy.is_dir() else "memory.max")
    group.mkdir()
    limit.write_text("4096")
    (group / "cgroup.procs").write_text(f"{lab.units[unit].daemon_pid()}")

    def end() -> None:
        limit.write_text("-1" if legacy.is_dir() else "max")
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (group.parent / "cgroup.procs").write_text(pid)
        group.rmdir()

    return end


def _flood(lab: Lab, step: Step, unit: str) -> Mend:
    """Malformed advertisements of a stranger, as fast as this machine makes them, until it is mended."""
    argv = [sys.executable, "-m", "bench.flooder", lab.network.name("pc"), str(1 << 30)]
    paths = os.pathsep.join(path for path in sys.path if path)
    flooder = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.DEVNULL)

    def end() -> None:
        flooder.kill()
        flooder.wait()

    return end


def _cut(lab: Lab, step: Step, unit: str, segment: str = "lan") -> Mend:
    lab.cut(unit, segment)
    return partial(lab.mend, unit, segment)


def _swap(lab: Lab, step: Step, unit: str) -> Mend:
    pid = lab.units[unit].daemon_pid()
    done = lab.qx(unit, "swap", timeout=60)
    if done.returncode:
        raise LabError(f"swap: {done.stderr.strip()}")
    return partial(another_daemon, lab, unit, pid, NEW_DAEMON)


def _passive(lab: Lab, step: Step, unit: str) -> Mend:
    def set_mode(mode: str) -> None:
        done = lab.qx(unit, "mode", mode, timeout=30)
        if done.returncode:
            raise LabError(f"mode {mode}: {done.stderr.strip()}")

    set_mode("passive")
    return partial(set_mode, "active")


def _restore(lab: Lab, step: Step, unit: str) -> Mend:
    """A configuration backup of now, restored after what is written meanwhile."""
    file = lab.folder / f"{unit}.qxbackup"
    file.unlink(missing_ok=True)

    def ask(what: str) -> None:
        done = lab.qx(unit, what, str(file), timeout=60)
        if done.returncode:
            raise LabError(f"{what}: {done.stderr.strip()}")

    ask("backup")
    return partial(ask, "restore")


def _write(lab: Lab, step: Step, unit: str) -> Mend:
    return _nothing  # every step writes; this one does nothing else


_FAULTS: dict[str, Callable[[Lab, Step, str], Mend]] = {
    "power": _power,
    "kill": _kill,
    "kill everything": _kill_everything,
    "hang": _hang,
    "hang everything": _hang_everything,
    "split": _split,
    "one way": _line,
    "line": _line,
    "mute": _mute,
    "flood": _flood,
    "busy": _busy,
    "no memory": _no_memory,
    "disk full": _disk_full,
    "cut": _cut,
    "cut wan": partial(_cut, segment="wan"),
    "swap": _swap,
    "passive": _passive,
    "restore": _restore,
    "write": _write,
}
