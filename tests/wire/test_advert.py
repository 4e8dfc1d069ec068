# SPDX-License-Identifier: Apache-2.0
"""Advertisements and gratuitous ARP octet by octet, as they are on the wire; IGMP on the port. R3."""

from __future__ import annotations

import itertools
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from board.lab.demo import GROUP_ID, VIRTUAL_IP, WAN
from board.lab.pair import Lab

from counts import SOAK
from labtools import (
    GROUP_ADDRESS,
    Capture,
    Frame,
    becomes,
    cold_boot,
    counters,
    mac,
    other,
    paired,
    role,
    virtual_mac,
    wait_for,
)
from unit.packets import checksum
from wire.conftest import service_of, wan_mac
from wire.sender import advert, port_of_the_pc

STRANGER = "10.77.0.66"
Start = Callable[..., str]


class Setup(NamedTuple):
    """How a pair is set up. Interval in seconds, as it is set."""

    plan: str
    virtual: bool
    version: int
    interval: str

    @property
    def choices(self) -> dict[str, Any]:
        return {
            "plan": self.plan,
            "virtual_mac": self.virtual,
            "version": self.version,
            "interval": self.interval,
        }


# Each plan, MAC and version once; every combination in a soak.
ALL = [
    Setup(plan, virtual, version, interval)
    for plan in ("same", "other")
    for virtual in (True, False)
    for version, interval in ((2, "1"), (3, "0.1"))
]
SETUPS = ALL if SOAK else [ALL[0], ALL[-1]]


def announcements(capture: Capture, address: str) -> list[Frame]:
    return capture.frames(lambda frame: frame.arp and frame.arp.sender == address and frame.arp.gratuitous)


def setups(*wanted: Setup) -> pytest.MarkDecorator:
    """The test runs on these; a pair that the test before it had stays up."""
    return pytest.mark.parametrize(
        "setup",
        wanted,
        scope="module",
        ids=lambda s: f"{s.plan}-{'virtual' if s.virtual else 'physical'}-{s.version}",
    )


def octets(address: str) -> bytes:
    return bytes(int(part) for part in address.split("."))


@setups(*SETUPS)
def test_octets(lab: Lab, start: Start, setup: Setup) -> None:
    """R3: TTL 255, TOS 0xc0, from the unit's own Virtual IP and the virtual MAC, the right sum."""
    plan, virtual, version, interval = setup
    master, service = start(**setup.choices), service_of(plan)
    with Capture(lab, "pc", "lan", "ip proto 112") as capture:
        time.sleep(4 * float(interval) + 0.5)
    frames = capture.adverts()
    assert len(frames) >= 4
    for frame in frames:
        assert frame.source == (virtual_mac(GROUP_ID) if virtual else mac(lab, master))
        assert frame.destination == "01:00:5e:00:00:12"
        source, group = str(VIRTUAL_IP[master].ip), GROUP_ADDRESS
        header = frame.ip[:20]
        assert header[0] == 0x45
        assert header[1] == 0xC0
        assert header[8] == 255
        assert checksum(header) == 0
        assert header[12:] == octets(source) + octets(group)
        message = frame.message
        timing = b"\x00\x01" if version == 2 else b"\x00\x0a"
        assert message[:6] == bytes([version << 4 | 1, GROUP_ID, 254, 1]) + timing
        pseudo = octets(source) + octets(group) + bytes([0, 112]) + len(message).to_bytes(2, "big")
        assert checksum((pseudo if version == 3 else b"") + message) == 0
        assert message[8:] == octets(service) + (bytes(8) if version == 2 else b"")
    gaps = [after.at - before.at for before, after in itertools.pairwise(frames)]
    assert all(0.5 < gap / float(interval) < 2 for gap in gaps), gaps
    told = capture.text("-vvv")
    assert "bad" not in told and "[|" not in told


@setups(*SETUPS)
def test_a_lower_master_is_answered_within_limits(lab: Lab, start: Start, setup: Setup) -> None:
    """R3, R9: a lower Master, heard 100 times in a second, is answered by one announcement a second; in
    version 3 by an advertisement as well (RFC 9568 6.4.3), at most twice an interval."""
    interval, service = float(setup.interval), service_of(setup.plan)
    on_the_wire = int(interval) if setup.version == 2 else round(interval * 100)
    master = start(**setup.choices)
    wait_for(lambda: counters(lab, master)["announces_sent"] >= 10, 15, "the first announcements are over")
    before = counters(lab, master)
    with Capture(lab, "pc", "lan", "arp or ip proto 112") as capture, port_of_the_pc(lab) as sock:
        data = advert(100, STRANGER, service, version=setup.version, interval=on_the_wire)
        began = time.monotonic()
        for _ in range(100):
            sock.send(data)
            time.sleep(0.01)
        sending = time.monotonic() - began
        time.sleep(3)
        whole = time.monotonic() - began
    found = announcements(capture, service)
    assert 1 <= len(found) <= sending + 3, [frame.at for frame in found]
    assert all(after.at - before.at > 0.9 for before, after in itertools.pairwise(found))
    sent = [frame for frame in capture.adverts() if frame.sender == str(VIRTUAL_IP[master].ip)]
    answers = 2 * sending / interval + 1 if setup.version == 3 else 0
    assert len(sent) <= whole / interval + 2 + answers
    after = counters(lab, master)
    assert after["foreign"] - before["foreign"] == 100
    assert role(lab, master) == "master"


