# SPDX-License-Identifier: Apache-2.0
"""Logins through the real control socket, passwords hashed by the real child process (R25)."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from control_bench import STATUS, Bench

from qx.control import access_operations, client
from qx.errors import Refusal
from qx.trust import account
from qx.trust.account import LENGTH_MAX, LENGTH_MIN
from qx.trust.lockout import ACCOUNT
from qx.trust.password import Password, matches

FACTORY = STATUS["serial"]
GOOD = "correct horse"


def login(bench: Bench, user: str, password: str, where: str = "10.0.0.9") -> dict[str, Any]:
    asked = {"user": user, "password": password, "from": where}
    return client.call(bench.unit.paths, "login", asked, 30)


def change(bench: Bench, old: str, new: str, user: str = "admin") -> Any:
    return client.call(bench.unit.paths, "password", {"user": user, "old": old, "new": new, "from": "a"}, 30)


def reason(bench: Bench, user: str, password: str, where: str = "10.0.0.9") -> str:
    with pytest.raises(Refusal) as refused:
        login(bench, user, password, where)
    assert password not in str(refused.value) or len(password) < 4
    return refused.value.reason


def test_the_factorys_password_lets_in_and_must_be_changed(bench: Bench) -> None:
    """R25: the serial number on the label, until admin has a password of his own; then it does not count."""
    assert login(bench, "admin", FACTORY) == {"role": "administrator", "must_change": True}
    assert reason(bench, "admin", FACTORY.lower()) == "wrong"
    assert reason(bench, "operator", FACTORY) == "wrong"
    change(bench, FACTORY, GOOD)
    assert login(bench, "admin", GOOD) == {"role": "administrator", "must_change": False}
    assert reason(bench, "admin", FACTORY) == "wrong"
    stored = bench.unit.store.settings.text("users.admin.password")
    assert matches(Password(stored), GOOD)


def test_a_password_that_an_administrator_gave_must_be_changed(bench: Bench) -> None:
    asked = {"user": "bob", "new": GOOD, "who": "admin"}
    client.call(bench.unit.paths, "password_set", asked, 30)
    client.call(bench.unit.paths, "set", {"changes": {"users.bob.role": "operator"}})
    assert login(bench, "bob", GOOD) == {"role": "operator", "must_change": True}
    change(bench, GOOD, GOOD * 2, "bob")
    assert login(bench, "bob", GOOD * 2) == {"role": "operator", "must_change": False}
    client.call(bench.unit.paths, "set", {"changes": {"users.bob.enabled": "false"}})
    assert reason(bench, "bob", GOOD * 2) == "wrong"
    log = client.call(bench.unit.paths, "log")
    assert GOOD not in repr(log)


@pytest.mark.parametrize(
    "new",
    ["x" * (LENGTH_MIN - 1), "xy" * LENGTH_MAX, FACTORY, FACTORY.lower(), "xxxxxxxx", "xyxyxyxy"],
)
def test_a_new_password_that_is_guessed_at_once_is_refused(bench: Bench, new: str) -> None:
    """Bad input: the field is named, and nothing changed. At the limits it is taken."""
    with pytest.raises(Refusal, match=r"new password: .*expected") as refused:
        change(bench, FACTORY, new)
    assert new not in str(refused.value)
    assert login(bench, "admin", FACTORY)["must_change"]


def test_the_limits_of_length_themselves(bench: Bench) -> None:
    for count in (LENGTH_MIN, LENGTH_MAX):
        text = ("aä1" * LENGTH_MAX)[:count]
        client.call(bench.unit.paths, "password_set", {"user": "bob", "new": text, "change": False}, 30)
        assert not login(bench, "bob", text)["must_change"]
    with pytest.raises(Refusal, match="it is the old one"):
        change(bench, text, text, "bob")


def test_a_locked_account_is_refused_before_anything_is_hashed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R25: even the right password; an event says so once a lock, without the password."""
    for _ in range(ACCOUNT.free + 1):
        assert reason(bench, "admin", "guessed-wrong") == "wrong"
    monkeypatch.setattr(access_operations.child, "command", lambda *_: ["/bin/false"])
    assert reason(bench, "admin", FACTORY) == "locked"
    assert reason(bench, "admin", FACTORY, "10.0.0.7") == "locked"
    monkeypatch.undo()
    assert login(bench, "admin", FACTORY, "console")["must_change"]
    lockouts = [event for event in bench.unit.events.recent() if event.name == "Login lockout"]
    assert len(lockouts) == 1
    assert "'admin' from 10.0.0.9" in lockouts[0].description
    assert "guessed" not in lockouts[0].description


def test_those_who_guess_at_once_are_locked_while_they_wait(bench: Bench) -> None:
    """The lock counts for those that were let in before it: of many at once only a few are hashed."""
    reasons: list[str] = []
    guesses = [
        threading.Thread(target=lambda: reasons.append(reason(bench, "admin", "guessed"))) for _ in range(9)
    ]
    for guess in guesses:
        guess.start()
    for guess in guesses:
        guess.join()
    assert reasons.count("wrong") == ACCOUNT.free + 1
    assert reasons.count("locked") == 9 - reasons.count("wrong")


def test_a_full_queue_answers_busy_and_the_daemon_goes_on(bench: Bench) -> None:
    """Must show: 10,000 logins; the daemon answers within a second throughout."""
    reasons: list[str] = []

    def guess(number: int) -> None:
        reasons.append(reason(bench, f"user{number}", "guessed", f"10.0.1.{number}"))

    guesses = [threading.Thread(target=guess, args=(number,)) for number in range(24)]
    for one in guesses:
        one.start()
    slowest = 0.0
    while any(one.is_alive() for one in guesses):
        began = time.monotonic()
        client.call(bench.unit.paths, "status")
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.02)
    assert reasons.count("busy") >= 24 - access_operations.QUEUE - 6
    assert reasons.count("wrong") >= access_operations.QUEUE
    assert slowest < 1.0


@pytest.mark.parametrize(
    ("field", "value"),
    [("user", ""), ("user", "x" * 33), ("user", 7), ("user", "a\nb"), ("from", "x" * 65), ("from", "\x1b[2J"),
     ("password", 7), ("password", None)],
)  # fmt: skip
def test_bad_arguments_are_named(bench: Bench, field: str, value: object) -> None:
    asked: dict[str, Any] = {"user": "admin", "password": "x", "from": "a", field: value}
    with pytest.raises(Refusal, match=f"^{field}: expected"):
        client.call(bench.unit.paths, "login", asked)


@pytest.mark.parametrize("user", ["a.b", "../x", "admin.role", "ADMIN", "é", "<user>", "a b"])
def test_odd_names_are_nobody(bench: Bench, user: str) -> None:
    assert reason(bench, user, "guessed") == "wrong"
    assert account.find(bench.unit.store.settings, user) is None


def test_a_process_of_another_user_sees_no_password(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """R17 in spirit: the child has its request from standard input, not from its command line."""
    seen: list[str] = []
    make = access_operations.child.command

    def watched(*argv: str) -> list[str]:
        seen.append(" ".join(make(*argv)))
        return make(*argv)

    monkeypatch.setattr(access_operations.child, "command", watched)
    login(bench, "admin", FACTORY)
    assert seen
    assert FACTORY not in seen[0]
