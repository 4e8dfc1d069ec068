# SPDX-License-Identifier: Apache-2.0
"""R4, R8, R9, R10: whatever the order of events, the pair ends with one Master, and it is the incumbent.

Each test tells one story of `docs/redundancy.md`, "Who is Master", in both directions (the Master has the
lower address, or the higher) and at three paces. The simulator asserts meanwhile that nobody but a Master
holds the address and that two never hold it for longer than they need to hear of each other.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from machine import MS, SECOND
from pair_simulator import Pair
from simulated_unit import Unit

from _qx import lib

PACES = {"v2 1s": (2, SECOND), "v3 100ms": (3, 100 * MS), "v3 10ms": (3, 10 * MS)}
Story = tuple[Pair, Unit, Unit]


@pytest.fixture(params=PACES.values(), ids=list(PACES))
def pair(request: pytest.FixtureRequest) -> Pair:
    version, interval = request.param
    return Pair(version=version, interval=interval)


@pytest.fixture(params=["lower", "higher"])
def story(pair: Pair, request: pytest.FixtureRequest) -> Story:
    """The pair, who shall be the incumbent, and the other: the incumbent's address is lower or higher."""
    units = pair.a, pair.b
    master, other = units if request.param == "lower" else units[::-1]
    return pair, master, other


# --- splits with carrier up -------------------------------------------------------------------------------
@pytest.mark.parametrize("seconds", [1, 3.5, 10, 600])
def test_a_split_heals_with_the_old_master(story: Story, seconds: float) -> None:
    """R10: the isolated unit takes over, and yields, also where it has the higher address."""
    pair, master, other = story
    pair.settled(master)
    with pair.splits(min(seconds, 5000 * pair.interval / SECOND)):
        assert master.is_master
        assert other.is_master == (seconds * SECOND > pair.master_down)
    assert pair.within_two_intervals() == [master]
    assert other.is_backup


def test_split_after_split_after_split(story: Story) -> None:
    """R10: a split that heals leaves the pair as it was before, for the next one."""
    pair, master, _ = story
    pair.settled(master)
    for seconds in (4, 1, 10, 4):
        with pair.splits(seconds):
            pass
        assert pair.within_two_intervals() == [master]


@pytest.mark.parametrize("muted", ["incumbent", "other", "both"])
def test_lost_advertisements_end_with_the_old_master(story: Story, muted: str) -> None:
    """R10: only multicast is lost (IGMP snooping), in one direction or both; then it comes back."""
    pair, master, other = story
    pair.settled(master)
    master.mute, other.mute = muted != "other", muted != "incumbent"
    pair.run(10 * SECOND)
    master.mute = other.mute = False
    assert pair.within_two_intervals() == [master]


@pytest.mark.parametrize("after", [MS, 100 * MS, 400 * MS])
def test_a_split_right_after_the_first_boot(story: Story, after: int) -> None:
    """R10: the other one was listening when the first became Master; having heard it, it says so at once."""
    pair, master, other = story
    master.boot(ready_after=0)
    pair.run(300 * MS)
    other.boot(ready_after=0)
    pair.until(lambda: master.is_master, within=2 * pair.master_down + 2 * SECOND)
    pair.run(after)
    assert master.seat == "confirmed"
    with pair.splits(15):
        assert other.is_master
    assert pair.within_two_intervals() == [master]


# --- boots ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("apart", [0, 1, 1000, 49_999, 50_000, MS, 20 * MS, SECOND // 2, SECOND])
def test_simultaneous_boots(story: Story, apart: int) -> None:
    """R4: one Master within two intervals of the first advertisement, and no change after that."""
    pair, first, second = story
    first.boot()
    pair.run(apart)
    second.boot()
    pair.until(lambda: bool(first.sent or second.sent), within=2 * pair.master_down + 2 * SECOND)
    settled = pair.within_two_intervals()
    assert len(settled) == 1
    if apart > 25 * MS and pair.interval == SECOND:
        assert settled == [first], "who boots first becomes Master"


def test_equal_boots_are_decided_by_the_address(pair: Pair) -> None:
    """R4: same instant, same seat: the RFC's comparison."""
    pair.a.boot()
    pair.b.boot()
    pair.until(lambda: bool(pair.masters), within=2 * pair.master_down + 2 * SECOND)
    assert pair.within_two_intervals() == [pair.b]


@pytest.mark.parametrize("seconds", [5, 60])
def test_a_returning_unit_never_preempts(story: Story, seconds: int) -> None:
    """R4: it hears the Master and becomes its Backup, without a gap in the Master's office."""
    pair, master, other = story
    pair.alone(master, seconds=seconds)
    since = master.group.since
    other.boot()
    pair.run(2 * pair.master_down + 10 * SECOND)
    assert (pair.masters, other.is_backup, master.group.since) == ([master], True, since)