@setups(*(setup for setup in SETUPS if setup.version == 3))
@pytest.mark.parametrize("pseudo", [True, False], ids=["rfc5798", "rfc9568"])
def test_both_checksums_of_version_3(lab: Lab, start: Start, setup: Setup, pseudo: bool) -> None:
    """R3: a higher Master is respected in either form; the form of RFC 9568 is counted."""
    master, service = start(**setup.choices), service_of(setup.plan)
    backup = other(master)
    before = counters(lab, master)
    lab.power_off(backup)
    ended = threading.Event()

    def heard() -> int:
        return counters(lab, master)["adverts_received"] - before["adverts_received"]

    data = advert(255, str(VIRTUAL_IP[backup].ip), service, version=3, interval=10, pseudo=pseudo)
    with port_of_the_pc(lab) as sock:

        def advertise() -> None:
            while not ended.wait(0.05):
                sock.send(data)

        higher = threading.Thread(target=advertise)
        higher.start()
        try:
            told = becomes(lab, master, "backup", 3)["vrrp"]
            wait_for(lambda: heard() > 20, 5, "it goes on hearing it")
            assert role(lab, master) == "backup"
        finally:
            ended.set()
            higher.join()
    assert told["cause"] == "higher"
    found = becomes(lab, master, "master", 10)["vrrp"]["counters"]
    counted = {name: found[name] - before[name] for name in found}
    assert counted["checksum"] == 0
    assert counted["checksum_rfc9568_form"] == (0 if pseudo else counted["adverts_received"])


@setups(*SETUPS[:: 1 if SOAK else 2])
def test_the_group_is_joined_on_the_port_only(lab: Lab, start: Start, setup: Setup) -> None:
    """R3: 224.0.0.18 is joined on the LAN port, so that no report leaves with the virtual MAC."""
    master = start(**setup.choices)
    backup = other(master)
    lab.power_off(backup)
    with Capture(lab, "sw", "any", "igmp") as capture:
        cold_boot(lab, backup)
        assert paired(lab) == master
        time.sleep(1)
    for unit in (master, backup):
        joined, device = set[str](), ""
        for line in lab.exec(unit, ["cat", "/proc/net/igmp"]).stdout.splitlines()[1:]:
            fields = line.split()
            if line[0].isdigit():
                device = fields[1]
            elif fields[0] == "120000E0":
                joined.add(device)
        assert joined == {"lan"}
    reports = [
        frame for frame in capture.frames() if octets(GROUP_ADDRESS) in frame.message and not frame.outgoing
    ]
    assert reports, "the Backup told the switch that it listens"
    assert {frame.source for frame in reports} == {mac(lab, backup)}


@setups(*SETUPS)
def test_announcements_at_a_takeover(lab: Lab, start: Start, setup: Setup) -> None:
    """R3: at once, after 20 and 200 ms, after 1 and 5 s, on both segments, whole and broadcast."""
    virtual = setup.virtual
    master, service = start(**setup.choices), service_of(setup.plan)
    heir = other(master)
    with Capture(lab, "pc", "lan", "arp or ip proto 112") as lan, Capture(lab, "pc", "wan", "arp") as wan:
        lab.power_off(master)
        becomes(lab, heir, "master", 10)
        time.sleep(6)
    own = {"lan": virtual_mac(GROUP_ID), "wan": wan_mac()}
    for capture, port, address in ((lan, "lan", service), (wan, "wan", str(WAN.ip))):
        sender = own[port] if virtual else mac(lab, heir, port)
        found = announcements(capture, address)
        assert {(frame.source, frame.destination) for frame in found} == {(sender, "ff:ff:ff:ff:ff:ff")}
        octets_ = bytes.fromhex(sender.replace(":", ""))
        whole = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + octets_ + octets(address) + b"\xff" * 6
        assert {frame.payload[:28] for frame in found} == {whole + octets(address)}
        times = [frame.at - found[0].at for frame in found]
        assert len(times) == 5, times
        for wanted, at in zip((0, 0.02, 0.2, 1, 5), times, strict=True):
            assert wanted - 0.02 <= at <= wanted + 0.2, times
    first = next(frame for frame in lan.adverts() if frame.sender == str(VIRTUAL_IP[heir].ip))
    assert 0 <= announcements(lan, service)[0].at - first.at < 0.1, "advertisement, then address, then ARP"
