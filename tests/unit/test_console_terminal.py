# SPDX-License-Identifier: Apache-2.0
"""The console on a pseudo-terminal, typed at by a script, against the real control socket (R30)."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from control_bench import STATUS, Bench, new_root

import qx
from counts import SOAK, choices
from qx.control import client
from qx.trust import presence
from terminals import Terminal

FACTORY = STATUS["serial"]
GOOD = "correct horse"
LOGIN = "login (? for help): "
CHOICE = "Choice: "
LINES = [(9600, "dumb"), (115200, "vt100")]
LINES += [(9600, "vt100"), (115200, "dumb")] if SOAK else []
SPEEDS = (9600, 115200) if SOAK else (115200,)
PATH = os.pathsep.join(p for p in sys.path if p)
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": f"{Path(qx.__file__).parent.parent}{os.pathsep}{PATH}",
    "TZ": "UTC",
}


@pytest.fixture
def bench(bench: Bench) -> Bench:
    bench.ask("password_set", user="admin", new=GOOD, change=False)
    return bench


def terminal(bench: Bench, **how: Any) -> Terminal:
    root = str(bench.unit.paths.root)
    return Terminal([sys.executable, "-m", "qx", "console", "--root", root], env=ENVIRONMENT, **how)


def log_in(found: Terminal, user: str = "admin", password: str = GOOD) -> None:
    found.sees(LOGIN)
    found.enter(user)
    found.sees("Password: ")
    found.enter(password)
    found.sees(CHOICE)


def get(bench: Bench, path: str) -> str:
    return client.call(bench.unit.paths, "get", {"paths": [path]})[0]["text"]


@pytest.mark.parametrize(("bits", "name"), LINES)
def test_a_walk_through_the_settings(bench: Bench, bits: int, name: str) -> None:
    """R30, R2: login, status, redundancy settings as one transaction, network; at a line's speed."""
    with terminal(bench, bits=bits, name=name) as line:
        log_in(line)
        line.enter("1")
        line.sees("Any key to go back.")
        line.type(" ")
        line.sees(CHOICE)
        line.enter("2")
        assert "Info: Current mode: Device is in Master mode" in line.sees("Enter to go back: ")
        values = {"1": "yes", "2": "18", "3": "10.77.0.1/24", "4": "10.77.0.2", "7": "p"}
        for number, value in values.items():
            line.enter(number)
            line.sees("empties it): ")
            line.enter(value)
            line.sees("s to save, Enter to go back: ")
        assert get(bench, "redundancy.group_id") == "1"  # nothing before it is saved
        line.enter("s")
        line.sees("Stored; this device has it.")
        line.sees("Enter to go back: ")
        line.enter("")
        line.sees(CHOICE)
        line.enter("3")
        assert "LAN" in line.sees("Enter to go back: ")
        line.enter("5")
        line.sees("empties it): ")
        line.enter("9.9.9.9,1.1.1.1")
        line.sees("s to save, Enter to go back: ")
        line.enter("save")
        line.sees("Stored")
        line.enter("")
        line.sees(CHOICE)
        line.enter("0")
        line.sees("Logged out.")
        line.sees(LOGIN)
        assert "\x1b" not in line.all() or name == "vt100"
        assert max(map(len, line.shown().replace("\r", "").split("\n"))) <= 80
        assert GOOD not in line.all()
    settings = bench.unit.store.settings
    assert settings.flag("redundancy.enabled")
    assert settings.number("redundancy.group_id") == 18
    assert settings.text("redundancy.virtual_ip") == "10.77.0.1/24"
    assert settings.text("redundancy.backup_mode") == "passive"
    assert settings.words("network.dns") == ("9.9.9.9", "1.1.1.1")
    who = client.call(bench.unit.paths, "log")[-1]["who"]
    assert who == "admin (console)"


def test_values_that_are_none_are_named_and_change_nothing(bench: Bench) -> None:
    """Bad input: the field's own words, at the field and at the whole."""
    with terminal(bench) as line:
        log_in(line)
        line.enter("2")
        line.sees("go back: ")
        for value in ("0", "256", "x", "1" * 2000, "-"):
            line.enter("2")
            line.sees("empties it): ")
            line.enter(value)
            line.sees("expected a whole number from 1 to")
            line.sees("it stays as it was")
        line.enter("99")
        line.sees("'99': expected a number of the list")
        line.enter("1")
        line.sees("empties it): ")
        line.enter("yes")
        line.enter("s")
        assert "redundancy.virtual_ip" in line.sees("go back: ") + line.sees("go back: ")
        line.enter("")
        line.sees("not stored. Leave them? (yes/no)")
        line.enter("yes")
        line.sees(CHOICE)
    assert bench.unit.store.revision == 1  # the password's


