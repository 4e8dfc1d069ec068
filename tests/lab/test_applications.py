# SPDX-License-Identifier: Apache-2.0
"""The scripts of master.d follow the role: in order, watched, and never on a Backup (R6, R20)."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from board.lab.network import UNITS
from board.lab.pair import Lab

from counts import count
from holders import Holders
from labtools import make_lab, other, qx, role, stays, wait_for
from pairs import QUICK, events, ready

# Writes what it is asked to `said` in its unit's root, and runs as a process whose id is in run/NAME.pid.
SCRIPT = """#!/bin/sh
name=$(basename "$0"); root=$(dirname "$0")/../../..; pid="$root/run/$name.pid"
alive() {{ [ -f "$pid" ] && kill -0 "$(cat "$pid")" 2>/dev/null; }}
[ "$1" = status ] || echo "$(date +%s.%N) $name $1" >> "$root/said"
case "$1" in
start)
    [ -e "$root/broken-$name" ] && exit 1
    sleep {pause}
    setsid sleep 1000 </dev/null >/dev/null 2>&1 &
    echo $! > "$pid"
    echo "$(date +%s.%N) $name started" >> "$root/said" ;;
stop) alive && kill "$(cat "$pid")"; rm -f "$pid" ;;
status) alive || exit 3 ;;
esac
exit 0
"""
SCRIPTS = {"S10first": 0.2, "S20left": 0.2, "S20right": 0.2, "S30last": 0}


def install(lab: Lab) -> None:
    for unit in lab.units.values():
        folder = unit.root / "etc" / "qx" / "master.d"
        folder.mkdir(exist_ok=True)
        for name, pause in SCRIPTS.items():
            (folder / name).write_text(SCRIPT.format(pause=pause))
            (folder / name).chmod(0o755)
        (folder / "README").write_text("no script\n")
        (folder / "S40not-executable").write_text("#!/bin/sh\ntouch $(dirname $0)/../../../wrong\n")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A quick pair with four scripts on each unit."""
    with make_lab("ap", tmp_path_factory.mktemp("applications")) as lab:
        lab.up(QUICK, power=False, fresh=True)
        install(lab)
        for unit in UNITS:
            lab.power_on(unit)
        all_run(lab, ready(lab))
        yield lab


def said(lab: Lab, unit: str) -> list[tuple[float, str, str]]:
    """What the unit's scripts were asked, and when: time, script, word."""
    file = lab.units[unit].root / "said"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(float(at), name, word) for at, name, word in (line.split() for line in lines)]


def forget(lab: Lab) -> None:
    for unit in lab.units.values():
        (unit.root / "said").unlink(missing_ok=True)


def states(lab: Lab, unit: str) -> list[str]:
    return [application["state"] for application in qx(lab, unit)["applications"]]


def all_run(lab: Lab, unit: str) -> None:
    wait_for(lambda: states(lab, unit) == ["running"] * 4, 10.0, "all applications run")


def process(lab: Lab, unit: str, name: str) -> int:
    return int((lab.units[unit].root / "run" / f"{name}.pid").read_text())


def running(lab: Lab, unit: str) -> list[str]:
    """Scripts whose process is there, by the process ids of this unit."""
    found: list[str] = []
    for name in SCRIPTS:
        try:
            os.kill(process(lab, unit, name), 0)
            found.append(name)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            continue
    return found


def order(lab: Lab, unit: str, word: str) -> list[str]:
    return [name for _, name, what in said(lab, unit) if what == word]


def test_started_in_order_and_together_within_a_number(serving: Lab) -> None:
    """R20: S10 before S20 before S30, both of S20 at once; none of them on the Backup (R6)."""
    master = ready(serving)
    names = [name for _, name, word in said(serving, master) if word == "start"]
    assert names[0] == "S10first" and names[-1] == "S30last" and sorted(names[1:3]) == ["S20left", "S20right"]
    at = {(name, word): moment for moment, name, word in said(serving, master)}
    assert at["S10first", "started"] <= min(at["S20left", "start"], at["S20right", "start"])
    assert max(at["S20left", "start"], at["S20right", "start"]) < min(
        at["S20left", "started"], at["S20right", "started"]
    )
    assert max(at["S20left", "started"], at["S20right", "started"]) <= at["S30last", "start"]
    assert running(serving, master) == list(SCRIPTS)
    assert not said(serving, other(master)) and not running(serving, other(master))
    assert not (serving.units[master].root / "wrong").exists()


