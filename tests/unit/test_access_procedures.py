# SPDX-License-Identifier: Apache-2.0
"""Restart, password reset and factory reset: who may, and what is asked first (R25, R41, Bad input)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from control_bench import STATUS, Bench
from test_cli import run

from qx.errors import Refusal
from qx.trust import presence

SERIAL = STATUS["serial"]
WHO = {"who": "command line"}


def refused(bench: Bench, operation: str, **arguments: Any) -> Refusal:
    with pytest.raises(Refusal) as error:
        bench.ask(operation, **arguments)
    return error.value


def test_the_button_counts_for_two_minutes() -> None:
    """At, below and above the limit; nothing odd in the file counts."""
    assert presence.left("100", 100) == presence.LASTS
    assert presence.left("100.01", 100) == presence.LASTS  # rounded up when it was written
    assert presence.left("100.00", 100 + presence.LASTS - 0.5) == 0.5
    assert presence.left("100", 100 + presence.LASTS) == 0
    assert presence.left("200", 100) == 0  # of another start
    for odd in ("", "yes", "nan", "-inf", "1e999", "100 200"):
        assert not presence.left(odd, 100), odd


def test_password_reset_wants_the_button(bench: Bench) -> None:
    """R30: physical presence. Afterwards the serial number lets in, and nothing else of the users changed."""
    for user in ("admin", "bob"):
        bench.ask("password_set", user=user, new="correct horse", change=False)
    bench.ask("set", changes={"users.admin.enabled": "false"})
    assert refused(bench, "password-reset", presence=True).reason == "presence"
    assert "the button" in str(refused(bench, "password-reset"))
    assert "the button" in str(refused(bench, "password-reset", who="console"))
    assert bench.ask("presence") == {"seconds": 0.0}
    presence.press(bench.unit.paths)
    assert 100 < bench.ask("presence")["seconds"] <= presence.LASTS
    bench.ask("password-reset", presence=True)
    assert bench.ask("login", user="admin", password=SERIAL, **{"from": "console"})["must_change"]
    assert not bench.ask("login", user="bob", password="correct horse", **{"from": "a"})["must_change"]
    assert [event.name for event in bench.unit.events.recent()] == ["Password reset"]
    bench.ask("password-reset", **WHO)  # once more: nothing to be done


def test_factory_reset_wants_the_serial_number_and_somebody_who_may(bench: Bench) -> None:
    """Bad input: nothing is wished where anything is missing."""
    paths = bench.unit.paths
    bench.ask("password_set", user="bob", new="correct horse", change=False)
    bench.ask("set", changes={"users.bob.role": "operator"})
    admin = {"user": "admin", "password": SERIAL, "from": "a"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "serial: expected QX200-000001"),
        ({"serial": "QX200-000002", **WHO}, "serial: expected"),
        ({"serial": SERIAL}, "expected a password, or the button"),
        ({"serial": SERIAL, "presence": True}, "the button on the unit"),
        ({"serial": SERIAL, **admin, "password": "guessed"}, "wrong user name or password"),
        ({"serial": SERIAL, **admin, "user": "bob", "password": "correct horse"}, "an administrator"),
        ({"serial": SERIAL, **WHO, "how": "hold"}, "hold: this device will not come back"),
        ({"serial": SERIAL, **WHO, "how": "later"}, "how: 'later'; expected one of hold, swap, now"),
    ]  # fmt: skip
    for arguments, said in cases:
        assert said in str(refused(bench, "factory-reset", **arguments))
        assert not paths.reset.exists()
    assert bench.unit.rebooted == []
    assert bench.ask("factory-reset", serial=SERIAL, **admin) == "This device restarts."
    assert paths.reset.exists()
    assert bench.unit.rebooted == [("", "factory reset")]


def test_a_factory_reset_that_is_not_decided_is_not_wished(bench: Bench) -> None:
    """R41: asked first; the wish must not wait on flash for the next restart."""
    bench.unit.ask_first = True
    error = refused(bench, "factory-reset", serial=SERIAL, **WHO)
    assert error.reason == "ask"
    assert "expected swap" in str(error)
    assert not bench.unit.paths.reset.exists()
    bench.ask("factory-reset", serial=SERIAL, how="swap", **WHO)
    assert bench.unit.rebooted == [("swap", "factory reset")]


def test_commands(bench: Bench) -> None:
    """R31, R41: `--hold|--swap`; where nobody can be asked hold, and no choice for a factory reset."""
    root = bench.unit.paths.root
    bench.unit.ask_first = True
    assert run("reboot", "--root", root) == (0, "This device restarts.\n", "")
    assert run("reboot", "--root", root, "--swap")[0] == 0
    assert run("reboot", "--root", root, "--now", "--json")[1] == '{"reboot": "This device restarts."}\n'
    assert [how for how, _ in bench.unit.rebooted] == ["hold", "swap", "now"]
    code, _, error = run("reboot", "--root", root, "--now", "--hold")
    assert (code, "--now: expected one of --hold, --swap, --now" in error) == (2, True)
    code, _, error = run("factory-reset", "--root", root, SERIAL)
    assert (code, "expected swap" in error) == (1, True)
    assert run("factory-reset", "--root", root)[0] == 2
    assert run("factory-reset", "--root", root, SERIAL, "--now")[0] == 0
    assert run("password-reset", "--root", root)[:2] == (
        0,
        "admin has the factory's password again; durable: this\n",
    )


def test_the_command_reads_a_new_password_from_stdin(bench: Bench) -> None:
    import os
    import subprocess
    import sys

    from test_cli import FIRMWARE

    def given(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "qx", "password", "--root", str(bench.unit.paths.root)],
            input=text, capture_output=True, text=True, check=False, timeout=30,
            env={**os.environ, "PYTHONPATH": str(FIRMWARE)},
        )  # fmt: skip

    assert given("").returncode == 1
    assert "expected 8 to 256" in given("short\n").stderr
    began = time.monotonic()
    assert given("correct horse\n").stdout == "admin: password changed; durable: this\n"
    assert not bench.ask("login", user="admin", password="correct horse", **{"from": "a"})["must_change"]
    print(f"{time.monotonic() - began:.1f} s")
