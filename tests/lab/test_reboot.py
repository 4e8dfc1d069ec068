# SPDX-License-Identifier: Apache-2.0
"""Restarts of a Master with an active Backup, logins on a pair, and the factory reset (R25, R41)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from board.lab.pair import Lab

from holders import Holders
from labtools import memory, other, qx, wait_for
from language_packs import PACK
from pairs import QUICK, events, get, in_step, outage, pair, probing, ready, restarted
from qx.control import client
from qx.errors import Refusal
from qx.paths import Paths
from terminals import Terminal


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("rb", tmp_path_factory.mktemp("reboot"), QUICK) as found:
        yield found


def ask(lab: Lab, unit: str, operation: str, **arguments: Any) -> Any:
    return client.call(Paths(lab.units[unit].root), operation, arguments, 30)


def resident(lab: Lab, unit: str) -> int:
    """KiB of the daemon."""
    return memory(lab.units[unit].daemon_pid())


def test_who_logs_in_on_a_pair(lab: Lab) -> None:
    """R25: users are the Master's; the daemon's memory is not Argon2's, whose 12 MiB are a child's."""
    master = ready(lab)
    backup = other(master)
    serial = qx(lab, master)["serial"]
    before = resident(lab, master)
    told = ask(lab, master, "login", user="admin", password=serial, **{"from": "10.77.0.50"})
    assert told == {"role": "administrator", "must_change": True}
    ask(lab, master, "password", user="admin", old=serial, new="correct horse")
    assert resident(lab, master) < before + 3000
    in_step(lab)
    told = ask(lab, backup, "login", user="admin", password="correct horse", **{"from": "10.77.0.50"})
    assert told == {"role": "administrator", "must_change": False}
    with pytest.raises(Refusal, match="read-only on a unit in role backup"):
        ask(lab, backup, "password", user="admin", old="correct horse", new="battery staple")
    lab.units[backup].press()
    with pytest.raises(Refusal, match="read-only on a unit in role backup"):
        ask(lab, backup, "password-reset", presence=True)
    lab.units[master].press()
    ask(lab, master, "password-reset", presence=True)
    assert ask(lab, master, "login", user="admin", password=serial, **{"from": "console"})["must_change"]


def test_a_master_with_an_active_backup_asks_first(lab: Lab) -> None:
    """R41: without an answer nothing happens."""
    master = ready(lab)
    pid = lab.units[master].daemon_pid()
    with pytest.raises(Refusal, match=r"expected hold .*, swap .* or now") as refused:
        ask(lab, master, "reboot")
    assert refused.value.reason == "ask"
    time.sleep(0.5)
    assert lab.units[master].daemon_pid() == pid


def test_hold_is_the_default_and_the_master_comes_back(lab: Lab) -> None:
    """R41: the Backup waits and is active again afterwards; at no time two hold the address."""
    master = ready(lab)
    pid = lab.units[master].daemon_pid()
    with Holders(lab) as holders:
        done = lab.qx(master, "reboot")
        assert done.stdout == "This device restarts; the Backup device waits for it.\n", done.stderr
        assert restarted(lab, master, pid) == master
        assert holders.overlap() == 0
    assert qx(lab, other(master))["mode"] == "active"


def test_swap_first(lab: Lab) -> None:
    """R41: the telephone stays."""
    master = ready(lab)
    pid = lab.units[master].daemon_pid()
    with probing(lab) as probe:
        moment = time.monotonic()
        assert lab.qx(master, "reboot", "--swap", timeout=30).returncode == 0
        silence = outage(probe, moment)
    assert silence < 500
    assert restarted(lab, master, pid) == other(master)


def test_a_backup_is_asked_nothing(lab: Lab) -> None:
    backup = other(ready(lab))
    pid = lab.units[backup].daemon_pid()
    assert lab.qx(backup, "reboot").stdout == "This device restarts.\n"
    assert restarted(lab, backup, pid) == other(backup)


def mismatches(lab: Lab, unit: str) -> list[dict[str, str]]:
    return [one for one in qx(lab, unit).get("mismatches", []) if one["parameter"] == "language"]


def test_another_language_pack_on_one_unit_is_a_mismatch(lab: Lab) -> None:
    """R5, R39: shown on both by name, without a change of roles; gone when both have the same."""
    master = ready(lab)
    backup = other(master)
    pids = [lab.units[unit].daemon_pid() for unit in (master, backup)]
    ask(lab, backup, "langpack_install", pack=PACK)
    for unit in (master, backup):
        wait_for(lambda unit=unit: mismatches(lab, unit), 5.0, "the language is named")
    assert mismatches(lab, master) == [{"parameter": "language", "ours": "none", "theirs": "Deutsch 1.2"}]
    ask(lab, master, "langpack_install", pack=PACK)
    wait_for(lambda: not (mismatches(lab, master) or mismatches(lab, backup)), 5.0, "they are the same")
    assert ready(lab) == master
    assert [lab.units[unit].daemon_pid() for unit in (master, backup)] == pids


def test_the_console_swaps_and_tells_what_happens(lab: Lab) -> None:
    """R30 on a pair: mode, swap, and events above the prompt; the console outlives the daemon's restart."""
    master = ready(lab)
    serial = qx(lab, master)["serial"]
    argv = [str(lab.units[master].executable), "console", "--root", str(lab.units[master].root)]
    pid = lab.units[master].daemon_pid()
    with Terminal(argv, bits=115200) as line:
        line.sees("login (? for help): ")
        line.enter("admin")
        line.sees("Password: ")
        line.enter(serial)
        line.sees("New password: ")
        line.enter("battery staple")
        line.enter("battery staple")
        line.sees("Choice: ")
        line.enter("4")
        line.sees("Only a Backup device is active or passive.")
        line.sees("Choice: ")
        line.enter("5")
        line.sees("Swap Master Device? (yes/no) ")
        line.enter("yes")
        line.sees("The Backup device is Master now; this device restarts as Backup.", 30)
        line.sees("Choice: ")
        assert restarted(lab, master, pid) == other(master)
        line.enter("4")
        line.sees("Device is in Backup mode (Active)")
        line.sees("Set the Backup Device Mode to passive? (yes/no) ")
        line.enter("yes")
        line.sees("The Backup Device Mode is passive.")
        wait_for(lambda: qx(lab, master)["mode"] == "passive", 5.0, "it is passive")
        line.enter("4")
        line.enter("yes")
        line.sees("The Backup Device Mode is active.")
        line.sees("Choice: ")
        ready(lab)  # one that has not heard the Master yet would not call it a takeover
        lab.power_off(other(master))
        line.sees("Takeover: this device is Master", 20)
    lab.power_on(other(master))
    assert ready(lab) == master


