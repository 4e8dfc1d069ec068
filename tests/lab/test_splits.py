# SPDX-License-Identifier: Apache-2.0
"""Splits with carrier up, and what is left of them when they heal: the Master from before (R10)."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from board.lab.demo import VIRTUAL_IP
from board.lab.pair import Lab

from counts import SOAK, choices, count
from holders import Holders
from labtools import Capture, forget_neighbours, other, reaches, wait_for
from pairs import DEFAULT, QUICK, pair, ready, restarted, service

DEMOS = {
    "100ms-v3-other": QUICK,
    "100ms-v3-same-physical": replace(QUICK, plan="same", virtual_mac=False),
    "1s-v2-same": replace(DEFAULT, plan="same"),
}
ROUNDS = {"100ms-v3-other": (2, 15), "100ms-v3-same-physical": (2, 10), "1s-v2-same": (1, 25)}


@pytest.fixture(scope="module", params=DEMOS)
def parted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Lab, str]]:
    with pair("sl", tmp_path_factory.mktemp("splits"), DEMOS[request.param]) as lab:
        yield lab, request.param


def make_master(lab: Lab, unit: str) -> None:
    """Let this unit be the Master before the split."""
    if ready(lab) != unit:
        pid = lab.units[other(unit)].daemon_pid()
        lab.qx(other(unit), "swap").check_returncode()
        assert restarted(lab, other(unit), pid) == unit


def test_splits_heal(parted: tuple[Lab, str]) -> None:
    """R10: one Master within two intervals on the wire, the one from before; the PC reaches it."""
    lab, name = parted
    interval = float(DEMOS[name].interval or 1)
    random = choices(f"splits {name}")
    shortest = 4.2 * interval  # until the other has become Master
    for number in range(count(*ROUNDS[name])):
        # The first time the other unit has the higher address, which goes before in the RFC's comparison.
        master = "a" if number == 0 else random.choice("ab")
        make_master(lab, master)
        loser = other(master)
        with Holders(lab) as holders, Capture(lab, "pc", match="ip proto 112") as capture:
            since = time.monotonic()
            lab.split()
            time.sleep(random.uniform(1.0, 10.0) if SOAK else shortest + random.uniform(0.0, 1.0))
            parted_long = holders.now() == ["a", "b"]
            lab.heal()
            healed, wall = time.monotonic(), time.time()
            forget_neighbours(lab, "pc")
            time.sleep(4 * interval)
            allowed = healed + 2 * interval + 0.05
            holding = {span.unit for span in holders.spans() if span.end > allowed}
            assert holding == {master}, f"after {'a' if parted_long else 'no'} second Master"
            late = {a.sender for a in capture.adverts() if a.at > wall + 2 * interval + 0.05}
            assert late == {str(VIRTUAL_IP[master].ip)}
            assert holders.held_throughout(master, since)
            assert reaches(lab, "pc", service(lab))
            assert holders.overlap(since=allowed) == 0
        assert ready(lab) == master
        assert not lab.status(loser)["service_addresses"]


@pytest.mark.parametrize("parted", ["100ms-v3-same-physical"], indirect=True)  # else one virtual MAC answers
def test_the_pc_follows_the_one_that_stays(parted: tuple[Lab, str]) -> None:
    """R10: a PC whose cache holds the loser's MAC reaches the Master again at once, by its announcement."""
    lab, _ = parted
    for _ in range(count(2, 10)):
        master = ready(lab)
        lab.split(other(master))
        wait_for(lambda: lab.status(other(master))["service_addresses"], 5.0, "the other serves")  # noqa: B023
        wait_for(lambda: reaches(lab, "pc", service(lab)), 3.0, "the PC reaches it")
        lab.heal()
        assert ready(lab) == master
        wait_for(lambda: reaches(lab, "pc", service(lab), seconds=0.3), 3.0, "the PC reaches the Master")
