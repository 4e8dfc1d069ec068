# SPDX-License-Identifier: Apache-2.0
"""Cables and switches: who serves follows the links, and a switch that restarts changes nothing (R9)."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from board.lab.network import UNITS
from board.lab.pair import Lab

from counts import bound, count
from holders import Holders
from labtools import becomes, make_lab, other, qx, wait_for
from pairs import DEFAULT, QUICK, outage, pair, probing, ready


@pytest.fixture(scope="module")
def cabled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("ln", tmp_path_factory.mktemp("links"), QUICK) as lab:
        yield lab


def reboot_switch(lab: Lab, seconds: float, first: str) -> None:
    """Both ports lose their carrier at once; `first` has it back 300 ms before the other."""
    cuts = [threading.Thread(target=lab.cut, args=(unit,)) for unit in UNITS]
    for thread in cuts:
        thread.start()
    for thread in cuts:
        thread.join()
    time.sleep(seconds)
    lab.mend(first)
    time.sleep(0.3)
    lab.mend(other(first))


@pytest.mark.parametrize("first", ["master", "backup"])
@pytest.mark.parametrize("demo", [QUICK, DEFAULT], ids=["100ms-v3", "1s-v2"])
def test_a_switch_reboot_ends_with_the_same_master(
    demo: object, first: str, default_pair: Lab, cabled: Lab
) -> None:
    """R9: whichever port comes back first, nobody else becomes Master and there are no two holders."""
    lab = default_pair if demo is DEFAULT else cabled
    master = ready(lab)
    with Holders(lab) as holders:
        reboot_switch(lab, count(5, 20), master if first == "master" else other(master))
        becomes(lab, master, "master", 15.0)
        assert ready(lab) == master
        assert {span.unit for span in holders.spans()} == {master}
        with probing(lab) as probe:
            time.sleep(0.2)
            assert probe.longest_silence() < bound(50, 400)


def test_the_masters_lan_cable(cabled: Lab) -> None:
    """R9: pulled, the Backup takes over before it could be two; plugged in again, the unit is Backup."""
    master = ready(cabled)
    with Holders(cabled) as holders, probing(cabled) as probe:
        moment = time.monotonic()
        cabled.cut(master)
        becomes(cabled, other(master), "master", 5.0)
        taken = time.monotonic()
        assert outage(probe, moment) < bound(600, 1500)
        told = becomes(cabled, master, "fault", 5.0)
        assert "no link" in told["why"]
        cabled.mend(master)
        assert ready(cabled) == other(master)
        assert holders.overlap() == 0
        assert holders.held_throughout(other(master), taken)


def test_a_flapping_port_is_no_reason(cabled: Lab) -> None:
    """R9: a link that is back before the Backup would act: the Master stays."""
    master = ready(cabled)
    with Holders(cabled) as holders:
        since = time.monotonic()
        cabled.cut(master)
        cabled.mend(master)
        time.sleep(1.0)
        assert ready(cabled) == master
        assert {span.unit for span in holders.spans() if span.end > since} == {master}


def test_without_link_nobody_becomes_master(cabled: Lab) -> None:
    """R9: neither a Backup whose cable is out when the Master dies, nor a unit that boots without one."""
    master = ready(cabled)
    backup = other(master)
    with Holders(cabled) as holders:
        cabled.cut(backup)
        becomes(cabled, backup, "fault", 3.0)
        cabled.power_off(master)
        time.sleep(2.0)
        assert holders.now() == []
        cabled.power_off(backup)
        cabled.power_on(backup)
        becomes(cabled, backup, "fault", 8.0)
        time.sleep(3.0)
        assert holders.now() == []
        cabled.mend(backup)
        becomes(cabled, backup, "master", 45.0)  # R5: a former Backup alone waits 30 s for its Master
    cabled.power_on(master)
    assert ready(cabled) == backup


def test_the_wan_cable(cabled: Lab) -> None:
    """R9: pulled on the Master, the Backup serves if its own WAN has link, and only then."""
    master = ready(cabled)
    backup = other(master)
    wait_for(lambda: qx(cabled, master)["peer"]["wan_link"], 3.0, "the Backup's WAN is known to have link")
    with Holders(cabled) as holders:
        cabled.cut(master, "wan")
        becomes(cabled, backup, "master", 5.0)
        becomes(cabled, master, "backup", 5.0)
        time.sleep(1.5)  # both are up, one without WAN: nobody moves
        assert holders.overlap() == 0
        cabled.cut(backup, "wan")
        since = time.monotonic()
        time.sleep(2.5)
        assert holders.held_throughout(backup, since), "no WAN on either: it stays where it is"
        cabled.mend(master, "wan")
        becomes(cabled, master, "master", 5.0)
        cabled.mend(backup, "wan")
        assert ready(cabled) == master
        assert holders.overlap() == 0


def test_the_wan_cable_with_tracking_off(cabled: Lab) -> None:
    """R9: switched off, the WAN's link moves nothing."""
    master = ready(cabled)
    cabled.qx(master, "set", "redundancy.wan_tracking=false").check_returncode()
    ready(cabled)
    with Holders(cabled) as holders:
        since = time.monotonic()
        cabled.cut(master, "wan")
        time.sleep(2.5)
        assert {span.unit for span in holders.spans() if span.end > since} == {master}
        cabled.mend(master, "wan")
    cabled.qx(master, "set", "redundancy.wan_tracking=true").check_returncode()
    assert ready(cabled) == master


def test_a_model_without_wan(tmp_path_factory: pytest.TempPathFactory) -> None:
    """R9: QX2000 has one port, one service address, and takes over all the same."""
    demo = replace(QUICK, model="qx2000")
    with make_lab("lw", tmp_path_factory.mktemp("qx2000")) as lab:
        lab.up(demo, fresh=True)
        master = ready(lab)
        assert qx(lab, master)["service_addresses"] == [lab.service_addresses()[0]]
        lab.power_off(master)
        becomes(lab, other(master), "master", 5.0)