def test_factory_reset_of_a_master(lab: Lab) -> None:
    """R41: the Backup is Master first; what was the Master's comes back with nothing but its name. The last
    one of this file: the two are no pair afterwards."""
    master = ready(lab)
    unit = lab.units[master]
    serial, pid = qx(lab, master)["serial"], unit.daemon_pid()
    (unit.root / "data/qx/voice").mkdir(exist_ok=True)
    (unit.root / "data/qx/voice/greeting.wav").write_text("of the old owner")
    in_step(lab)
    done = lab.qx(master, "factory-reset", serial)
    assert (done.returncode, "expected swap" in done.stderr) == (1, True)
    assert lab.qx(master, "factory-reset", serial, "--swap", timeout=30).returncode == 0
    wait_for(lambda: qx(lab, other(master)).get("role") == "master", 5.0, "the other one is Master")
    # Its default LAN address is the one of the pair, so it claims none (R1).
    wait_for(lambda: (qx(lab, master) or {}).get("role") == "fault", 10.0, "it stands aside")
    assert unit.daemon_pid() != pid
    assert qx(lab, master)["serial"] == serial
    assert get(lab, master, "redundancy.enabled") == "false"
    assert not list((unit.root / "data").rglob("*.wav"))
    assert "Factory reset done" in [event["name"] for event in events(lab, master)]
    assert qx(lab, other(master))["role"] == "master"