def test_no_login_without_a_password_and_the_factorys_is_replaced_first(bench: Bench) -> None:
    """R25, R30."""
    client.call(bench.unit.paths, "unset", {"paths": ["users.admin"]})
    with terminal(bench) as line:
        line.sees(LOGIN)
        for user, password in (("admin", ""), ("admin", GOOD), ("nobody", "x"), ("admin", FACTORY.lower())):
            line.enter(user)
            line.sees("Password: ")
            line.enter(password)
            line.sees("Wrong user name or password")
            line.sees(LOGIN)
        line.enter("")
        line.sees(LOGIN)
        line.enter("x" * 40)
        line.sees("Expected a user name of at most 32 characters.")
        line.enter("admin")
        line.enter(FACTORY)
        line.sees("New password: ")
        line.enter("short")
        line.enter("short")
        line.sees("Not done: new password: 5 characters; expected 8 to 256")
        line.sees(LOGIN)  # not in
        line.enter("admin")
        line.enter(FACTORY)
        line.sees("New password: ")
        line.type("\x03")
        line.sees(LOGIN)
        assert CHOICE not in line.all()
        line.enter("admin")
        line.enter(FACTORY)
        line.sees("New password: ")
        line.enter(GOOD)
        line.enter(GOOD)
        line.sees(CHOICE)
        assert not {GOOD, FACTORY + "\r"} & {line.all()}
    assert GOOD not in line.all()


def test_an_operator_changes_nothing(bench: Bench) -> None:
    client.call(bench.unit.paths, "password_set", {"user": "bob", "new": GOOD, "change": False}, 30)
    client.call(bench.unit.paths, "set", {"changes": {"users.bob.role": "operator"}})
    with terminal(bench) as line:
        log_in(line, "bob")
        for choice in "4579":
            line.enter(choice)
            line.sees("expected an administrator; bob is an operator")
            line.sees(CHOICE)
        line.enter("2")
        line.sees("Number to read about, Enter to go back: ")
        line.enter("2")
        assert "New value" not in line.sees("Number to read about, Enter to go back: ")
        line.enter("s")
        line.sees("'s': expected a number of the list")
    assert bench.unit.rebooted == []


def test_events_are_told_above_the_prompt_and_the_typed_stays(bench: Bench) -> None:
    """R30, R32: with what was typed printed again behind the prompt; names alone before the login."""
    events = bench.unit.events
    with terminal(bench) as line:
        line.sees(LOGIN)
        time.sleep(0.5)  # it follows
        events.add("critical", "Backup device is DOWN", "nothing was heard of \x1b[2J it")
        line.sees("critical: Backup device is DOWN\r\n")
        line.sees(LOGIN)
        line.enter("admin")
        line.enter(GOOD)
        line.sees(CHOICE)
        line.type("1")
        line.sees("1")
        events.add("success", "Takeover", "unit \x1b[2J QX200-000002")
        line.sees("success: Takeover: unit ?[2J QX200-000002\r\n")
        line.sees(f"{CHOICE}1")
        line.type("\x7f6\r")
        assert "Backup device is DOWN" in line.sees(CHOICE)
        assert "\x1b[2J" not in line.all()


@pytest.mark.parametrize("bits", SPEEDS)
def test_ctrl_c_leads_back_from_everywhere(bench: Bench, bits: int) -> None:
    """R30: from each page, each question and the middle of a word; the process lives."""
    with terminal(bench, bits=bits) as line:
        for keys in ("", "ad", "admin\r", "admin\rsec"):
            line.sees(LOGIN)
            line.type(keys)
            line.type("\x03")
        log_in(line)
        for keys in ("2\r", "2\r2\r", "2\r2\r18\r", "7\r", "8\r", f"9\r{FACTORY}\r", "3\r5\r9.9", "x", "4\r"):
            line.type(keys)
            time.sleep(0.3)
            line.type("\x03\x03\x03")
            line.enter("nonsense")
            line.sees("'nonsense': expected a number from 0 to 9")
            line.sees(CHOICE)
        line.type("\x04")
        line.sees(CHOICE)
        assert line.process.poll() is None
    assert bench.unit.rebooted == []
    assert bench.unit.store.revision == 1


@pytest.mark.parametrize("bits", SPEEDS)
def test_garbage_leaves_it_sane(bench: Bench, bits: int) -> None:
    """R30: noise at a wrong speed, at the login and in a menu, and a break; then a login as ever."""
    random = choices("console garbage")
    with terminal(bench, bits=bits) as line:
        line.sees(LOGIN)
        noise = bytes(octet for octet in random.randbytes(6000) if octet not in b"\r\n")
        line.type(noise[:3000])
        line.type(b"\x03")
        log_in(line)
        line.type(noise[3000:])
        line.type(b"\x1b[\x1bO\x1b\x03")
        line.enter("nonsense")
        line.sees("'nonsense': expected")
        line.enter("0")
        line.sees("Logged out.")
        assert line.process.poll() is None
    assert bench.unit.store.revision == 1


