# SPDX-License-Identifier: Apache-2.0
"""Who answers for a service address, and what the PC's neighbour table says after it. R3, R6."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from board.lab import namespace
from board.lab.demo import GROUP_ID, WAN
from board.lab.pair import Lab

from counts import SOAK
from labtools import (
    PC,
    Capture,
    becomes,
    forget_neighbours,
    mac,
    neighbour,
    other,
    qx,
    reaches,
    virtual_mac,
    wait_for,
)
from wire.conftest import service_of, wan_mac

RP_FILTER: dict[str, dict[str, object]] = {
    "as-is": {},
    "strict": {"all__rp_filter": 1, "default__rp_filter": 1},
    "loose": {"all__rp_filter": 2, "default__rp_filter": 2},
}
CASES = [("same", "as-is"), ("same", "strict"), ("other", "strict"), ("other", "loose")]
CASES += [("same", "loose"), ("other", "as-is")] * SOAK
cases = pytest.mark.parametrize("case", CASES, ids="-".join, scope="module")  # one pair for its tests
Start = Callable[..., str]


def answered_by(lab: Lab, address: str, expected: str, interface: str = "lan", rounds: int = 4) -> None:
    """Each question of the PC gets exactly one answer, from `expected` in the frame and in ARP alike."""
    with Capture(lab, "pc", interface, "arp") as capture:
        for _ in range(rounds):
            forget_neighbours(lab, "pc")
            assert reaches(lab, "pc", address), f"the PC does not reach {address}"
            assert neighbour(lab, "pc", address) == expected
    # Without what a new Master asks, from 0.0.0.0: whether the old one's kernel still answers.
    asked = capture.frames(lambda f: f.arp and f.arp.operation == 1 and f.arp.target == address and
                           not f.arp.gratuitous and f.arp.sender != "0.0.0.0")  # fmt: skip
    told = capture.frames(lambda f: f.arp and f.arp.operation == 2 and f.arp.sender == address)
    assert len(asked) >= rounds
    assert len(told) == len(asked), f"{len(asked)} questions, {len(told)} answers"
    assert {frame.source for frame in told} == {expected}
    assert {frame.arp.sender_mac for frame in told if frame.arp} == {expected}


def up(start: Start, case: tuple[str, str]) -> str:
    """The pair of an address plan and what the host has of rp_filter; the Master's name."""
    plan, filtering = case
    return start(plan=plan, settings=RP_FILTER[filtering])


@cases
def test_a_backup_answers_for_nothing_but_its_own(lab: Lab, start: Start, case: tuple[str, str]) -> None:
    """R6: the Backup has no service address, and does not answer for one that is asked of it directly."""
    backup, service = other(up(start, case)), service_of(case[0])
    assert qx(lab, backup)["service_addresses"] == []
    forget_neighbours(lab, "pc")
    permanent = [
        "ip",
        "neighbour",
        "replace",
        service,
        "lladdr",
        mac(lab, backup),
        "dev",
        "lan",
        "nud",
        "permanent",
    ]
    lab.exec("pc", permanent).check_returncode()
    assert not reaches(lab, "pc", service), "the Backup took a packet to the service address"
    lab.exec("pc", ["ip", "neighbour", "del", service, "dev", "lan"]).check_returncode()


@cases
def test_only_the_virtual_mac_answers(lab: Lab, start: Start, case: tuple[str, str]) -> None:
    """R3, R6: one answer, from 00:00:5e:00:01:GROUP, whatever rp_filter is; after a takeover the same."""
    master, service = up(start, case), service_of(case[0])
    for holder in (master, other(master)):
        answered_by(lab, service, virtual_mac(GROUP_ID))
        answered_by(lab, str(WAN.ip), wan_mac(), "wan")
        spoke_first(lab, holder, service)
        if holder == master:
            lab.power_off(master)
            becomes(lab, other(master), "master", 10)


def test_the_port_answers_without_virtual_mac(lab: Lab, start: Start, plan: str, service: str) -> None:
    """R2, R3: with the physical MAC the answer is the Master's port's, and moves with a takeover."""
    master = start(plan=plan, virtual_mac=False)
    for holder in (master, other(master)):
        answered_by(lab, service, mac(lab, holder))
        answered_by(lab, str(WAN.ip), mac(lab, holder, "wan"), "wan")
        if holder == master:
            lab.power_off(master)
            becomes(lab, other(master), "master", 10)


def spoke_first(lab: Lab, master: str, service: str) -> None:
    """The Master opens the conversation while nobody knows anybody: by ping, and by UDP to a port that is
    closed, which the PC answers with an ICMP error."""
    name = lab.network.name(master)
    for speak in ("ping", "udp"):
        with Capture(lab, "pc", "lan", "arp") as capture:
            forget_neighbours(lab, master)
            forget_neighbours(lab, "pc")
            if speak == "ping":
                target = PC if service.startswith("10.") else service.rpartition(".")[0] + ".50"
                assert reaches(lab, master, target)
            else:
                with namespace.socket_in(name, socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.bind((service, 0))
                    sock.sendto(b"register", (PC, 9))
                wait_for(
                    lambda: neighbour(lab, "pc", service), 2, "the PC has an entry for the service address"
                )
            assert neighbour(lab, "pc", service) == virtual_mac(GROUP_ID)
        wrong = [f.arp for f in capture.frames() if f.arp and f.arp.sender == service]
        assert {arp.sender_mac for arp in wrong} <= {virtual_mac(GROUP_ID)}
