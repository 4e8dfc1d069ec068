# SPDX-License-Identifier: Apache-2.0
"""Pairs for tests of what is on the wire: both address plans, virtual and physical MAC.

A pair lives as long as tests of its file want it set up as it is; each test finds it paired, and may leave
units off. Timers are short unless a test asks for others: `start(version=2, interval="1")`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Interface
from typing import Any, NamedTuple

import pytest
from board.lab.demo import WAN, Demo
from board.lab.network import UNITS
from board.lab.pair import Lab

from counts import SOAK
from labtools import cold_boot, make_lab
from pairs import pytest_runtest_makereport, ready

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Not up yet."""
    with make_lab("wi", tmp_path_factory.mktemp("wire")) as lab:
        yield lab


@pytest.fixture(scope="module")
def start(lab: Lab) -> Callable[..., str]:
    """`start(plan="other", settings={"all__rp_filter": 1}, dns=…)`: the pair is up; the Master's name."""
    running: dict[str, Any] = {}

    def begin(settings: dict[str, object] | None = None, dns: str = "", **choices: Any) -> str:
        demo = Demo(**{"version": 3, "interval": "0.1"} | choices)
        wanted = {"demo": demo, "dns": dns, "settings": settings or {}}
        if running != wanted:
            running.clear()
            lab.up(demo, fresh=True, power=False)
            chosen = ["redundancy.accept_from=any", *([f"network.dns={dns}"] if dns else [])]
            for unit in UNITS:  # strangers are to be heard as well
                assert lab.qx(unit, "set", *chosen).returncode == 0
            running.update(wanted)
        for unit in UNITS:
            if not lab.network.powered(unit):
                cold_boot(lab, unit, **wanted["settings"])
        return ready(lab)

    return begin


@pytest.fixture(scope="module", params=["same", "other"])
def plan(request: pytest.FixtureRequest) -> str:
    """Whether the service address lies in the Virtual IPs' subnet or in another one."""
    return request.param


@pytest.fixture
def service(plan: str) -> str:
    """The LAN service address of the plan."""
    return service_of(plan)


class Shape(NamedTuple):
    """How a pair is set up where address plan and MAC have little to do with each other."""

    plan: str
    virtual: bool


PAIRWISE = [Shape("same", True), Shape("other", False)]
CROSSED = [Shape("other", True), Shape("same", False)]


@pytest.fixture(
    scope="module",
    params=PAIRWISE + CROSSED * SOAK,
    ids=lambda s: f"{s[0]}-{'virtual' if s[1] else 'physical'}",
)
def shape(request: pytest.FixtureRequest) -> Shape:
    """Each plan and each MAC once; every combination in a soak."""
    return request.param


def service_of(plan: str) -> str:
    return str(Demo(plan=plan).service[0].ip)


def wan_mac(address: IPv4Interface = WAN) -> str:
    """The MAC of the WAN service address: 02:51 and the address."""
    return (b"\x02\x51" + address.ip.packed).hex(":")
