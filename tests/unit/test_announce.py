# SPDX-License-Identifier: Apache-2.0
"""R9, R10: when the gratuitous ARP set is sent: at once, repeated, for ever, and never in a storm."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from machine import MS, SECOND

from _qx import ffi, lib

START = 50 * SECOND
SEQUENCE = [20 * MS, 200 * MS, SECOND, 5 * SECOND, 20 * SECOND]


def started() -> Any:
    announce = ffi.new("struct qx_announce *")
    lib.qx_announce_start(announce, START)
    return announce


def sets_until(announce: Any, end: int) -> list[int]:
    """When sets go out, for a loop that wakes exactly when one is due; ns after START."""
    sent: list[int] = []
    while announce.due and announce.due <= end:
        now = announce.due
        assert lib.qx_announce_due(announce, now)
        assert announce.due > now, "the next one lies ahead"
        sent.append(now - START)
    return sent


def test_the_sequence_after_becoming_master() -> None:
    """R9: 20 ms, 200 ms, 1 s, 5 s and 20 s after the first set, then once a minute."""
    minutes = [20 * SECOND + 60 * SECOND * n for n in range(1, 4)]
    assert sets_until(started(), START + 200 * SECOND) == SEQUENCE + minutes


def test_not_due_before_its_time() -> None:
    """R9: a nanosecond early is early, and asking changes nothing."""
    announce = started()
    assert not lib.qx_announce_due(announce, START)
    assert not lib.qx_announce_due(announce, START + 20 * MS - 1)
    assert lib.qx_announce_due(announce, START + 20 * MS)
    assert not lib.qx_announce_due(announce, START + 20 * MS)


def test_lateness_makes_no_burst() -> None:
    """R9: sets that were missed are one set."""
    announce = started()
    assert lib.qx_announce_due(announce, START + 3 * SECOND)
    assert sets_until(announce, START + 30 * SECOND) == [5 * SECOND, 20 * SECOND]


def test_stopped_is_stopped() -> None:
    """R11: who is Master no more announces nothing, whatever is heard."""
    announce = started()
    lib.qx_announce_stop(announce)
    lib.qx_announce_again(announce, START + SECOND)
    assert announce.due == 0
    assert not lib.qx_announce_due(announce, START + 100 * SECOND)


def test_never_started_is_silent() -> None:
    """R6: a Backup that hears a lower Master announces nothing."""
    announce = ffi.new("struct qx_announce *")
    lib.qx_announce_again(announce, START)
    assert (announce.due, lib.qx_announce_due(announce, START + 100 * SECOND)) == (0, False)


def test_a_lower_master_is_corrected_at_once_and_again() -> None:
    """R10: somebody else announced our address: a set now, and another a second later (keepalived #277)."""
    announce = started()
    sets_until(announce, START + 100 * SECOND)
    heard = START + 110 * SECOND
    lib.qx_announce_again(announce, heard)
    assert announce.due == heard
    assert sets_until(announce, heard + 4 * SECOND) == [110 * SECOND, 111 * SECOND]


def test_a_correction_follows_a_set_by_a_second() -> None:
    """R10: the limit counts from whatever set went out last."""
    announce = started()
    assert sets_until(announce, START + 80 * SECOND)[-1] == 80 * SECOND
    lib.qx_announce_again(announce, START + 80 * SECOND + 200 * MS)
    after = sets_until(announce, START + 83 * SECOND)
    assert after == [81 * SECOND, 82 * SECOND]


@given(st.lists(st.integers(0, 2 * SECOND), max_size=60), st.integers(0, 30 * SECOND))
def test_corrections_are_never_more_than_one_a_second(pauses: list[int], first: int) -> None:
    """R9: however often a lower Master is heard; only the sequence of a new Master is quicker."""
    announce, now, sent = started(), START + SECOND + first, []
    sent += sets_until(announce, now)
    for pause in pauses:
        now += pause
        sent += sets_until(announce, now)
        lib.qx_announce_again(announce, now)
        assert announce.due <= max(now, START + sent[-1] + SECOND), "and it is not put off either"
    sent += sets_until(announce, now + 100 * SECOND)
    steady = [each for each in sent if each >= SECOND]
    gaps = [later - earlier for earlier, later in pairwise(steady)]
    assert all(SECOND <= gap <= 60 * SECOND for gap in gaps), gaps
