# SPDX-License-Identifier: Apache-2.0
"""R4, R9, R10: the pair under any schedule of faults: hypothesis looks for the one that breaks it.

The simulator's own assertions hold throughout (one holder once both hear each other, an address with a Master
only, no Master without link). Here: when everything is mended there is one Master, and a split alone never
moves the role. QX_SOAK=1 looks a hundred times longer; a failure prints the schedule, shrunk, and how to
repeat it.
"""

from __future__ import annotations

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from machine import MS, SECOND
from pair_simulator import Pair
from simulated_unit import Unit

from _qx import lib
from counts import SOAK

PACES = [(2, SECOND), (3, 100 * MS), (3, 20 * MS)]

pauses = st.one_of(
    st.sampled_from([0, 1, 50_000, MS, 12 * MS, 500 * MS, SECOND, 2 * SECOND, 3_011_718_750, 4 * SECOND]),
    st.integers(0, 8 * SECOND),
)
unit_faults = st.tuples(
    st.sampled_from(
        ["power off", "boot", "boot late", "die", "cut", "mend", "freeze", "release", "wan cut", "wan mend",
         "passive", "active", "unarm", "arm", "hang", "mute", "unmute", "lose"]
    ),
    st.sampled_from(["a", "b"]),
)  # fmt: skip
faults = st.one_of(st.tuples(st.sampled_from(["split", "heal"]), st.just("")), unit_faults)
schedules = st.lists(st.tuples(pauses, faults), max_size=30)


def strike(pair: Pair, fault: str, unit: Unit) -> None:
    if fault in ("boot", "boot late"):
        if not unit.powered:
            pair.passes_after(unit, 7 if fault == "boot late" else 0)
            unit.boot()
    elif fault == "split":
        pair.split = True
    elif fault == "heal":
        pair.split = False
    elif fault == "freeze":
        if unit.awake:
            unit.freeze(5 * SECOND)
    elif fault in ("cut", "mend"):
        if unit.carrier != (fault == "mend"):
            unit.set_carrier(fault == "mend")
    elif fault in ("wan cut", "wan mend"):
        unit.set_wan_carrier(fault == "wan mend")
    elif fault in ("passive", "active"):
        unit.set_passive(fault == "passive")
    elif fault in ("arm", "unarm"):
        unit.armed = fault == "arm"
    elif fault == "hang":
        unit.control = False
    elif fault in ("mute", "unmute"):
        unit.mute = fault == "mute"
    elif fault == "lose":
        unit.loss = 0.3
    else:
        {"power off": unit.power_off, "die": unit.die, "release": unit.release}[fault]()


def mend(pair: Pair) -> None:
    """The administrator has been there: cables, power, switch; a daemon that let go for want of its control
    plane is started again."""
    pair.split = False
    for unit in pair.units:
        unit.armed = unit.control = True
        unit.mute, unit.loss = False, 0.0
        if not unit.carrier:
            unit.set_carrier(True)
        unit.set_wan_carrier(True)
        unit.set_passive(False)
        if not unit.powered or not (unit.group.running or unit.frozen_until > pair.now):
            unit.power_off()
            unit.boot()


searched = settings(
    max_examples=15_000 if SOAK else 100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)


@searched
@given(st.sampled_from(PACES), schedules, st.integers(0, 2**32))
def test_everything_mended_there_is_one_master(
    pace: tuple[int, int], schedule: list[tuple[int, tuple[str, str]]], seed: int
) -> None:
    """R4, R9, R10: after any faults, and it is the same one from then on."""
    pair = Pair(seed=seed, version=pace[0], interval=pace[1])
    for pause, (fault, name) in schedule:
        strike(pair, fault, pair.b if name == "b" else pair.a)
        pair.run(pause)
    mend(pair)
    pair.run(30 * SECOND)
    assert len(pair.within_two_intervals()) == 1
    assert len([unit for unit in pair.units if unit.is_backup]) == 1
    assert pair.masters[0].seat == "confirmed"


@searched
@given(
    st.sampled_from(PACES),
    schedules,
    st.lists(st.tuples(pauses, pauses), min_size=1, max_size=3),
    st.integers(0, 2**32),
)
def test_a_split_never_moves_the_role(
    pace: tuple[int, int], before: list[tuple[int, tuple[str, str]]], splits: list[tuple[int, int]], seed: int
) -> None:
    """R10: whatever went before, a Master that has seen its Backup is Master after the split."""
    pair = Pair(seed=seed, version=pace[0], interval=pace[1])
    pair.settled(pair.a)
    for pause, (fault, name) in before:
        strike(pair, fault, pair.b if name == "b" else pair.a)
        pair.run(pause)
    mend(pair)
    pair.run(20 * SECOND)
    assume(len(pair.masters) == 1)
    master = pair.masters[0]
    event(f"{master.name} is the incumbent")
    for during, between in splits:
        with pair.splits(during / SECOND):
            pass
        assert pair.within_two_intervals() == [master]
        pair.run(between)
    assert master.log[-1][1] == lib.QX_MASTER
