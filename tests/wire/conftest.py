# SPDX-License-Identifier: Apache-2.0
"""A pair for each test of what is on the wire: both address plans, virtual and physical MAC."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from board.lab.demo import WAN, Demo
from board.lab.pair import Lab

from counts import SOAK
from labtools import cold_boot, make_lab, paired


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Not up yet."""
    with make_lab("wi", tmp_path) as lab:
        yield lab


@pytest.fixture
def start(lab: Lab) -> Callable[..., str]:
    """`start(plan="other", settings={"all__rp_filter": 1}, dns=…)`: the pair is up; the Master's name."""

    def begin(settings: dict[str, object] | None = None, dns: str = "", **choices: Any) -> str:
        lab.up(Demo(**choices), fresh=True, power=False)
        for unit in ("a", "b"):
            if dns:
                assert lab.qx(unit, "set", f"network.dns={dns}").returncode == 0
        for unit in ("a", "b"):
            cold_boot(lab, unit, **(settings or {}))
        return paired(lab)

    return begin


@pytest.fixture(params=["same", "other"])
def plan(request: pytest.FixtureRequest) -> str:
    """Whether the service address lies in the Virtual IPs' subnet or in another one."""
    return request.param


@pytest.fixture(params=[True, False], ids=["virtual", "physical"])
def virtual(request: pytest.FixtureRequest) -> bool:
    """With the virtual MAC, or with the port's own."""
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


@pytest.fixture(params=PAIRWISE + CROSSED * SOAK, ids=lambda s: f"{s[0]}-{'virtual' if s[1] else 'physical'}")
def shape(request: pytest.FixtureRequest) -> Shape:
    """Each plan and each MAC once; every combination in a soak."""
    return request.param


def service_of(plan: str) -> str:
    return str(Demo(plan=plan).service[0].ip)


def wan_mac(address: IPv4Interface = WAN) -> str:
    """The MAC of the WAN service address: 02:51 and the address."""
    return (b"\x02\x51" + address.ip.packed).hex(":")
