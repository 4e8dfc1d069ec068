# SPDX-License-Identifier: Apache-2.0
"""The second unit arrives with another setting than the Master's: one holder, a named difference (R4, R5)."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from board.lab.demo import Demo
from board.lab.pair import Lab

from holders import Holders
from labtools import becomes, make_lab, paired, qx, virtual_mac, wait_for
from pairs import DEFAULT, events


@dataclass(frozen=True)
class Arrival:
    """What unit b is set to, where it ends, and what both units name."""

    settings: tuple[str, ...]
    role: str
    parameter: str
    why: str = ""  # a word of `why` besides the parameter
    named_by_master: bool = True


ARRIVALS = {
    "factory-address": Arrival(
        ("network.lan.address=172.30.0.1/24",),
        "backup",
        "network.lan.address",
    ),
    "interval": Arrival(
        ("redundancy.advertisement_interval=2",), "fault", "redundancy.advertisement_interval"
    ),
    "version": Arrival(("redundancy.vrrp_version=3",), "fault", "redundancy.vrrp_version"),
    "group": Arrival(("redundancy.group_id=19",), "fault", "redundancy.group_id"),
    "virtual-mac": Arrival(("redundancy.virtual_mac=false",), "backup", "redundancy.virtual_mac"),
}  # fmt: skip


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A Master in the same-subnet plan, alone; unit b is configured like it and has no power."""
    with make_lab("su", tmp_path_factory.mktemp("first")) as lab:
        lab.up(replace(DEFAULT, plan="same"), power=False, fresh=True)
        lab.power_on("a")
        becomes(lab, "a", "master", 8.0)
        yield lab


@pytest.mark.parametrize("name", ARRIVALS)
def test_a_setting_that_differs(first: Lab, name: str) -> None:
    """R4, R5: the Master stays the one holder, also when the other booted; both say in what they differ."""
    arrival, unit = ARRIVALS[name], first.units["b"]
    first.power_off("b")
    unit.erase()
    unit.provision(Demo())
    first.license("b")
    unit.configure(replace(DEFAULT, plan="same"))
    done = first.qx("b", "set", *arrival.settings)
    assert done.returncode == 0, done.stderr
    with Holders(first) as holders:
        since = time.monotonic()
        first.power_on("b")

        def named(which: str) -> bool:
            told = qx(first, which)
            return arrival.parameter in [mismatch["parameter"] for mismatch in told.get("mismatches", [])]

        wait_for(lambda: named("b"), 10.0, "the second unit names it")
        if arrival.named_by_master:
            wait_for(lambda: named("a"), 5.0, "the Master names it")
        told = becomes(first, "b", arrival.role, 10.0)
        if arrival.role == "fault":
            assert arrival.parameter in told["why"], told["why"]
        time.sleep(4.5)  # longer than it would take to become Master
        assert qx(first, "b")["role"] == arrival.role and qx(first, "a")["role"] == "master"
        assert named("b")
        assert holders.held_throughout("a", since)
        assert not [span for span in holders.spans() if span.unit == "b"]
    if arrival.role == "fault":
        told_events = first.qx("b", "events").stdout + first.qx("a", "events").stdout
        assert arrival.parameter in told_events, "and an event says it"


def test_another_group_is_found_by_the_address_probe(first: Lab) -> None:
    """R1, R4: without the other's words about it, the address probe finds the address taken, by which MAC."""
    unit = first.units["b"]
    first.power_off("b")
    unit.erase()
    unit.provision(Demo())
    first.license("b")
    unit.configure(replace(DEFAULT, plan="same"))
    # It knows another unit as its peer, so nothing that the Master says of itself reaches it.
    done = first.qx("b", "set", "redundancy.group_id=19", "redundancy.peer_virtual_ip=10.77.0.9")
    assert done.returncode == 0, done.stderr
    with Holders(first) as holders:
        since = time.monotonic()
        first.power_on("b")
        told = becomes(first, "b", "fault", 10.0)
        assert "is held by the station" in told["why"]
        conflicts = [one["description"] for one in events(first, "b") if one["name"] == "Address conflict"]
        assert any(virtual_mac(18) in text for text in conflicts), conflicts
        time.sleep(4.0)
        assert holders.held_throughout("a", since)
        assert not [span for span in holders.spans() if span.unit == "b"]


def test_the_difference_repaired(first: Lab) -> None:
    """R4, R5: with the setting corrected, also while it runs, the pair is one."""
    unit = first.units["b"]
    first.power_off("b")
    unit.erase()
    unit.provision(Demo())
    first.license("b")
    unit.configure(replace(DEFAULT, plan="same"))
    first.qx("b", "set", "redundancy.advertisement_interval=2").check_returncode()
    with Holders(first) as holders:
        since = time.monotonic()
        first.power_on("b")
        becomes(first, "b", "fault", 10.0)
        first.qx("b", "set", "redundancy.advertisement_interval=1").check_returncode()
        assert paired(first) == "a"
        assert not qx(first, "b")["mismatches"] and not qx(first, "a")["mismatches"]
        assert holders.held_throughout("a", since)
