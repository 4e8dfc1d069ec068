# SPDX-License-Identifier: Apache-2.0
"""R1: an address is asked for before it is claimed (RFC 5227 2.1.1)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine import MS, SECOND, number

from _qx import ffi, lib

START = 50 * SECOND
ADDRESS, OTHER = number("10.77.0.100"), number("10.77.0.7")
MAC = bytes.fromhex("020000000005")
IDLE, RUNNING = lib.QX_PROBE_IDLE, lib.QX_PROBE_RUNNING
CLEAR, CONFLICT = lib.QX_PROBE_CLEAR, lib.QX_PROBE_CONFLICT


def started(*, shared: bool = False, spread: int = 0) -> Any:
    probe = ffi.new("struct qx_probe *")
    lib.qx_probe_start(probe, ADDRESS, shared, START, spread)
    return probe


def probes_until(probe: Any, end: int) -> list[int]:
    """When probes are sent, for a loop that wakes when it must; ns after START."""
    sent: list[int] = []
    while probe.due and probe.due <= end:
        now = probe.due
        if lib.qx_probe_timer(probe, now):
            sent.append(now - START)
        assert probe.due == 0 or probe.due > now
    return sent


def heard(probe: Any, now: int, sender: int, target: int, mac: bytes = MAC) -> bool:
    return lib.qx_probe_heard(probe, now, sender, target, mac)


@pytest.mark.parametrize("spread", [0, 1, 200 * MS])
def test_three_probes_and_a_wait(spread: int) -> None:
    """R1: 0.2 s apart, then 0.4 s of listening, then the address is free."""
    probe = started(spread=spread)
    assert probes_until(probe, START + spread + 800 * MS - 1) == [spread + at * MS for at in (0, 200, 400)]
    assert probe.state == RUNNING
    probes_until(probe, START + spread + 800 * MS)
    assert (probe.state, probe.due) == (CLEAR, 0)
    assert not lib.qx_probe_timer(probe, START + 100 * SECOND)


def test_not_before_its_time() -> None:
    """R1: the timer asked early sends nothing and changes nothing."""
    probe = started(spread=100 * MS)
    assert not lib.qx_probe_timer(probe, START + 100 * MS - 1)
    assert (probe.state, probe.sent, probe.due) == (RUNNING, 0, START + 100 * MS)


@pytest.mark.parametrize("target", [ADDRESS, OTHER, 0])
@pytest.mark.parametrize("shared", [True, False])
def test_any_packet_from_the_address_is_a_conflict(target: int, shared: bool) -> None:
    """R1: request or reply, to whomever; the holder is remembered, and asked again in ten seconds."""
    probe = started(shared=shared)
    probes_until(probe, START + 300 * MS)
    assert heard(probe, START + 300 * MS, ADDRESS, target)
    assert (probe.state, bytes(probe.holder)) == (CONFLICT, MAC)
    assert probe.due == START + 300 * MS + 10 * SECOND + 5 * 10 * MS


def test_an_answer_in_the_last_moment_counts() -> None:
    """R1: also after the third probe."""
    probe = started()
    probes_until(probe, START + 800 * MS - 1)
    assert heard(probe, START + 800 * MS - 1, ADDRESS, OTHER)
    assert probe.state == CONFLICT


def test_another_probe_for_it_is_a_conflict_unless_shared() -> None:
    """R1: RFC 5227 2.1.1; the units of a pair rightly ask for the same service address."""
    assert heard(started(), START, 0, ADDRESS)
    assert not heard(started(shared=True), START, 0, ADDRESS)


@pytest.mark.parametrize(("sender", "target"), [(OTHER, ADDRESS), (0, OTHER), (OTHER, OTHER), (OTHER, 0)])
def test_what_is_no_conflict(sender: int, target: int) -> None:
    """R1: somebody who asks for it by name has not got it."""
    probe = started()
    assert not heard(probe, START, sender, target)
    assert (probe.state, probe.due) == (RUNNING, START)


def test_nobody_is_heard_while_idle() -> None:
    """R1: stopped, or never started."""
    probe = started()
    lib.qx_probe_stop(probe)
    assert not heard(probe, START, ADDRESS, ADDRESS)
    assert (probe.state, probe.due, probes_until(probe, START + 100 * SECOND)) == (IDLE, 0, [])
    assert not heard(ffi.new("struct qx_probe *"), START, 0, 0)


def test_after_a_conflict_it_is_asked_anew() -> None:
    """R1: the whole sequence; with the holder gone the address is free."""
    probe = started()
    probes_until(probe, START + 500 * MS)
    heard(probe, START + 500 * MS, ADDRESS, OTHER)
    again = 10 * SECOND + 550 * MS
    assert probes_until(probe, START + 20 * SECOND) == [again + at * MS for at in (0, 200, 400)]
    assert probe.state == CLEAR


def test_a_holder_that_goes_on_talking_puts_it_off() -> None:
    """R1: as long as it is heard there is nothing to ask."""
    probe = started()
    for second in range(30):
        heard(probe, START + second * SECOND, ADDRESS, OTHER)
    assert probes_until(probe, START + 39 * SECOND) == []


def test_two_that_met_do_not_meet_again() -> None:
    """R1: stations that probed in step try again at different moments."""
    one, other = started(), started()
    heard(one, START, 0, ADDRESS, bytes.fromhex("020000000001"))
    heard(other, START, 0, ADDRESS, bytes.fromhex("020000000002"))
    assert abs(one.due - other.due) == 10 * MS


@given(st.lists(st.tuples(st.integers(0, 2 * SECOND), st.sampled_from([0, ADDRESS, OTHER]),
                          st.sampled_from([0, ADDRESS, OTHER]), st.booleans()), max_size=40))  # fmt: skip
def test_clear_means_asked_and_unanswered(events: list[tuple[int, int, int, bool]]) -> None:
    """R1: whatever is heard, however late the loop: CLEAR comes after three probes and 0.4 s of quiet."""
    probe, now = started(), START
    sent, quiet_since = [], START
    for pause, sender, target, listen in events:
        now += pause
        if listen and heard(probe, now, sender, target):
            sent, quiet_since = [], now
        if lib.qx_probe_timer(probe, now):
            sent.append(now)
        if probe.state == CLEAR:
            assert len(sent) == 3
            assert now - sent[-1] >= 400 * MS
            assert min(sent) >= quiet_since
            assert all(later - earlier >= 200 * MS for earlier, later in pairwise(sent))
            break
