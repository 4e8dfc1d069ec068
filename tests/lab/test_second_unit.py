# SPDX-License-Identifier: Apache-2.0
"""The second unit arrives with another setting than the Master's: one holder, a named difference (R4, R5)."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from board.lab.pair import Lab

from holders import Holders
from labtools import becomes, make_lab, qx, virtual_mac, wait_for
from pairs import DEFAULT, events, ready


@dataclass(frozen=True)
class Arrival:
    """What unit b is set to, where it ends, and what both units name."""

    settings: tuple[str, ...]
    role: str
    parameter: str
    why: str = ""  # a word of `why` besides the parameter
    named_by_master: bool = True


ARRIVALS = {
    "interval": Arrival(
        ("redundancy.advertisement_interval=2",), "fault", "redundancy.advertisement_interval"
    ),
    "version": Arrival(("redundancy.vrrp_version=3",), "fault", "redundancy.vrrp_version"),
    "group": Arrival(("redundancy.group_id=19",), "fault", "redundancy.group_id"),
}  # fmt: skip


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Lab]:
    """A Master in the same-subnet plan that never met another; unit b is configured like it and is off."""
    with make_lab("su", tmp_path) as lab:
        lab.up(replace(DEFAULT, plan="same"), power=False, fresh=True)
        lab.power_on("a")
        becomes(lab, "a", "master", 8.0)
        yield lab


@pytest.mark.parametrize("name", ARRIVALS)
def test_a_setting_that_differs(first: Lab, name: str) -> None:
    """R4, R5: the Master stays the one holder, also when the other booted; both say in what they differ."""
    arrival = ARRIVALS[name]
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
    first.qx("b", "set", "redundancy.advertisement_interval=2").check_returncode()
    with Holders(first) as holders:
        since = time.monotonic()
        first.power_on("b")
        becomes(first, "b", "fault", 10.0)
        done = first.qx("b", "set", "redundancy.advertisement_interval=1")
        assert done.returncode == 0, done.stderr
        assert ready(first) == "a"
        assert not qx(first, "b")["mismatches"] and not qx(first, "a")["mismatches"]
        assert holders.held_throughout("a", since)
