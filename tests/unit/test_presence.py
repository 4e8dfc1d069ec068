# SPDX-License-Identifier: Apache-2.0
"""The guide's three events, and two passive Backups: what is told when, and who becomes active."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qx.redundancy.engine import Hello, State
from qx.redundancy.mismatch import SEEN
from qx.redundancy.neither import PATIENCE, Neither
from qx.redundancy.peer.hello import PeerHello
from qx.redundancy.presence import Presence

BACKUP = Hello(
    age=0.1, serial="QX200-000002", model="qx200", firmware="1.0.0", state=State.BACKUP, passive=False,
    vrid=18, version=2, interval_cs=100, virtual_mac=True, lan_service=None, wan_service=None, term=1,
    priority=253, armed=True, wan_link=False, deaf=False, uptime=60,
)  # fmt: skip
PASSIVE = replace(BACKUP, passive=True, state=State.INITIALIZE)


def names(presence: Presence, *hellos: Hello | None) -> list[str]:
    return [told.name for told in (presence.look(True, hello) for hello in hellos) if told]


def test_each_state_is_told_once() -> None:
    """R32: in the guide's words."""
    assert names(Presence(), None, BACKUP, BACKUP, PASSIVE, PASSIVE, None, None, BACKUP) == [
        "Backup device is UP (Active mode)",
        "Backup device is UP (Passive mode)",
        "Backup device is DOWN",
        "Backup device is UP (Active mode)",
    ]


@pytest.mark.parametrize(("age", "told"), [(SEEN - 0.01, []), (SEEN, ["Backup device is DOWN"])])
def test_it_is_down_after_three_seconds(age: float, told: list[str]) -> None:
    """R32: the peer counts as down 3 s after it was last heard."""
    presence = Presence()
    names(presence, BACKUP)
    assert names(presence, replace(BACKUP, age=age)) == told


def test_a_unit_that_is_no_backup_yet_is_not_up() -> None:
    """R32: one that is starting, or Master too for a moment, is no Backup."""
    starting, master = replace(BACKUP, state=State.INITIALIZE), replace(BACKUP, state=State.MASTER)
    assert names(Presence(), starting, master) == []


def test_only_the_master_tells() -> None:
    """R32: and a new Master tells anew."""
    presence = Presence()
    assert names(presence, BACKUP)
    assert presence.look(False, BACKUP) is None
    assert names(presence, BACKUP)


def peer(term: int, serial: str = "QX200-000002", mode: str | None = "passive") -> PeerHello:
    return PeerHello(serial=serial, model="qx200", firmware="1.0.0", role="backup", mode=mode, term=term)


@pytest.mark.parametrize(
    ("ours", "theirs", "acts"),
    [
        (5, peer(4), True),
        (4, peer(5), False),
        (5, peer(5), False),  # the same term: the higher serial number
        (5, peer(5, "QX200-000000"), True),
        (5, peer(4, mode="active"), False),
        (5, None, False),
    ],
)
def test_of_two_passive_units_one_becomes_active(ours: int, theirs: PeerHello | None, acts: bool) -> None:
    """R7: the one of the later term."""
    neither = Neither()
    assert not neither.look(True, ours, "QX200-000001", theirs, 100.0)
    assert not neither.look(True, ours, "QX200-000001", theirs, 100.0 + PATIENCE)
    assert neither.look(True, ours, "QX200-000001", theirs, 100.1 + PATIENCE) is acts


def test_the_wait_begins_anew_when_the_other_was_active_in_between() -> None:
    """R7: only two that are passive all the time are meant."""
    neither, other = Neither(), peer(4)
    neither.look(True, 5, "QX200-000001", other, 100.0)
    neither.look(True, 5, "QX200-000001", replace(other, mode="active"), 101.0)
    neither.look(True, 5, "QX200-000001", other, 101.5)
    assert not neither.look(True, 5, "QX200-000001", other, 102.5)
    assert neither.look(True, 5, "QX200-000001", other, 103.6)
