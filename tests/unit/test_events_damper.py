# SPDX-License-Identifier: Apache-2.0
"""What of a flapping subject is told, and when (R34)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qx.events.damper import SETTLE, Damper


def test_a_change_after_quiet_is_told_at_once() -> None:
    """R34: a Backup that goes down is no flap."""
    damper: Damper[str] = Damper()
    assert damper.heard("x", "down", "d", 0.0)
    assert damper.heard("x", "up", "u", SETTLE)
    assert damper.heard("x", "down", "d", 2 * SETTLE)
    assert damper.due(100.0) == []


def test_a_change_too_soon_waits_until_it_has_lasted() -> None:
    """R34: at the limit, just below it, and once."""
    damper: Damper[str] = Damper()
    assert damper.heard("x", "down", "d", 0.0)
    assert not damper.heard("x", "up", "u", SETTLE - 0.001)
    assert damper.due(2 * SETTLE - 0.002) == []
    assert damper.due(2 * SETTLE) == ["u"]
    assert damper.due(3 * SETTLE) == []


def test_who_returns_to_what_was_told_has_nothing_to_tell() -> None:
    damper: Damper[str] = Damper()
    assert damper.heard("x", "up", "u", 0.0)
    assert not damper.heard("x", "down", "d", 1.0)
    assert not damper.heard("x", "up", "u", 2.0)
    assert damper.due(100.0) == []


def test_endless_flapping_is_told_once_until_it_rests() -> None:
    """R34: neither a word a flap nor a word an interval."""
    damper: Damper[str] = Damper()
    told = [t for t in range(100) if damper.heard("x", "up" if t % 2 else "down", f"{t}", float(t))]
    due = [what for t in range(100) for what in damper.due(float(t))]
    assert (told, due) == ([0], [])
    assert damper.due(99 + SETTLE) == ["99"]


def test_subjects_do_not_know_each_other() -> None:
    damper: Damper[str] = Damper()
    assert damper.heard("x", "down", "", 0.0)
    assert damper.heard("y", "down", "", 0.1)


@given(st.lists(st.tuples(st.floats(0.01, 12), st.sampled_from(("up", "down", "passive"))), max_size=60))
def test_what_was_told_last_is_what_is_true_once_it_rests(changes: list[tuple[float, str]]) -> None:
    """R34: whatever the rhythm, the last word is right, and no state is told twice without another between
    unless it was quiet before."""
    damper: Damper[str] = Damper()
    now, told = 0.0, []
    for pause, state in changes:
        until = now + pause
        while now + 1 < until:
            now += 1
            told += damper.due(now)
        now = until
        told += damper.due(now)
        if damper.heard("x", state, state, now):
            told.append(state)
    told += damper.due(now + SETTLE + 0.001)
    if changes:
        assert told[-1] == changes[-1][1]
    assert len(told) <= len(changes)
