# SPDX-License-Identifier: Apache-2.0
"""R9: loss and return of links: a switch restarts, a port flaps, a cable is pulled, the WAN fails."""

from __future__ import annotations

import pytest
from machine import BACKUP, INITIALIZE, MS, SECOND
from pair_simulator import Pair
from simulated_unit import Unit
from test_group import told
from test_group_orders import Story, pair, story

from _qx import lib

__all__ = ["pair", "story"]


def switch_restarts(pair: Pair, seconds: float, order: list[tuple[Unit, float]]) -> None:
    """Both carriers go; each unit's comes back so many seconds after the first."""
    for each in pair.units:
        each.set_carrier(False)
    pair.run(round(seconds * SECOND))
    start = pair.now
    for unit, after in sorted(order, key=lambda each: each[1]):
        pair.run(start + round(after * SECOND) - pair.now)
        unit.set_carrier(True)


# --- the switch -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("lag", [-2, -1, -0.001, 0, 0.001, 0.5, 1, 2])
def test_a_switch_restarts(story: Story, lag: float) -> None:
    """R9: 20 s without carrier, back at different moments: the same Master, and one all the time."""
    pair, master, other = story
    pair.settled(master)
    switch_restarts(pair, 20, [(master, max(lag, 0)), (other, max(-lag, 0))])
    pair.until(lambda: bool(pair.masters), within=2 * pair.master_down + 2 * SECOND)
    assert pair.within_two_intervals() == [master]
    assert other.group.cause == lib.QX_CAUSE_LINK, "it listens since its link is back, and never was Master"


def test_ports_flap_while_the_switch_restarts(story: Story) -> None:
    """R9: a link that comes, goes and comes again before a frame was heard: still the same Master."""
    pair, master, other = story
    pair.settled(master)
    switch_restarts(pair, 20, [(master, 0), (other, 0)])
    pair.run(5 * MS)
    switch_restarts(pair, 0.5, [(master, 0), (other, 0)])
    pair.until(lambda: bool(pair.masters), within=2 * pair.master_down + 2 * SECOND)
    assert pair.within_two_intervals() == [master]


@pytest.mark.parametrize("late", [10, 30, 50])
def test_a_restarted_switch_passes_frames_late(story: Story, late: int) -> None:
    """R9, R10: both become Master meanwhile, and the old one has the better right."""
    pair, master, other = story
    pair.settled(master)
    for each in pair.units:
        pair.passes_after(each, 20 + late)
    switch_restarts(pair, 20, [(master, 0.2), (other, 0)])
    pair.run(round((late - 0.2) * SECOND) - MS)
    assert (master.is_master, other.is_master) == (True, True)
    assert other.seat == "returned"
    pair.run(MS)
    assert pair.within_two_intervals() == [master]


def test_the_old_master_does_not_return(story: Story) -> None:
    """R9: then the old Backup waits twice as long, or 3 s more, and takes over."""
    pair, master, other = story
    pair.settled(master)
    switch_restarts(pair, 20, [(other, 0)])
    wait = pair.master_down + max(pair.master_down, 3 * SECOND)
    assert wait - MS < pair.until(lambda: other.is_master, within=wait + MS)
    assert other.seat == "returned"


