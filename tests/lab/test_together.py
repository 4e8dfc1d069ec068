# SPDX-License-Identifier: Apache-2.0
"""The pair with its session: first pairing, settings that cross, a read-only Backup, pair parameters, a
healed split (R5, R8, R10, R13, R16, R19)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from board.lab.demo import Demo
from board.lab.network import UNITS
from board.lab.pair import Lab

from counts import bound
from holders import Holders
from labtools import becomes, make_lab, other, qx, role, wait_for
from pairs import (
    DEFAULT,
    QUICK,
    another_daemon,
    events,
    get,
    in_step,
    outage,
    pair,
    probing,
    put,
    ready,
    refused,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("tg", tmp_path_factory.mktemp("together"), QUICK) as lab:
        yield lab


@pytest.fixture
def together(whole: Lab) -> Lab:
    """The pair, in step."""
    for unit in UNITS:
        whole.mend(unit)
        whole.power_on(unit)
    ready(whole)
    in_step(whole)
    return whole


def test_a_setting_crosses_and_says_so(together: Lab) -> None:
    """R13, R16: what the Master answers as durable on both is on the Backup; the Backup takes none (R19)."""
    master = ready(together)
    backup = other(master)
    answer = put(together, master, "extensions.101.name=Ann", "extensions.101.password=Secret-Pass-1")
    assert answer["durable"] == "both"
    assert get(together, backup, "extensions.101.name") == "Ann"
    line = refused(together, backup, "set", "extensions.101.name=Bob")
    assert "extensions.101.name: read-only on a unit in role backup; set it on the Master" in line
    assert get(together, backup, "extensions.101.name") == "Ann"
    assert put(together, backup, "redundancy.backup_mode=active")["durable"] == "this"
    together.power_off(backup)
    wait_for(lambda: qx(together, master)["peer"]["session"]["up"] is False, 6.0, "the session is over")
    assert put(together, master, "extensions.101.name=Eve")["durable"] == "this"
    together.power_on(backup)
    in_step(together, 20.0)
    assert get(together, backup, "extensions.101.name") == "Eve"


def test_first_pairing_of_a_unit_with_factory_addresses(tmp_path: Path) -> None:
    """The guide's section 4 with different LAN addresses: the second unit is Backup in 5 s and has the
    Master's address and settings (R5)."""
    with make_lab("fp", tmp_path) as lab:
        lab.up(replace(QUICK, plan="other"), fresh=True, power=False)
        second = lab.units["b"]
        second.erase()
        second.provision(Demo())
        lab.license("b")
        second.configure(replace(QUICK, plan="same"))
        lab.power_on("a")
        becomes(lab, "a", "master")
        put(lab, "a", "extensions.101.name=Ann", "mail.user=pbx@example.com")
        with Holders(lab) as holders:
            since = time.monotonic()
            lab.power_on("b")
            becomes(lab, "b", "backup", 5.0)
            wait_for(lambda: get(lab, "b", "extensions.101.name") == "Ann", 5.0 - (time.monotonic() - since),
                     "the settings have crossed")  # fmt: skip
            assert get(lab, "b", "network.lan.address") == get(lab, "a", "network.lan.address")
            assert get(lab, "b", "mail.user") == "pbx@example.com"
            assert ready(lab) == "a"
            in_step(lab)
            assert holders.held_throughout("a", since)
        assert not qx(lab, "b")["mismatches"] and not qx(lab, "a")["mismatches"]
        assert not [one for one in events(lab, "b") if "conflict" in one["name"].lower()]
        with probing(lab) as probe:
            moment = time.monotonic()
            lab.power_off("a")
            assert outage(probe, moment) < bound(500, 1500)
        assert get(lab, "b", "extensions.101.name") == "Ann"


