# SPDX-License-Identifier: Apache-2.0
"""What a ready pair costs: processor time when idle and under a flood, memory, and how soon it is there.

No probe runs meanwhile: its replies would be worked on in the contestants' time.
"""

import os
import subprocess
import sys
import time
from typing import Any

from board.lab.namespace import PROJECT, LabError
from board.lab.network import UNITS

from . import cost
from .figures import Sample
from .pair import Pair, other

FLOOD_SETTLES = 1.0  # seconds after the last packet until queues are empty


def idle(pair: Pair, slices: int, seconds: float) -> dict[str, list[Sample]]:
    """`master` and `backup`: processor time of all of a unit's processes in ms a second, one sample a slice.

    `qx` threads are in the detail, so that engine and control plane can be told apart.
    """
    master = pair.ready()
    pids = {unit: list(pair.contestant.processes(unit).values()) for unit in UNITS}
    time.sleep(2.0)  # what booting and asking began is done
    found: dict[str, list[Sample]] = {"master": [], "backup": []}
    for _ in range(slices):
        began = time.monotonic()
        before = {unit: (cost.cpu_seconds(pids[unit]), _threads(pair, unit)) for unit in UNITS}
        time.sleep(seconds)
        for unit in UNITS:
            spent = 1e3 * (cost.cpu_seconds(pids[unit]) - before[unit][0]) / (time.monotonic() - began)
            threads = _threads(pair, unit)
            detail = {
                name: round(1e3 * (used - before[unit][1].get(name, 0.0)) / seconds, 3)
                for name, used in threads.items()
            }
            role = "master" if unit == master else "backup"
            found[role].append(Sample(spent, detail={"ms_per_s_by_thread": detail}))
    if pair.adverts.master(1.0) != master:
        raise LabError("the role changed while the pair was idle")
    return found


def _threads(pair: Pair, unit: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for role, pid in pair.contestant.processes(unit).items():
        found.update({f"{role} {name}": spent for name, spent in cost.threads(pid).items()})
    return found


def memory(pair: Pair) -> dict[str, list[Sample]]:
    """MiB of both units: `engine` RSS, `unit` PSS (all processes), `supervisor` private memory."""
    pair.ready()
    found: dict[str, list[Sample]] = {"engine": [], "unit": [], "supervisor": []}
    for unit in UNITS:
        told = {role: cost.memory(pid) for role, pid in pair.contestant.processes(unit).items()}
        detail: dict[str, Any] = {
            role: {kind: round(value, 2) for kind, value in kinds.items()} for role, kinds in told.items()
        }
        found["engine"].append(Sample(told["engine"]["rss"], detail=detail))
        found["unit"].append(Sample(sum(kinds["pss"] for kinds in told.values()), detail=detail))
        found["supervisor"].append(Sample(told["supervisor"]["anon"], detail=detail))
    return found


def flood(pair: Pair, packets: int) -> dict[str, Sample]:
    """`master` and `backup`: processor time of all of a unit's processes in ms while the PC floods both.

    `changes` is 1 where the Backup called itself Master meanwhile.
    """
    master = pair.ready()
    pids = {unit: list(pair.contestant.processes(unit).values()) for unit in UNITS}
    moment = time.monotonic()
    before = {unit: cost.cpu_seconds(pids[unit]) for unit in UNITS}
    argv = [sys.executable, "-m", "bench.flooder", pair.lab.network.name("pc"), str(packets)]
    environ = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}"}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise LabError((done.stderr.strip() or "the flooder failed").splitlines()[-1])
    time.sleep(FLOOD_SETTLES)
    lasted = time.monotonic() - moment
    spent = {unit: 1e3 * (cost.cpu_seconds(pids[unit]) - before[unit]) for unit in UNITS}
    claimed = sorted({unit for _, unit, priority in pair.adverts.since(moment) if priority})
    detail = {
        "sent_in_s": float(done.stdout),
        "measured_s": round(lasted, 3),
        "master_before": master,
        "advertised_as_master": claimed,
    }
    return {
        "master": Sample(spent[master], detail=detail),
        "backup": Sample(spent[other(master)], detail=detail),
        "changes": Sample(float(other(master) in claimed), detail=detail),
    }


def listening(pair: Pair) -> list[Sample]:
    """ms from start to membership of the VRRP group, of every boot of the pair so far."""
    return [Sample(1e3 * seconds) for seconds in pair.starts]


def status_starts(pair: Pair, times: int) -> list[Sample]:
    """ms of wall time of `qx status`, from fork to exit."""
    unit = pair.lab.units[pair.ready()]
    found: list[Sample] = []
    for _ in range(times):
        began = time.monotonic()
        unit.qx(["status"]).check_returncode()
        found.append(Sample(1e3 * (time.monotonic() - began)))
    return found
