# SPDX-License-Identifier: Apache-2.0
"""Power cuts: the Backup takes over within the RFC's time, the unit that returns is Backup (R4, R9)."""

import itertools
import time
from collections.abc import Callable
from ipaddress import IPv4Interface
from pathlib import Path
from statistics import median

import pytest
from board.lab.demo import Demo
from board.lab.pair import Lab
from board.lab.probe import Probe

from counts import SOAK, count
from holders import Holders
from labtools import becomes, make_lab, other, wait_for
from pairs import ready

# Advertisement interval: Demo, bound of one outage in ms (keepalived: about 3,240, 340 and 28 ms).
PACES = {
    "1s-v2": (Demo(version=2, interval="1"), 3600),
    "100ms-v3": (Demo(version=3, interval="0.1"), 600),
    "10ms-v3": (Demo(version=3, interval="0.01"), 200),
}
SHAPES = {
    "same-virtual": {"plan": "same", "virtual_mac": True},
    "other-virtual": {"plan": "other", "virtual_mac": True},
    "same-physical": {"plan": "same", "virtual_mac": False},
    "other-physical": {"plan": "other", "virtual_mac": False},
}
# Every pace and every shape in a normal run, not every pair of them.
FEW = [
    ("1s-v2", "other-virtual"),
    ("10ms-v3", "same-virtual"),
    ("100ms-v3", "same-physical"),
    ("100ms-v3", "other-physical"),
]
RUNS = list(itertools.product(PACES, SHAPES)) if SOAK else FEW


def cut(lab: Lab, pace: str) -> float:
    """Cut the Master's power, wait for the other; its power comes back. Returns the outage in ms."""
    bound = PACES[pace][1]
    master = ready(lab)
    backup = other(master)
    address = str(IPv4Interface(lab.service_addresses()[0]).ip)
    with Holders(lab) as holders, Probe(lab.network.name("pc"), address) as probe:
        time.sleep(0.2)
        moment = lab.power_off(master)
        assert moment is not None
        gone = time.monotonic()  # its processes were stopped first: until here the kernel still has addresses
        becomes(lab, backup, "master", 6.0)
        wait_for(lambda: not probe.last_outage() or probe.last_outage().over, 3.0, "answers again")  # type: ignore[union-attr]
        outage = probe.longest_silence(since=moment - 0.01)
        assert outage < bound, f"silent for {outage:.1f} ms"
        assert holders.now() == [backup]
        lab.power_on(master)
        becomes(lab, master, "backup", 6.0)
        assert ready(lab) == backup, "a returning unit is Backup"
        assert holders.overlap(since=gone) == 0
        assert holders.held_throughout(backup, time.monotonic() - 0.5)
    return outage


@pytest.mark.parametrize(("pace", "shape"), RUNS, ids=str)
def test_the_backup_takes_over_from_a_master_without_power(
    pace: str, shape: str, tmp_path: Path, record_figures: Callable[..., None]
) -> None:
    """R9, R4: one holder after the bound of its interval; first up is Master, a returning unit is Backup."""
    settings = PACES[pace][0]
    demo = Demo(version=settings.version, interval=settings.interval, **SHAPES[shape])  # type: ignore[arg-type]
    with make_lab("pc", tmp_path) as lab:
        lab.up(demo, power=False, fresh=True)
        lab.power_on("b")
        becomes(lab, "b", "master", 8.0)
        lab.power_on("a")
        assert ready(lab) == "b", "the unit that boots first is Master"
        outages = [cut(lab, pace) for _ in range(count(1, 10))]
    record_figures(outages_ms=[round(value, 1) for value in outages])
    print(f"{pace} {shape}: median {median(outages):.1f} ms, longest {max(outages):.1f} ms")