def test_a_master_with_nothing_of_its_own_hands_over(tmp_path: Path) -> None:
    """R5: a new unit that was first to be Master gives the role to the one that has the settings; what it
    lacks crosses then. The unit with the settings waits for no copy of a state that nobody has."""
    with make_lab("ho", tmp_path) as lab:
        lab.up(QUICK, fresh=True, power=False)
        lab.power_on("a")
        becomes(lab, "a", "master")
        put(lab, "a", "extensions.101.name=Ann", "mail.user=pbx@example.com")
        lab.power_off("a")
        lab.power_on("b")
        becomes(lab, "b", "master")
        pid = lab.units["b"].daemon_pid()
        with Holders(lab) as holders:
            lab.power_on("a")
            becomes(lab, "a", "master", 15.0)
            another_daemon(lab, "b", pid)  # whoever is swapped starts again
            assert ready(lab) == "a"
            assert holders.overlap() == 0
        in_step(lab)
        for unit in UNITS:
            assert get(lab, unit, "extensions.101.name") == "Ann"
            assert get(lab, unit, "mail.user") == "pbx@example.com"
        assert any("which has the data" in one["name"] for one in events(lab, "b"))


@pytest.mark.parametrize("demo", [DEFAULT, replace(QUICK, interval="0.01")], ids=["1s", "10ms"])
def test_pair_parameters_change_on_a_running_pair(tmp_path: Path, demo: Demo) -> None:
    """R13: no role change, both sides agree; refused while the peer is away."""
    with pair("pp", tmp_path, demo) as lab:
        master = ready(lab)
        backup = other(master)
        in_step(lab)
        with Holders(lab) as holders, probing(lab) as probe:
            since = time.monotonic()
            for change in (
                ("redundancy.vrrp_version=3", "redundancy.advertisement_interval=0.2"),
                ("redundancy.advertisement_interval=0.01",),
                ("redundancy.advertisement_interval=1",),
                ("redundancy.vrrp_version=2",),
                ("redundancy.group_id=21",),
                ("redundancy.vrrp_version=3", "redundancy.advertisement_interval=0.05"),
            ):
                assert put(lab, master, *change)["durable"] == "both"
                for unit in UNITS:
                    for one in change:
                        path, _, value = one.partition("=")
                        assert float(get(lab, unit, path)) == float(value)
                assert ready(lab, 10.0) == master
                assert not qx(lab, backup)["mismatches"], qx(lab, backup)["mismatches"]
            # A silent Master is still noticed with the parameters of now.
            assert holders.overlap() == 0
            assert not [span for span in holders.spans() if span.unit == backup]
            print(f"silence {probe.longest_silence(since):.1f} ms")
        lab.power_off(backup)
        wait_for(lambda: not qx(lab, master)["peer"]["session"]["up"], 6.0, "the session is over")
        line = refused(lab, master, "set", "redundancy.group_id=22")
        assert "redundancy.group_id: a parameter of the pair, and the other unit is away" in line
        assert get(lab, master, "redundancy.group_id") == "21"
        put(lab, master, "extensions.102.name=Zoe")
        assert role(lab, master) == "master"


def test_a_swap_with_a_passive_backup(together: Lab) -> None:
    """R7, R8: it is promoted all the same; the old Master gets the mode that the Backup had."""
    master = ready(together)
    backup = other(master)
    together.qx(backup, "mode", "passive").check_returncode()
    wait_for(lambda: qx(together, master)["peer"]["mode"] == "passive", 3.0, "the Master knows")
    pid = together.units[master].daemon_pid()
    with Holders(together) as holders:
        done = together.qx(master, "swap", timeout=60)
        assert done.returncode == 0, done.stderr
        assert holders.now() == [backup]
        another_daemon(together, master, pid)
        told = becomes(together, master, "backup", 8.0)
        assert told["mode"] == "passive"
        assert get(together, backup, "redundancy.backup_mode") == "active"
        assert holders.overlap() == 0
    together.qx(master, "mode", "active").check_returncode()
    assert ready(together) == backup


