# SPDX-License-Identifier: Apache-2.0
"""Our unit on one LAN with a VRRP router of another make: takeover both ways, judged on both and on the wire.

Each scenario is one story, for booting the lab is most of its time. R3, R4. Version 3's checksum without the
pseudo header (RFC 9568) is in tests/wire/test_advert.py: neither of Debian 12's two can send it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from board.lab.demo import GROUP_ID, Demo
from board.lab.pair import Lab

from counts import SOAK
from interop.peers import ADDRESS, Kind, Peer, make_peer
from labtools import (
    Capture,
    becomes,
    counters,
    forget_neighbours,
    make_lab,
    qx,
    reaches,
    role,
    stays,
    stop_orderly,
    wait_for,
)

KINDS = {
    "keepalived-v2": Kind("keepalived", 2, plan="other"),
    "keepalived-v2-vmac": Kind("keepalived", 2, use_vmac=True),
    "keepalived-v3": Kind("keepalived", 3, "0.1"),
    "keepalived-v3-vmac": Kind("keepalived", 3, "0.1", plan="other", use_vmac=True),
    "frr-v3": Kind("frr", 3, "0.1"),
}
if SOAK:
    KINDS["keepalived-v2-physical"] = Kind("keepalived", 2, our_virtual_mac=False)
    KINDS["frr-v3-other"] = Kind("frr", 3, "1", plan="other")
OURS = "10.77.0.1"
COUNTED = {"adverts_received", "adverts_sent", "prio_zero_received", "prio_zero_sent", "become_master"}
COUNTED |= {"release_master", "announces_sent", "hellos_sent", "checksum_rfc9568_form", "late"}
COMPLAINTS = ("bad ", "[|", "invalid", "truncated", "malformed", "wrong")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with make_lab("io", tmp_path) as lab:
        yield lab


@contextmanager
def meeting(lab: Lab, kind: Kind) -> Iterator[Peer]:
    """Our unit's root is ready; everything is off but the peer's machine."""
    demo = Demo(
        licence=True,
        plan=kind.plan,
        version=kind.version,
        interval=kind.interval,
        virtual_mac=kind.our_virtual_mac,
    )
    lab.up(demo, fresh=True, power=False)
    assert lab.qx("a", "set", "redundancy.accept_from=any").returncode == 0
    peer = make_peer(lab, kind)
    try:
        peer.plug()
        yield peer
    finally:
        peer.remove()


def peer_is_master(peer: Peer, seconds: float = 15.0) -> None:
    wait_for(peer.is_master, seconds, f"{peer.kind.name} becomes Master; it says {peer.log()[-1500:]}")


def pc_reaches_it(lab: Lab, peer: Peer) -> None:
    forget_neighbours(lab, "pc")
    address = str(peer.kind.service.ip)
    wait_for(lambda: reaches(lab, "pc", address), 5, "the PC reaches the service address")


def nothing_refused(lab: Lab) -> None:
    told = counters(lab, "a")
    assert {name: count for name, count in told.items() if count and name not in COUNTED} == {}


def only_master(lab: Lab, peer: Peer, ours: bool, intervals: float = 1) -> None:
    """For some intervals and half a second the same one, and nobody else."""
    seconds = 0.5 + intervals * float(peer.kind.interval)
    stays(
        lambda: (role(lab, "a") == "master", peer.is_master()) == (ours, not ours),
        seconds,
        f"{'our unit' if ours else peer.kind.name} is the only Master",
    )


def well_formed(capture: Capture, senders: tuple[str, ...] = (OURS, str(ADDRESS.ip))) -> None:
    """tcpdump read advertisements of both and complains of no packet of them."""
    capture.stop()
    assert capture.dropped == 0
    for sender in senders:
        told = capture.text("-vvv", "src", "host", sender, "and", "(ip proto 112 or igmp or arp)")
        assert f"{sender} > 224.0.0.18: VRRP" in told, f"no advertisement of {sender}"
        assert f"vrid {GROUP_ID}," in told
        wrong = [line for line in told.splitlines() if any(word in line for word in COMPLAINTS)]
        assert not wrong, wrong[:5]


def followed(capture: Capture) -> tuple[float, float]:
    """When our last goodbye was seen, and when the peer's first advertisement after it."""
    adverts = capture.adverts()
    goodbye = max(frame.at for frame in adverts if frame.sender == OURS and frame.priority == 0)
    peers = [frame.at for frame in adverts if frame.sender == str(ADDRESS.ip)]
    return goodbye, min(at for at in peers if at > goodbye)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_takeover_both_ways(lab: Lab, kind: Kind) -> None:
    """R3, R4: each follows the other's silence, goodbye and priority; nobody is refused or malformed."""
    with meeting(lab, kind) as peer, Capture(lab, "sw", "any") as capture:
        # The peer was there first: we listen, although our priority is higher.
        peer.start(100)
        peer_is_master(peer)
        lab.power_on("a")
        becomes(lab, "a", "backup")
        heard = counters(lab, "a")["adverts_received"]
        only_master(lab, peer, ours=False)
        assert qx(lab, "a")["vrrp"]["master"] == str(ADDRESS.ip)
        assert counters(lab, "a")["adverts_received"] > heard, "what is counted is shown"
        pc_reaches_it(lab, peer)

        # Power cut of the peer.
        lab.power_off("b")
        becomes(lab, "a", "master", 3 * float(kind.interval) + 7)
        assert qx(lab, "a")["vrrp"]["cause"] == "silence"
        pc_reaches_it(lab, peer)

        # It returns with a higher priority and preempts: we yield.
        peer.plug()
        peer.start(254, preempt=True)
        peer_is_master(peer)
        becomes(lab, "a", "backup", 3)
        assert qx(lab, "a")["vrrp"]["cause"] == "higher"
        only_master(lab, peer, ours=False)
        pc_reaches_it(lab, peer)

        # It says goodbye.
        peer.stop()
        becomes(lab, "a", "master", 5)
        assert qx(lab, "a")["vrrp"]["cause"] == "released"
        pc_reaches_it(lab, peer)

        # It returns and hears us.
        peer.start(100)
        only_master(lab, peer, ours=True, intervals=5)  # longer than it would listen to silence
        nothing_refused(lab)

        # Power cut of our unit; it returns and does not preempt.
        lab.power_off("a")
        peer_is_master(peer)
        pc_reaches_it(lab, peer)
        lab.power_on("a")
        becomes(lab, "a", "backup")
        only_master(lab, peer, ours=False)
        nothing_refused(lab)
        assert counters(lab, "a")["checksum_rfc9568_form"] == 0

        # Our own goodbye: it takes over after its skew time, not after our silence.
        peer.stop()
        becomes(lab, "a", "master", 5)
        peer.start(100)
        only_master(lab, peer, ours=True, intervals=2)
        stop_orderly(lab, "a")
        peer_is_master(peer, 3)
        pc_reaches_it(lab, peer)
        well_formed(capture)
        goodbye, taken = followed(capture)
        assert taken - goodbye < 1.5 * float(kind.interval)
