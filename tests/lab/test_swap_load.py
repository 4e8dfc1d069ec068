# SPDX-License-Identifier: Apache-2.0
"""Swaps while settings are written without a pause, and power cuts in the middle of them (R7, R8)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from board.lab.network import UNITS
from board.lab.pair import Lab

from counts import SOAK, bound, choices, count
from holders import Holders
from labtools import other, wait_for
from pairs import QUICK, another_daemon, in_step, pair, ready
from qx.control.client import call
from qx.errors import Refusal
from qx.paths import Paths
from writers import Writers, ask

WRITERS = 8
PACE = bound(0.008, 0.04)  # seconds between two writes of one: 1,000 a second in all, where the machine can
CUT_WITHIN = 0.4  # seconds from the order to the old Master's restart, with some to spare


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("sw", tmp_path_factory.mktemp("swaps"), QUICK) as lab:
        yield lab


def fit(lab: Lab) -> str:
    """The Master that could be swapped now, also while more is written than the Backup has at the moment."""
    told = {unit: ask(lab, unit) for unit in UNITS}
    for master, backup in (UNITS, UNITS[::-1]):
        one, two = told[master], told[backup]
        if (
            one.get("role") == "master"
            and two.get("role") == "backup"
            and one["peer"]["session"]["up"]
            and one["peer"]["armed"]
            and two["vrrp"]["armed"]
            and not two["why"]
        ):
            return master
    return ""


def swap(lab: Lab, master: str) -> None:
    """Over the control socket: no time goes into the start of a program."""
    call(Paths(lab.units[master].root), "swap", wait=60.0)


def test_swaps_under_writes_lose_nothing(whole: Lab, record_figures: Callable[..., None]) -> None:
    """R8: no write answered `durable: both` is missing, and both histories are equal at the end."""
    ready(whole)
    in_step(whole)
    began = time.monotonic()
    swaps = count(2, 20)
    with Writers(whole, WRITERS, PACE) as writers:
        for _ in range(swaps):
            master = wait_for(lambda: fit(whole), 20.0, "a Master that can be swapped")
            written = writers.taken
            wait_for(lambda: writers.taken >= written + 20, 10.0, "it is written to")  # noqa: B023
            pid = whole.units[master].daemon_pid()
            swap(whole, master)
            another_daemon(whole, master, pid)
            wait_for(lambda: fit(whole) == other(master), 20.0, "the roles are exchanged")  # noqa: B023
            writers.pause()
            assert not writers.missing(other(master))
            writers.go_on()
        while SOAK and time.monotonic() < began + 20:
            time.sleep(0.1)
        lasted = time.monotonic() - began
    in_step(whole, 20.0)
    for unit in UNITS:
        assert not writers.missing(unit)
    assert writers.taken_by_both > 20 * swaps
    assert not json.loads(whole.qx("a", "conflict", "--json").stdout)
    record_figures(
        seconds=lasted, tried=sum(writers.tried.values()), taken=writers.taken, both=writers.taken_by_both
    )


def test_a_power_cut_during_a_swap(whole: Lab) -> None:
    """R7, R8: of either or both units at any moment of it: one Master afterwards, never two passive, and what
    was durable on both is there. A passive Backup is swapped as well."""
    rounds, dice = count(4, 60), choices("cut in a swap")
    cuts = [(unit,) for unit in UNITS] + [UNITS]
    for number in range(rounds):
        master = ready(whole)
        backup = other(master)
        if number % 2:
            call(Paths(whole.units[backup].root), "mode", {"mode": "passive"})
            wait_for(lambda: _passive(whole, master), 3.0, "the Master knows")  # noqa: B023
        change = {"changes": {"snmp.contact": f"w{number}"}, "who": "test"}
        written = call(Paths(whole.units[master].root), "set", change)
        with Holders(whole) as holders:
            swapping = threading.Thread(target=_quietly, args=(whole, master))
            swapping.start()
            # Every part of it gets its share; a passive Backup takes an interval longer.
            time.sleep(CUT_WITHIN * (number + dice.random()) / rounds)
            for unit in cuts[number % 3]:
                whole.power_off(unit)
            swapping.join()
            for unit in UNITS:
                whole.power_on(unit)
            wait_for(lambda: _roles(whole) == ["backup", "master"], 45.0, "one Master and one Backup")
            assert holders.overlap() == 0
        for unit in UNITS:
            if ask(whole, unit).get("mode") == "passive":
                call(Paths(whole.units[unit].root), "mode", {"mode": "active"})
        ready(whole)
        in_step(whole)
        if written["durable"] == "both":
            for unit in UNITS:
                found = call(Paths(whole.units[unit].root), "get", {"paths": ["snmp.contact"]})
                assert found[0]["text"] == f"w{number}"


def _passive(lab: Lab, master: str) -> bool:
    return ask(lab, master).get("peer", {}).get("mode") == "passive"


def _roles(lab: Lab) -> list[str]:
    return sorted(str(ask(lab, unit).get("role")) for unit in UNITS)


def _quietly(lab: Lab, master: str) -> None:
    with suppress(Refusal, OSError):  # power goes before it answers
        swap(lab, master)
