# SPDX-License-Identifier: Apache-2.0
"""R4, R5: a peer with another group, version or interval: never two Masters, and both settings are named.

Advertisements that must be refused would leave each unit alone with itself; the refused ones and the hello
hold the later unit back, for as long as the peer goes on.
"""

from __future__ import annotations

from typing import Any

import pytest
from machine import BACKUP, MS, SECOND
from pair_simulator import Pair
from simulated_unit import Unit

from _qx import ffi, lib

# (what differs, the incumbent's setting, the other's, what the other says it is, and the value it names)
DIFFERENCES: dict[str, tuple[dict[str, Any], dict[str, Any], int, int]] = {
    "group": ({"vrid": 18}, {"vrid": 19}, lib.QX_DIFFERS_GROUP, 18),
    "version": ({"version": 2}, {"version": 3}, lib.QX_DIFFERS_VERSION, 2),
    "version, fast": ({"version": 2}, {"version": 3, "interval": 10 * MS}, lib.QX_DIFFERS_VERSION, 2),
    "version, the other way": (
        {"version": 3, "interval": 10 * MS},
        {"version": 2},
        lib.QX_DIFFERS_VERSION,
        3,
    ),
    "interval": ({"interval": SECOND}, {"interval": 3 * SECOND}, lib.QX_DIFFERS_INTERVAL, 100),
    "interval, the other way": ({"interval": 3 * SECOND}, {"interval": SECOND}, lib.QX_DIFFERS_INTERVAL, 300),
}
different = pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
roles = pytest.mark.parametrize("incumbent", ["a", "b"])


def pair_of(difference: Any, incumbent: str, *, same_service: bool = True) -> tuple[Pair, Unit, Unit]:
    settings = {"a": dict(difference[0]), "b": dict(difference[1])}
    if incumbent == "b":
        settings = {"a": settings["b"], "b": settings["a"]}
    if not same_service:
        settings["a" if incumbent == "b" else "b"]["service"] = "172.30.0.1"
    pair = Pair(a=settings["a"], b=settings["b"])
    return (pair, pair.a, pair.b) if incumbent == "a" else (pair, pair.b, pair.a)


@different
@roles
@pytest.mark.parametrize("same_service", [True, False], ids=["same service", "factory service"])
def test_the_later_unit_is_held_back(difference: Any, incumbent: str, same_service: bool) -> None:
    """R4: it never becomes Master, and names the setting and the Master's value."""
    pair, master, other = pair_of(difference, incumbent, same_service=same_service)
    pair.alone(master, seconds=20)
    other.boot()
    pair.run(60 * SECOND)
    assert (pair.masters, [state for _, state, _ in other.log]) == ([master], [BACKUP])
    assert (other.group.parameter, other.group.parameter_theirs) == difference[2:]
    assert other.group.block == lib.QX_BLOCK_PARAMETER


@different
@roles
@pytest.mark.parametrize("same_service", [True, False], ids=["same service", "factory service"])
def test_the_hold_ends_when_the_peer_goes(difference: Any, incumbent: str, same_service: bool) -> None:
    """R4: a unit alone on the LAN serves, once what it heard is old and its probe finds the address free."""
    pair, master, other = pair_of(difference, incumbent, same_service=same_service)
    pair.alone(master, seconds=20)
    other.boot()
    pair.run(20 * SECOND)
    master.power_off()
    pair.until(lambda: other.is_master, within=(12 if same_service else 0) * SECOND + 15 * SECOND)


@different
@roles
def test_both_are_masters_after_a_split(difference: Any, incumbent: str) -> None:
    """R4, R10: they hear each other and refuse what they hear: the better right stays all the same."""
    pair, master, other = pair_of(difference, incumbent)
    pair.alone(master, seconds=60)
    with pair.splits(0.1):
        other.boot()
        pair.run(20 * SECOND)
        assert other.is_master
    assert pair.within_two_intervals() == [master]
    pair.run(30 * SECOND)
    assert other.group.block == lib.QX_BLOCK_PARAMETER


@different
@roles
@pytest.mark.parametrize("apart", [0, 1000, 10 * MS, SECOND])
def test_simultaneous_boots_with_another_setting(difference: Any, incumbent: str, apart: int) -> None:
    """R4: one Master within two intervals, as if they understood each other."""
    pair, first, second = pair_of(difference, incumbent)
    first.boot()
    pair.run(apart)
    second.boot()
    pair.until(lambda: bool(pair.masters), within=20 * SECOND)
    assert len(pair.within_two_intervals()) == 1


@roles
def test_version_3_adopts_another_interval(incumbent: str) -> None:
    """R3: there an interval that differs is no reason for anything: the Backup takes the Master's."""
    settings = [{"interval": SECOND}, {"interval": 100 * MS}]
    a, b = settings if incumbent == "a" else settings[::-1]
    pair = Pair(version=3, a=a, b=b)
    master, other = (pair.a, pair.b) if incumbent == "a" else (pair.b, pair.a)
    pair.alone(master)
    other.boot()
    pair.run(20 * SECOND)
    assert (pair.masters, other.group.block, other.group.parameter) == ([master], 0, lib.QX_SAME)
    assert other.group.fsm.master_interval == SECOND
    with pair.splits(10):
        assert other.is_master
    assert pair.within_two_intervals() == [master]


def test_the_hello_alone_holds_back() -> None:
    """R4: advertisements are lost, hellos cross: still no second Master with another version."""
    pair = Pair(a={"version": 2}, b={"version": 3, "service": "172.30.0.1"})
    pair.alone(pair.a)
    pair.a.mute = True
    pair.b.boot()
    pair.run(60 * SECOND)
    assert (pair.masters, pair.b.group.block) == ([pair.a], lib.QX_BLOCK_PARAMETER)


def test_a_release_in_another_version_ends_the_hold_at_once() -> None:
    """R4: priority 0 says that it lets go, in whatever language."""
    pair = Pair(a={"version": 2}, b={"version": 3, "service": "172.30.0.1"})
    pair.alone(pair.a)
    pair.b.boot()
    pair.run(20 * SECOND)
    pair.a.die()
    pair.until(lambda: pair.b.is_master, within=SECOND + MS)


def test_setting_it_right_ends_the_hold_at_once() -> None:
    """R4: the next hello of a peer with our settings takes the difference back."""
    pair = Pair(a={"version": 2}, b={"version": 3})
    pair.alone(pair.a)
    pair.b.boot()
    pair.run(20 * SECOND)
    assert pair.b.group.parameter == lib.QX_DIFFERS_VERSION
    hello = ffi.new("struct qx_hello *")
    hello.state, hello.priority, hello.vrid, hello.version, hello.interval_cs = lib.QX_MASTER, 254, 18, 3, 100
    lib.qx_group_hello(pair.b.group, pair.now, hello, pair.b.actions)
    assert pair.b.group.parameter == lib.QX_SAME