def as_confirmed(pair: Pair, master: Unit, other: Unit) -> None:
    pair.settled(master)
    other.power_off()
    pair.run(5 * SECOND)


def as_takeover(pair: Pair, master: Unit, other: Unit) -> None:
    pair.settled(other)
    other.power_off()
    pair.run(10 * SECOND)
    assert master.seat == "takeover"


def as_released(pair: Pair, master: Unit, other: Unit) -> None:
    pair.settled(other)
    other.die()
    pair.run(10 * SECOND)
    assert master.seat == "confirmed"


def as_startup(pair: Pair, master: Unit, other: Unit) -> None:
    pair.alone(master, seconds=40)


INCUMBENTS = {
    "confirmed": as_confirmed,
    "takeover": as_takeover,
    "released": as_released,
    "startup": as_startup,
}


@pytest.mark.parametrize("late", [30, 90])
@pytest.mark.parametrize("incumbent", INCUMBENTS.values(), ids=INCUMBENTS)
def test_return_behind_a_port_that_passes_frames_late(
    story: Story, incumbent: Callable[[Pair, Unit, Unit], None], late: int
) -> None:
    """R4, R10: it hears nobody, becomes Master as the RFC has it, and yields when the port opens."""
    pair, master, other = story
    incumbent(pair, master, other)
    pair.passes_after(other, late)
    other.boot()
    pair.run(late * SECOND - MS)
    assert other.is_master
    pair.run(MS)
    assert pair.within_two_intervals() == [master]


# --- the Master goes, then a split ------------------------------------------------------------------------
def test_takeover_then_return_then_split(story: Story) -> None:
    """R9, R10: power cut of the Master: the Backup takes over and is the incumbent from then on."""
    pair, master, other = story
    pair.settled(other)
    other.power_off()
    pair.until(lambda: master.is_master, within=pair.master_down)
    other.boot()
    pair.run(2 * pair.master_down + 5 * SECOND)
    assert pair.masters == [master]
    with pair.splits(10):
        assert other.is_master
    assert pair.within_two_intervals() == [master]


def test_killed_master_then_split(story: Story) -> None:
    """R9, R10: the guardian's priority 0 is followed within the skew, and what follows is the incumbent."""
    pair, master, other = story
    pair.settled(other)
    other.die()
    pair.until(lambda: master.is_master, within=12 * MS)
    assert (master.seat, master.group.cause) == ("confirmed", lib.QX_CAUSE_RELEASED)
    pair.run(SECOND // 2)
    other.boot(ready_after=0)
    pair.run(2 * SECOND)
    with pair.splits(10):
        assert other.is_master
    assert pair.within_two_intervals() == [master]


def test_swap_then_split(story: Story) -> None:
    """R8, R10: who was given the role keeps it, though the other one takes over alone meanwhile."""
    pair, master, other = story
    pair.settled(other)
    other.release()
    pair.until(lambda: master.is_master, within=12 * MS)
    pair.run(2 * SECOND)
    with pair.splits(10):
        assert other.is_master
    assert pair.within_two_intervals() == [master]


def test_priority_zero_then_silence(story: Story) -> None:
    """R9: the Master released and is dead: the other follows at once and stays, also against its return."""
    pair, master, other = story
    pair.settled(other)
    other.release()
    other.power_off()
    pair.until(lambda: master.is_master, within=12 * MS)
    pair.passes_after(other, 40)
    other.boot()
    pair.run(40 * SECOND)
    assert pair.within_two_intervals() == [master]


def test_a_release_that_nobody_hears_is_taken_back(story: Story) -> None:
    """R8: the address was ours: with nobody there, it is ours again after one Master_Down_Interval."""
    pair, master, other = story
    pair.alone(master)
    master.release()
    pair.until(lambda: master.is_master, within=pair.master_down)
    assert not other.powered


def test_passive_then_active_then_split(story: Story) -> None:
    """R7, R10: a passive Backup confirms nobody, an active one does at once."""
    pair, master, other = story
    other.passive = True
    pair.alone(master)
    other.boot()
    pair.run(5 * SECOND)
    assert (master.seat, other.state) == ("startup", lib.QX_INITIALIZE)
    other.set_passive(False)
    pair.run(MS)
    assert master.seat == "confirmed"
    pair.run(2 * pair.interval)
    with pair.splits(10):
        assert other.is_master
    assert pair.within_two_intervals() == [master]


def test_active_and_split_at_once(story: Story) -> None:
    """R7, R10: it has not heard the Master, but the Master answered its probe."""
    pair, master, other = story
    other.passive = True
    pair.alone(master, seconds=60)
    other.boot()
    pair.run(5 * SECOND)
    other.set_passive(False)
    pair.run(MS)
    with pair.splits(60):
        assert other.is_master
    assert pair.within_two_intervals() == [master]