def test_a_healed_split_keeps_the_losers_settings(together: Lab) -> None:
    """R10: one Master, its settings everywhere; the loser's stand in a conflict snapshot, to be merged."""
    master = ready(together)
    backup = other(master)
    put(together, master, "extensions.201.name=Before")
    in_step(together)
    together.split()
    becomes(together, backup, "master", 10.0)
    assert role(together, master) == "master"
    put(together, master, "extensions.201.name=Stays", "extensions.202.name=OnlyHere")
    put(together, backup, "extensions.201.name=Loses", "extensions.203.name=OnlyThere")
    message = together.units[backup].root / "data/qx/voice/mailbox/message.wav"
    message.parent.mkdir(exist_ok=True)
    message.write_bytes(b"left during the split")
    wait_for(lambda: qx(together, backup)["sync"]["voice"]["files"] == 1, 10.0, "the file is known", 0.05)
    together.heal()
    assert ready(together) == master
    in_step(together, 20.0)
    for unit in UNITS:
        assert get(together, unit, "extensions.201.name") == "Stays"
        assert get(together, unit, "extensions.202.name") == "OnlyHere"
        assert get(together, unit, "extensions.203.name") == ""
    (found,) = json.loads(together.qx(backup, "conflict", "--json").stdout)
    number = str(found["number"])
    assert found["voice"] == ["mailbox/message.wav"]
    assert (
        together.units[master].root / "data/qx/voice/mailbox/message.wav"
    ).read_bytes() == message.read_bytes()
    done = together.qx(backup, "conflict", "diff", number)
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert "extensions.201.name: Stays → Loses" in shown and "extensions.203.name" in shown
    assert any("conflict" in one["name"].lower() for one in events(together, backup))
    together.qx(backup, "conflict", "drop", number).check_returncode()


@pytest.mark.parametrize("whose", ["backup", "master"])
def test_redundancy_disabled_beside_the_other_unit(together: Lab, whose: str) -> None:
    """R13: on either unit: never two holders; the unit is in fault and names who holds its address, the other
    one serves. Enabled again, the two are a pair."""
    master = ready(together)
    unit = other(master) if whose == "backup" else master
    with Holders(together) as holders:
        put(together, unit, "redundancy.enabled=false")
        told = becomes(together, unit, "fault", 10.0)
        assert "is held by the station" in told["why"], told["why"]
        becomes(together, other(unit), "master", 5.0)
        time.sleep(2.0)
        assert (role(together, unit), role(together, other(unit))) == ("fault", "master")
        assert holders.overlap() == 0
        put(together, unit, "redundancy.enabled=true")
        assert ready(together) == other(unit)
        assert holders.overlap() == 0


def test_a_unit_that_was_reset_is_confirmed_by_hand_on_both(together: Lab) -> None:
    """R5, R17: the same unit with a new certificate is no peer before somebody has said so on both; then it
    takes the Master's state."""
    master = ready(together)
    backup = other(master)
    put(together, master, "extensions.301.name=Kept")
    together.power_off(backup)
    unit = together.units[backup]
    unit.erase()
    unit.provision(QUICK)
    together.license(backup)
    unit.configure(QUICK)
    together.power_on(backup)

    def waits(which: str) -> bool:
        pin = json.loads(together.qx(which, "licence", "--json").stdout)["pin"]
        return bool(pin["waiting"] or pin["asked"])

    for which in UNITS:
        wait_for(lambda: waits(which), 10.0, f"unit {which} asks for a hand")  # noqa: B023
        assert any("Certificate changed" in one["name"] for one in events(together, which))
    wait_for(lambda: not qx(together, master)["peer"]["session"]["up"], 5.0, "the session before is over")
    assert get(together, backup, "extensions.301.name") == ""
    done = together.qx(master, "licence", "confirm")
    assert done.returncode == 0, done.stderr
    time.sleep(1.0)
    assert not qx(together, master)["peer"]["session"]["up"], "one hand is not enough"
    together.qx(backup, "licence", "confirm").check_returncode()
    assert ready(together, 15.0) == master
    assert get(together, backup, "extensions.301.name") == "Kept"