# --- one port ---------------------------------------------------------------------------------------------
def test_a_flap_within_the_grace_changes_nothing(story: Story) -> None:
    """R9: the Master keeps its address, says so again when the link is back, and nobody noticed."""
    pair, master, other = story
    pair.settled(master)
    before = len(master.log), len(other.log)
    for _ in range(5):
        master.set_carrier(False)
        pair.run(pair.interval * 14 // 10)
        assert master.is_master
        sent = len(master.sent)
        master.set_carrier(True)
        assert len(master.sent) == sent + 1, "the advertisements that had no way out are made up for"
        pair.run(3 * pair.interval)
    assert (len(master.log), len(other.log)) == before


@pytest.mark.parametrize("interval_s", [1, 10, 60])
def test_a_flap_is_forgiven_whatever_the_interval(interval_s: int) -> None:
    """R9: the grace runs from the loss of the link, so a Master that advertised long ago has it, too."""
    pair = Pair(interval=interval_s * SECOND)
    pair.alone(pair.a, seconds=5 * interval_s)
    pair.run(interval_s * SECOND * 9 // 10)
    pair.a.set_carrier(False)
    pair.run(SECOND // 2)
    pair.a.set_carrier(True)
    assert pair.a.is_master


def test_a_pulled_cable_moves_the_role_once(story: Story) -> None:
    """R9: the Master has let go before the Backup takes over; the old Master returns as Backup."""
    pair, master, other = story
    pair.settled(master)
    master.set_carrier(False)
    gone = pair.until(lambda: not master.holds, within=min(pair.interval * 5 // 2, 2 * SECOND))
    assert gone > 0 or pair.interval < SECOND
    assert (master.state, master.group.master_before) == (INITIALIZE, True)
    pair.until(lambda: other.is_master, within=pair.master_down)
    assert pair.holders == [other]
    pair.run(10 * SECOND)
    master.set_carrier(True)
    pair.run(2 * pair.master_down + 5 * SECOND)
    assert (pair.masters, master.state, other.seat) == ([other], BACKUP, "confirmed")


def test_a_backup_without_link_waits_for_it(story: Story) -> None:
    """R9: a unit without link never becomes Master, not by order either."""
    pair, master, other = story
    pair.settled(master)
    other.set_carrier(False)
    master.power_off()
    pair.run(20 * SECOND)
    assert not lib.qx_group_promote(other.group, pair.now, other.actions)
    assert (pair.masters, other.state) == ([], INITIALIZE)
    other.set_carrier(True)
    pair.until(lambda: other.is_master, within=2 * pair.master_down + 4 * SECOND)


def test_what_is_heard_after_the_link_went_makes_no_listener(story: Story) -> None:
    """R9: an advertisement was in the queue still. It made a listener of the Master, which then heard nothing
    more and became Master again without a cable."""
    pair, master, other = story
    pair.settled(master)
    other.power_off()
    master.set_carrier(False)
    told(pair, master, 255)
    assert master.state != BACKUP
    pair.run(20 * SECOND)
    assert (master.state, master.holds) == (INITIALIZE, False)
    master.set_carrier(True)
    pair.until(lambda: master.is_master, within=2 * pair.master_down + 4 * SECOND)


def test_a_unit_boots_without_link() -> None:
    """R9: it listens from the moment it has one, for a whole Master_Down_Interval."""
    pair = Pair()
    pair.a.carrier = False
    pair.a.boot()
    pair.run(60 * SECOND)
    assert pair.a.state == INITIALIZE
    pair.a.set_carrier(True)
    assert pair.until(lambda: pair.a.is_master, within=10 * SECOND) == 3_011_718_750


# --- the WAN ----------------------------------------------------------------------------------------------
def test_wan_loss_moves_the_role(story: Story) -> None:
    """R9: after a second without WAN, if the Backup's has link."""
    pair, master, other = story
    pair.settled(master)
    master.set_wan_carrier(False)
    pair.run(SECOND - MS)
    assert pair.masters == [master]
    pair.until(lambda: other.is_master, within=15 * MS)
    pair.run(10 * SECOND)
    assert (pair.masters, other.seat, other.group.cause) == ([other], "confirmed", lib.QX_CAUSE_RELEASED)
    assert master.log[-1][2] == lib.QX_CAUSE_WAN


def test_wan_loss_of_both_moves_nothing(story: Story) -> None:
    """R9: nor does the loss of the Backup's alone; when its link is back, the role moves."""
    pair, master, other = story
    pair.settled(master)
    other.set_wan_carrier(False)
    pair.run(5 * SECOND)
    master.set_wan_carrier(False)
    pair.run(20 * SECOND)
    assert pair.masters == [master]
    other.set_wan_carrier(True)
    pair.until(lambda: other.is_master, within=SECOND)
    pair.run(10 * SECOND)
    assert pair.masters == [other]


def test_a_wan_that_flaps_moves_nothing(story: Story) -> None:
    """R9: less than a second of loss is nothing, however often."""
    pair, master, _ = story
    pair.settled(master)
    for _ in range(10):
        master.set_wan_carrier(False)
        pair.run(900 * MS)
        master.set_wan_carrier(True)
        pair.run(100 * MS)
    assert pair.masters == [master]


@pytest.mark.parametrize("why", ["tracking off", "alone", "passive"])
def test_wan_loss_without_anybody_to_take_over(why: str) -> None:
    """R9: a Master keeps its role where tracking is off, or where nobody active is there."""
    pair = Pair(wan_tracking=why != "tracking off")
    pair.settled(pair.a)
    if why == "alone":
        pair.b.power_off()
        pair.run(4 * SECOND)
    elif why == "passive":
        pair.b.set_passive(True)
        pair.run(SECOND)
    pair.a.set_wan_carrier(False)
    pair.run(20 * SECOND)
    assert pair.masters == [pair.a]