def test_one_that_dies_is_started_again(serving: Lab) -> None:
    """R20: watched, restarted at once, counted; the others are left alone."""
    master = ready(serving)
    forget(serving)
    victim = process(serving, master, "S20left")
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: process(serving, master, "S20left") != victim, 5.0, "it is started again")
    all_run(serving, master)
    assert order(serving, master, "start") == ["S20left"]
    told = {a["name"]: a["restarts"] for a in qx(serving, master)["applications"]}
    assert told["left"] == 1 and told["right"] == 0
    assert ready(serving) == master


def test_a_daemon_that_dies_takes_them_along(serving: Lab) -> None:
    """R6, R20: its guardian stops them in reverse order, the new Master starts its own."""
    master = ready(serving)
    backup = other(master)
    forget(serving)
    serving.kill(master)
    wait_for(lambda: not running(serving, master), 5.0, "the dead daemon's applications are stopped")
    all_run(serving, backup)
    stopped = order(serving, master, "stop")
    assert [name[:3] for name in stopped] == ["S30", "S20", "S20", "S10"]
    assert ready(serving) == backup
    assert not running(serving, master) and not order(serving, master, "start")


def test_a_swap_stops_them_in_reverse_order(serving: Lab) -> None:
    """R20: at demotion, by the daemon itself."""
    master = ready(serving)
    forget(serving)
    serving.qx(master, "swap").check_returncode()
    all_run(serving, other(master))
    wait_for(lambda: len(order(serving, master, "stop")) >= 4, 5.0, "stopped on the old Master")
    assert [name[:3] for name in order(serving, master, "stop")][:4] == ["S30", "S20", "S20", "S10"]
    assert ready(serving) == other(master)
    assert not running(serving, master)


def test_kept_addresses_keep_the_applications(serving: Lab) -> None:
    """R9: with no Backup, a new daemon finds them running and starts none of them again."""
    master = ready(serving)
    backup = other(master)
    serving.power_off(backup)
    wait_for(lambda: qx(serving, master)["peer"]["state"] == "down", 5.0, "the Backup is down")
    forget(serving)
    before = [process(serving, master, name) for name in SCRIPTS]
    pid = serving.kill(master)
    wait_for(lambda: qx(serving, master).get("vrrp", {}).get("cause") == "resumed", 10.0, "resumed")
    all_run(serving, master)
    assert serving.units[master].daemon_pid() != pid
    assert [process(serving, master, name) for name in SCRIPTS] == before
    assert not said(serving, master), "nothing was stopped and nothing was started"
    serving.power_on(backup)
    assert ready(serving) == master
    assert not said(serving, backup)


def test_one_that_keeps_failing_moves_the_role(serving: Lab) -> None:
    """R20, R9: after its restarts the healthy Backup serves, and an event names the application."""
    master = ready(serving)
    broken = serving.units[master].root / "broken-S30last"
    broken.touch()
    try:
        with Holders(serving) as holders:
            os.kill(process(serving, master, "S30last"), signal.SIGKILL)
            wait_for(lambda: ready(serving) == other(master), 30.0, "the Backup has taken over", 0.3)
            assert holders.overlap() == 0
        all_run(serving, other(master))
        wait_for(lambda: not running(serving, master), 5.0, "stopped on the unit where one failed")
        names = [event["name"] + " " + event["description"] for event in events(serving, master)]
        assert any("Application failure last" in name for name in names), names
        time.sleep(2)
        assert ready(serving) == other(master), "and it stays there"
    finally:
        broken.unlink()


def test_one_that_fails_on_both_units_moves_the_role_once(serving: Lab) -> None:
    """R20: no ping-pong: the second unit keeps the role, says so, and serves once the application does."""
    serving.power_off(other(ready(serving)))  # it has not forgotten what failed in the test before
    serving.power_on("a")
    serving.power_on("b")
    master = ready(serving)
    broken = [unit.root / "broken-S30last" for unit in serving.units.values()]
    for file in broken:
        file.touch()
    try:
        os.kill(process(serving, master, "S30last"), signal.SIGKILL)
        backup = other(master)

        def stays_said() -> bool:
            return any(e["name"] == "Application failure on both devices" for e in events(serving, backup))

        wait_for(stays_said, 40.0, "the second unit says that it keeps the role", 0.3)
        stays(lambda: role(serving, backup) == "master", count(8, 300), "no ping-pong", 0.5)
        assert len([name for name in order(serving, backup, "start") if name == "S30last"]) > 4, "still tried"
    finally:
        for file in broken:
            file.unlink()
    wait_for(lambda: states(serving, backup) == ["running"] * 4, 10.0, "it runs once it can")
    assert ready(serving) == backup
