# SPDX-License-Identifier: Apache-2.0
"""R1, R4, R5, R7, R9: one unit's part in the pair: what lets it promote itself, and what makes it let go.

The gates one by one, in front of a Master that dies or with nobody there at all; orders; strangers. The
orders of events of a whole pair are in test_group_orders.py and test_group_links.py, a Master whose own
software fails in test_group_health.py, settings that differ in test_group_parameters.py.
"""

from __future__ import annotations

import pytest
from machine import BACKUP, INITIALIZE, MASTER, MS, SECOND, number
from pair_simulator import Pair
from simulated_unit import LEASE, Unit

from _qx import ffi, lib


def told(pair: Pair, unit: Unit, priority: int, source: str = "10.77.0.9") -> None:
    """An advertisement of a router that is not of the pair."""
    call = lib.qx_group_advert
    unit.happens(lambda: call(unit.group, pair.now, priority, number(source), pair.interval, unit.actions))


# --- the gates ------------------------------------------------------------------------------------------
def test_a_unit_that_hears_nobody_becomes_master() -> None:
    """R4: after one Master_Down_Interval, and it says why."""
    pair = Pair()
    pair.a.boot(ready_after=0)
    assert pair.until(lambda: pair.a.is_master, within=5 * SECOND) == 3_011_718_750
    assert (pair.a.seat, pair.a.group.cause) == ("startup", lib.QX_CAUSE_NOBODY)


@pytest.mark.parametrize("interval", [10 * MS, SECOND])
def test_its_own_address_comes_first(interval: int) -> None:
    """R1: without its Virtual IP a unit has no source to advertise from."""
    pair = Pair(version=3, interval=interval)
    pair.a.boot(ready_after=7 * SECOND)
    pair.run(7 * SECOND - MS)
    assert (pair.a.state, pair.a.group.block) == (BACKUP, lib.QX_BLOCK_ADDRESS)
    pair.until(lambda: pair.a.is_master, within=interval + MS)
    assert pair.a.group.block == lib.QX_BLOCK_NONE


def test_unarmed_is_blocked_until_armed() -> None:
    """R5: a unit in fault or in its first copy does not take over; once armed it does, within an interval."""
    pair = Pair()
    pair.b.armed = False
    pair.alone(pair.a)
    pair.b.boot()
    pair.run(5 * SECOND)
    assert pair.a.seat == "startup", "an unarmed Backup confirms nobody"
    pair.a.power_off()
    pair.run(20 * SECOND)
    assert (pair.masters, pair.b.group.block) == ([], lib.QX_BLOCK_UNARMED)
    pair.b.armed = True
    pair.until(lambda: pair.b.is_master, within=SECOND)


def test_without_a_lease_nobody_takes_over() -> None:
    """R9: a Backup whose control plane hangs stays what it is; with the lease renewed it goes on."""
    pair = Pair()
    pair.settled(pair.a)
    pair.b.control = False
    pair.run(LEASE + SECOND)
    pair.a.power_off()
    pair.run(20 * SECOND)
    assert (pair.masters, pair.b.group.block) == ([], lib.QX_BLOCK_CONTROL)
    pair.b.control = True
    pair.until(lambda: pair.b.is_master, within=SECOND)


def test_a_passive_backup_never_takes_over() -> None:
    """R7: it does not listen; active again, it listens for a whole Master_Down_Interval first."""
    pair = Pair()
    pair.settled(pair.a)
    pair.b.set_passive(True)
    assert (pair.b.state, pair.b.log[-1][2]) == (INITIALIZE, lib.QX_CAUSE_PASSIVE)
    pair.a.power_off()
    pair.run(60 * SECOND)
    assert pair.masters == []
    pair.b.set_passive(False)
    assert pair.until(lambda: pair.b.is_master, within=4 * SECOND) == 3_011_718_750


def test_a_master_is_never_passive() -> None:
    """R7: the word comes to nothing, and promotion by order ends the mode."""
    pair = Pair()
    pair.alone(pair.a)
    pair.a.set_passive(True)
    assert (pair.a.is_master, pair.a.group.passive) == (True, False)
    pair.b.passive = True
    pair.b.boot(ready_after=0)
    pair.a.power_off()
    pair.b.promote()
    assert (pair.b.is_master, pair.b.group.passive) == (True, False)


def test_a_master_that_resumes_is_not_passive() -> None:
    """R7: whatever was stored: its hellos say that it is not, and after a loss of link it listens."""
    pair = Pair()
    pair.a.passive = True
    pair.a.boot(ready_after=0, resume=True)
    assert (pair.a.is_master, pair.a.group.cause) == (True, lib.QX_CAUSE_RESUMED)
    assert not pair.a.group.passive


# --- the probe for the service address --------------------------------------------------------------------
def test_an_answer_to_the_probe_blocks() -> None:
    """R1, R9: somebody holds the address and is no Master that is heard: no second one beside it."""
    pair = Pair()
    pair.alone(pair.a)
    pair.a.mute = True
    pair.b.boot(ready_after=0)
    pair.run(9 * SECOND)
    assert (pair.b.state, pair.b.group.block) == (BACKUP, lib.QX_BLOCK_CONFLICT)
    pair.a.power_off()
    pair.until(lambda: pair.b.is_master, within=15 * SECOND)


def test_a_backup_that_heard_its_master_does_not_ask() -> None:
    """R9: when it falls silent there is no time, and the address was its."""
    pair = Pair(version=3, interval=10 * MS)
    pair.settled(pair.a)
    lib.qx_group_service(pair.b.group, pair.now, lib.QX_SERVICE_TAKEN)
    pair.a.power_off()
    pair.until(lambda: pair.b.is_master, within=31 * MS)