@pytest.mark.parametrize("bits", SPEEDS)
@pytest.mark.parametrize("keys", ["", "admin\r", f"admin\r{GOOD}\r", f"admin\r{GOOD}\r2\r2\r", "1"])
def test_a_hang_up_ends_it_and_the_next_one_asks_for_a_password(bench: Bench, keys: str, bits: int) -> None:
    """R30: wherever it was; an orderly end, that init starts anew."""
    with terminal(bench, bits=bits) as line:
        line.sees(LOGIN)
        line.type(keys)
        time.sleep(0.5)
        line.hang_up()
        assert line.ends() in (0, -1)  # -1: SIGHUP before it looked
        assert line.process.stderr.read() == b""  # type: ignore[union-attr]
    with terminal(bench) as line:
        line.sees(LOGIN)
        line.enter("1")
        line.sees("Password: ")


def test_sigterm_leaves_the_line_as_it_was(bench: Bench) -> None:
    with terminal(bench) as line:
        line.sees(LOGIN)
        line.stop()
        assert line.ends() == 0


def test_restart_asks_what_becomes_of_the_role(bench: Bench) -> None:
    """R41: hold is the default, cancel does nothing."""
    bench.unit.ask_first = True
    with terminal(bench) as line:
        log_in(line)
        both = ["hold", "swap"]
        for said, expected in (("cancel", []), ("", ["hold"]), ("sw", both), ("x", both)):
            line.enter("7")
            line.enter("yes")
            line.sees("Which (hold)? ")
            line.enter(said)
            line.sees("This device restarts." if said in ("", "sw") else "Cancelled; nothing was done.")
            line.sees(CHOICE)
            assert [how for how, _ in bench.unit.rebooted] == expected


def test_password_reset_and_factory_reset_at_the_door_want_the_button(bench: Bench) -> None:
    """R30: physical presence."""
    with terminal(bench) as line:
        line.sees(LOGIN)
        line.enter("?")
        line.enter("1")
        line.sees("Press the button on this device")
        line.enter("?")
        line.enter("2")
        line.enter(FACTORY)
        line.sees("Not done: factory reset: expected the button on the unit to be pressed")
        presence.press(bench.unit.paths)
        line.enter("?")
        line.enter("1")
        line.enter("yes")
        line.sees("Log in as admin with the serial number on the label.")
        line.sees(LOGIN)
        line.enter("admin")
        line.enter(FACTORY)
        line.sees("New password: ")
        line.type("\x03")
        line.enter("?")
        line.enter("2")
        line.enter(FACTORY)
        line.sees("This device restarts.")
    assert bench.unit.rebooted == [("", "factory reset")]
    assert bench.unit.paths.reset.exists()


def test_without_a_daemon_nobody_comes_in(tmp_path: Path) -> None:
    """R30: it waits for the daemon, and takes part when it is there; the prompt says so, and keeps what was
    typed."""
    root = new_root(tmp_path / "a")
    argv = [sys.executable, "-m", "qx", "console", "--root", str(root)]
    with Terminal(argv, env=ENVIRONMENT) as line:
        line.sees(f"Device that is not ready, {LOGIN}")
        line.enter("admin")
        line.enter(FACTORY)
        line.sees("This device is not ready: no daemon runs")
        line.sees(LOGIN)
        line.type("adm")
        with Bench(root):
            line.sees(f"QX200 QX200-000001 (master) {LOGIN}adm")
            line.enter("in")
            line.enter(FACTORY)
            line.sees("New password: ")
            line.type("\x03")
            line.sees(LOGIN)
        line.sees(f"Device that is not ready, {LOGIN}")


def test_a_line_that_is_none_is_refused(tmp_path: Path) -> None:
    from test_cli import run

    assert run("console", "--root", tmp_path, "--line", tmp_path / "no")[0] == 1
    assert "expected a terminal" in run("console", "--root", tmp_path, "--line", "/dev/null")[2]
    assert run("console", "--root", tmp_path, "--speed", "1200")[0] == 2


def test_who_types_nothing_is_logged_out(bench: Bench) -> None:
    """R25: session expiry; any key begins the time anew."""
    impatient = (
        "import sys; from qx.console import session; session.IDLE = session.TYPING = 1.0; "
        "from qx.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    argv = [sys.executable, "-c", impatient, "console", "--root", str(bench.unit.paths.root)]
    with Terminal(argv, env=ENVIRONMENT) as line:
        line.sees(LOGIN)
        time.sleep(1.5)  # this prompt waits
        line.enter("admin")
        line.sees("Nothing was typed for a while.")
        log_in(line)
        for key in "6666":
            time.sleep(0.5)
            line.type(key)
        assert "Nothing" not in line.unread()
        line.sees("Nothing was typed for a while.")
        line.sees(LOGIN)
