# SPDX-License-Identifier: Apache-2.0
"""Who guesses passwords waits, longer each time; nobody else does (R25). Time is made up."""

from __future__ import annotations

from qx.trust.lockout import ACCOUNT, ADDRESS, CONSOLE, KEPT, Lockout


def failures(lockout: Lockout, user: str, address: str, count: int, now: float = 0.0) -> float:
    """That many failures at once; the wait after the last."""
    return [lockout.failed(user, address, now) for _ in range(count)][-1]


def test_an_account_is_locked_after_some_failures_and_waits_double_up_to_a_minute() -> None:
    """R25: lockout with back-off; at, below and above the limit."""
    lockout = Lockout()
    assert failures(lockout, "admin", "10.0.0.9", ACCOUNT.free) == 0
    assert lockout.wait("admin", "10.0.0.9", 0.0) == 0
    waits = [lockout.failed("admin", f"10.0.0.{host}", 0.0) for host in range(20, 27)]
    assert waits == [5, 10, 20, 40, 60, 60, 60]
    assert lockout.wait("admin", "10.9.9.9", 59.0) == 1  # from anywhere
    assert lockout.wait("admin", "10.9.9.9", 60.0) == 0
    assert lockout.wait("bob", "10.9.9.9", 0.0) == 0


def test_an_address_that_tries_many_names_is_locked() -> None:
    lockout = Lockout()
    waits = [lockout.failed(f"user{n}", "10.0.0.9", 0.0) for n in range(ADDRESS.free + 10)]
    assert waits[: ADDRESS.free] == [0] * ADDRESS.free
    assert waits[ADDRESS.free :] == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert lockout.wait("somebody-else", "10.0.0.9", 1.0) == 899
    assert lockout.wait("user1", "10.0.0.8", 1.0) == 0


def test_failures_are_forgotten_after_a_while() -> None:
    lockout = Lockout()
    failures(lockout, "admin", "a", ACCOUNT.free)
    assert lockout.failed("admin", "b", ACCOUNT.forget + 1) == 0
    failures(lockout, "admin", "b", ACCOUNT.free - 1, ACCOUNT.forget + 1)
    assert lockout.failed("admin", "b", 2 * ACCOUNT.forget + 1) == 5


def test_the_right_password_forgives_the_account_and_not_what_was_tried_on_others() -> None:
    """Somebody with an account of his own does not guess another's between two logins of his."""
    lockout = Lockout()
    failures(lockout, "admin", "a", ACCOUNT.free)
    lockout.succeeded("admin", "a")
    assert failures(lockout, "admin", "a", ACCOUNT.free) == 0
    lockout.succeeded("admin", "a")
    for number in range(ADDRESS.free):
        assert lockout.failed(f"victim{number}", "a", 0.0) == 0
        lockout.succeeded("mallory", "a")
    assert lockout.failed("victim", "a", 0.0) == 5


def test_the_network_never_locks_an_account_on_the_serial_console() -> None:
    """Nor the other way round: who stands before the unit gets in."""
    lockout = Lockout()
    failures(lockout, "admin", "a", 50)
    assert lockout.wait("admin", CONSOLE, 0.0) == 0
    assert lockout.wait("admin", "b", 0.0) == 60
    failures(lockout, "bob", CONSOLE, 50)
    assert lockout.wait("bob", CONSOLE, 0.0) > 0
    assert lockout.wait("bob", "b", 0.0) == 0


def test_what_is_remembered_is_bounded() -> None:
    lockout = Lockout()
    for number in range(2 * KEPT):
        lockout.failed(f"user{number}", f"address{number}", 0.0)
    sizes = [len(counts._kept) for counts in (lockout._accounts, lockout._addresses)]
    assert sizes == [KEPT, KEPT]


def test_a_locked_key_is_not_forgotten_by_a_flood_of_others_from_one_address() -> None:
    """The address is what a flood of names fills: it is locked long before the table is full."""
    lockout = Lockout()
    tried = 0
    for number in range(10 * KEPT):
        if lockout.wait(f"user{number}", "a", 0.0) == 0:
            tried += 1
            lockout.failed(f"user{number}", "a", 0.0)
    assert tried == ADDRESS.free + 1
