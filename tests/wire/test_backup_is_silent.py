# SPDX-License-Identifier: Apache-2.0
"""A Backup never sends a frame with the virtual MAC, nor with the WAN's: a switch would turn to it. R3, R6.

Judged on the switch's port of the unit (rule 6 of vrrp-rules.md, section 8).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from board.lab.demo import GROUP_ID
from board.lab.pair import Lab

from counts import bound
from labtools import Capture, Frame, becomes, cold_boot, other, paired, qx, virtual_mac, wait_for
from wire.conftest import wan_mac

FORBIDDEN = {virtual_mac(GROUP_ID), wan_mac()}
Start = Callable[..., str]


def ports(lab: Lab, unit: str) -> set[int]:
    """Interface numbers of the unit's two ports on the switch."""
    return {
        int(lab.exec("sw", ["cat", f"/sys/class/net/{segment}-{unit}/ifindex"]).stdout)
        for segment in ("lan", "wan")
    }


def sent_by(capture: Capture, numbers: set[int]) -> list[Frame]:
    return capture.frames(lambda frame: frame.port in numbers and not frame.outgoing)


def sends_none(capture: Capture, numbers: set[int], at_least: int = 1) -> None:
    capture.stop()
    assert capture.dropped == 0
    frames = sent_by(capture, numbers)
    assert len(frames) >= at_least, "the capture saw nothing of the unit at all"
    wrong = [frame for frame in frames if frame.source in FORBIDDEN]
    assert not wrong, wrong[:5]


def test_boot_and_idleness(lab: Lab, start: Start, plan: str) -> None:
    """R6: over a cold boot beside a Master, and some seconds after."""
    backup = other(start(plan=plan))
    numbers = ports(lab, backup)
    lab.power_off(backup)
    with Capture(lab, "sw", "any") as capture:
        cold_boot(lab, backup)
        assert paired(lab) == other(backup)
        time.sleep(bound(soak=10, normal=3))
        sends_none(capture, numbers, 8)


def test_link_flap_and_modes(lab: Lab, start: Start, plan: str) -> None:
    """R6, R7, R9: a cable pulled and plugged again, on both ports; passive and active again."""
    master = start(plan=plan)
    backup = other(master)
    numbers = ports(lab, backup)
    with Capture(lab, "sw", "any") as capture:
        for segment in ("lan", "wan"):
            lab.cut(backup, segment)
            time.sleep(0.5)
            lab.mend(backup, segment)
            time.sleep(0.5)
        assert paired(lab) == master
        for mode in ("passive", "active"):
            assert lab.qx(backup, "mode", mode).returncode == 0
            wait_for(lambda wanted=mode: qx(lab, backup)["mode"] == wanted, 5, f"mode {mode}")
            time.sleep(0.5)
        assert paired(lab) == master
        sends_none(capture, numbers, 10)


def test_demotion(lab: Lab, start: Start, plan: str) -> None:
    """R6: after its goodbye a Master that was swapped sends no frame more with the MACs that moved."""
    former = start(plan=plan)
    numbers = ports(lab, former)
    with Capture(lab, "sw", "any") as capture:
        done = lab.qx(former, "swap", timeout=20)
        assert done.returncode == 0, done.stderr
        becomes(lab, former, "backup", 10)
        becomes(lab, other(former), "master", 10)
        time.sleep(3)
        capture.stop()
    frames = sent_by(capture, numbers)
    goodbyes = [place for place, frame in enumerate(frames) if frame.is_advert and frame.priority == 0]
    assert goodbyes, "the former Master said goodbye"
    wrong = [frame for frame in frames[goodbyes[-1] + 1 :] if frame.source in FORBIDDEN]
    assert not wrong, [(frame.at - frames[goodbyes[-1]].at, frame) for frame in wrong[:5]]
