# SPDX-License-Identifier: Apache-2.0
"""R9, R10: a Backup asks before it takes over: a Master that answers keeps its seat, one that does not loses
it as soon as without the question."""

from __future__ import annotations

import pytest
from machine import MS, SECOND
from pair_simulator import Pair

from _qx import lib

PACES = {"v2 1s": (2, SECOND), "v3 100ms": (3, 100 * MS), "v3 10ms": (3, 10 * MS)}


@pytest.fixture(params=PACES.values(), ids=list(PACES))
def pair(request: pytest.FixtureRequest) -> Pair:
    version, interval = request.param
    pair = Pair(version=version, interval=interval)
    pair.a.keyed = pair.b.keyed = True
    return pair.settled(pair.a)


@pytest.mark.parametrize("both", [False, True], ids=["the Master's", "everybody's"])
def test_blocked_advertisements_leave_the_roles(pair: Pair, both: bool) -> None:
    """R10: only multicast is lost: one Master throughout, the Backup knows why, and again when it is over."""
    pair.a.mute, pair.b.mute = True, both
    pair.run(pair.master_down + 2 * pair.interval)
    for _ in range(20):
        pair.run(pair.interval)
        assert pair.masters == [pair.a] and pair.b.group.block == lib.QX_BLOCK_ALIVE
    pair.a.mute = pair.b.mute = False
    pair.run(2 * pair.interval)
    assert pair.masters == [pair.a] and pair.b.group.block == lib.QX_BLOCK_NONE


def test_a_master_that_dies_behind_blocked_advertisements(pair: Pair) -> None:
    """R9: noticed within two of the questions' rounds."""
    pair.a.mute = True
    pair.run(10 * pair.interval + pair.master_down)
    pair.a.power_off()
    assert pair.until(lambda: pair.b.is_master, within=3 * pair.interval) <= 2 * pair.interval + MS
    assert pair.b.seat == "takeover"


def test_a_release_that_gets_through_is_followed(pair: Pair) -> None:
    """R9: a Master that lets go in words need not be asked, also where none of its advertisements came. The
    Backup looked for an answer to a question that it did not ask, and did so for ever."""
    pair.a.mute = True
    pair.run(10 * pair.interval + pair.master_down)
    assert pair.b.group.block == lib.QX_BLOCK_ALIVE
    pair.a.mute = False
    pair.a.die()
    assert pair.until(lambda: pair.b.is_master, within=3 * pair.interval) <= pair.interval
    assert pair.b.group.cause == lib.QX_CAUSE_RELEASED


def test_a_dead_master_is_missed_as_soon_as_without_a_question(pair: Pair) -> None:
    """R9: the timer is the RFC's, to the nanosecond."""
    pair.run(pair.interval // 3)
    pair.a.power_off()
    pair.until(lambda: pair.b.is_master, within=2 * pair.master_down)
    heard = max(at for at, _ in pair.a.sent)
    assert pair.now - heard - 50_000 == pair.master_down
    assert pair.b.asked == 3, "it asked while it waited"


def test_no_question_while_advertisements_come(pair: Pair) -> None:
    """R9: the steady state is as it was."""
    before = pair.a.asked, pair.b.asked
    pair.run(100 * pair.interval)
    assert (pair.a.asked, pair.b.asked) == before


def test_no_answer_means_takeover(pair: Pair) -> None:
    """R9: everything from the Master is lost: it takes over, whatever else says that it is there."""
    with pair.splits(pair.master_down * 2 / SECOND):
        assert pair.b.is_master
    assert pair.within_two_intervals() == [pair.a]


def test_a_backup_that_slept_asks_before_it_believes_the_silence(pair: Pair) -> None:
    """R9: it would have heard nothing anyway."""
    pair.a.mute = True
    pair.run(pair.master_down + 3 * pair.interval)
    pair.b.freeze(5 * pair.interval + SECOND)
    pair.run(10 * pair.interval + 2 * SECOND)
    assert pair.masters == [pair.a]


def test_an_answer_that_was_not_asked_for_counts_nothing(pair: Pair) -> None:
    """R17: nor does one that says Backup."""
    lib.qx_group_answered(pair.b.group, lib.QX_MASTER)
    assert not pair.b.group.alive
    pair.a.power_off()
    pair.until(lambda: pair.b.group.asked > 0, within=pair.master_down)
    lib.qx_group_answered(pair.b.group, lib.QX_BACKUP)
    assert not pair.b.group.alive