def test_the_answer_is_waited_for_and_not_longer() -> None:
    """R1: at 10 ms the probe takes longer than the silence; its end is the start."""
    pair = Pair(version=3, interval=10 * MS)
    pair.a.boot(ready_after=0)
    pair.run(500 * MS)
    assert pair.a.group.block == lib.QX_BLOCK_PROBING
    assert pair.until(lambda: pair.a.is_master, within=SECOND) == 300 * MS


def test_a_probe_that_ends_beside_a_master_changes_nothing() -> None:
    """R4: the port opened after the probes: nobody answered them, but the Master is heard since."""
    pair = Pair(version=3, interval=10 * MS)
    pair.alone(pair.a)
    pair.passes_after(pair.b, 0.5)
    pair.b.boot(ready_after=0)
    pair.run(600 * MS)
    assert pair.b.group.heard
    assert pair.b.group.block == lib.QX_BLOCK_NONE, "what it was kept back by is past"
    pair.run(5 * SECOND)
    assert pair.masters == [pair.a]
    assert [state for _, state, _ in pair.b.log] == [BACKUP]


# --- orders -----------------------------------------------------------------------------------------------
def test_promotion_is_refused_where_it_cannot_be() -> None:
    """R9: without link, without an address of its own, or while the unit takes no part."""
    pair = Pair()
    unit = pair.a
    unit.boot(ready_after=SECOND)
    assert not lib.qx_group_promote(unit.group, pair.now, unit.actions)
    pair.run(SECOND)
    unit.set_carrier(False)
    assert not lib.qx_group_promote(unit.group, pair.now, unit.actions)
    unit.set_carrier(True)
    lib.qx_group_stop(unit.group, pair.now, unit.actions)
    assert not lib.qx_group_promote(unit.group, pair.now, unit.actions)
    assert unit.state == INITIALIZE


def test_only_a_master_can_release() -> None:
    """R8: asked of anybody else, nothing happens."""
    pair = Pair()
    pair.settled(pair.a)
    deadline = pair.b.group.fsm.deadline
    assert not lib.qx_group_release(pair.b.group, pair.now, lib.QX_CAUSE_ORDER, pair.b.actions)
    assert (pair.b.state, pair.b.group.fsm.deadline) == (BACKUP, deadline)


def test_a_stopped_unit_takes_no_part() -> None:
    """R11: its address goes, its peer follows at once, and silence means nothing to it."""
    pair = Pair()
    pair.settled(pair.a)
    pair.a.happens(lambda: lib.qx_group_stop(pair.a.group, pair.now, pair.a.actions))
    pair.until(lambda: pair.b.is_master, within=12 * MS)
    pair.b.power_off()
    pair.run(60 * SECOND)
    assert pair.masters == []


# --- other routers with our group ---------------------------------------------------------------------
def test_a_release_by_a_stranger_gives_nobody_the_seat() -> None:
    """R9, R10: it is followed, as the RFC has it; but the incumbent of the pair stays the incumbent."""
    pair = Pair()
    pair.settled(pair.a)
    pair.run(300 * MS)
    pair.strangers = True
    told(pair, pair.b, 0)
    pair.run(12 * MS)
    assert pair.b.is_master
    assert pair.b.seat == "takeover"
    pair.strangers = False
    assert pair.within_two_intervals() == [pair.a]


def test_who_yields_waits_as_a_listener() -> None:
    """R4: it said 254 a moment ago; from now on it is a listener with 253, and waits as one."""
    pair = Pair()
    pair.settled(pair.a)
    pair.strangers = True
    told(pair, pair.a, 255)
    assert (pair.a.state, pair.a.log[-1][2]) == (BACKUP, lib.QX_CAUSE_HIGHER)
    assert pair.a.group.fsm.deadline - pair.now == 3_011_718_750
    assert pair.a.priority == 253


def test_what_makes_a_peer_active() -> None:
    """R7, R9: a Backup that would take over, heard of within three seconds."""
    group = ffi.new("struct qx_group *")
    active, now = lib.qx_group_peer_active, 100 * SECOND
    assert not active(group, now)
    group.hello_seen, group.hello.state, group.hello.armed = now, BACKUP, True
    assert active(group, now)
    assert active(group, now + 3 * SECOND - 1)
    assert not active(group, now + 3 * SECOND)
    for field, value in (("passive", True), ("armed", False), ("state", MASTER), ("state", INITIALIZE)):
        was = getattr(group.hello, field)
        setattr(group.hello, field, value)
        assert not active(group, now), field
        setattr(group.hello, field, was)


def test_reset_keeps_the_configuration_and_nothing_else() -> None:
    """R9: a group that starts anew remembers neither peer nor seat."""
    group = ffi.new("struct qx_group *")
    ffi.memmove(group, b"\x01" * ffi.sizeof("struct qx_group"), ffi.sizeof("struct qx_group"))
    group.fsm.version, group.fsm.interval, group.vrid = 3, 10 * MS, 18
    lib.qx_group_reset(group, 7)
    assert (group.fsm.version, group.fsm.interval, group.vrid, group.peer) == (3, 10 * MS, 18, 0x01010101)
    assert (group.fsm.state, group.fsm.deadline, group.fsm.priority) == (INITIALIZE, 0, 253)
    assert (group.seat, group.hello_seen, group.running, group.link, group.armed) == (
        0,
        0,
        False,
        False,
        False,
    )
    assert (group.since, group.wan_link) == (7, True)
