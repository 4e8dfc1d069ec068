# SPDX-License-Identifier: Apache-2.0
"""A unit out of the box beside a Master at the same default address: it stays silent (R1)."""

from pathlib import Path

from board.lab.demo import Demo

from holders import Holders
from labtools import (
    Capture,
    becomes,
    forget_neighbours,
    mac,
    make_lab,
    neighbour,
    reaches,
    virtual_mac,
    wait_for,
)
from pairs import service


def test_a_blank_unit_announces_and_answers_nothing(tmp_path: Path) -> None:
    """R1: in fault, naming the other's MAC; on its port nothing but ARP probes of the address."""
    with make_lab("bu", tmp_path) as lab:
        lab.up(Demo(plan="other"), power=False, fresh=True)
        blank = lab.units["b"]
        blank.erase()
        blank.provision(Demo(configure=False))
        assert lab.qx("b", "get", "network.lan.address").stdout.strip() == lab.service_addresses()[0]
        lab.power_on("a")
        becomes(lab, "a", "master", 8.0)
        lab.power_on("b", bare=True)
        with Holders(lab) as holders, Capture(lab, "sw", "lan-b", "inbound") as capture:
            blank.start()
            told = becomes(lab, "b", "fault", 15.0)
            assert virtual_mac(18) in told["why"] and "network.lan.address" in told["why"]
            forget_neighbours(lab, "pc")
            assert reaches(lab, "pc", service(lab))
            assert neighbour(lab, "pc", service(lab)) == virtual_mac(18)
            wait_for(lambda: len(capture.frames(lambda frame: frame.arp)) >= 1, 20.0, "it has probed")
            assert {span.unit for span in holders.spans()} == {"a"}
        blank_mac = mac(lab, "b")
        frames = capture.frames(lambda frame: frame.type in (0x0800, 0x0806))
        assert frames
        for frame in frames:
            assert frame.source == blank_mac
            assert frame.arp and frame.arp.operation == 1 and frame.arp.sender == "0.0.0.0", frame


def test_a_blank_unit_alone_serves_its_factory_address(tmp_path: Path) -> None:
    """R1: with nobody at the address, it is claimed after the probes and the unit is standalone."""
    with make_lab("bu", tmp_path) as lab:
        lab.up(Demo(plan="other", configure=False), power=False, fresh=True)
        lab.power_on("b")
        wait_for(lambda: (lab.status("b")["qx"] or {}).get("role") == "standalone", 15.0, "standalone")
        assert reaches(lab, "pc", service(lab))
