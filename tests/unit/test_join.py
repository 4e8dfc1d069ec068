# SPDX-License-Identifier: Apache-2.0
"""Who may join a group (R1) and which settings may be changed where (R13, R19): the two pure rules."""

from __future__ import annotations

import pytest

from qx.board import Board
from qx.identity import Identity
from qx.model import MODELS
from qx.redundancy.join import Join, join
from qx.redundancy.permit import Seat, refusal
from qx.redundancy.plan import make_plan
from qx.redundancy.role import Role
from qx.settings.schema import Scope
from qx.settings.values import Plain
from qx.settings.view import Settings
from qx.trust.bond import Permission

QX200 = MODELS["qx200"]
ALLOWED = Permission(True)
UNLICENSED = Permission(False, "no redundancy key is installed")
LOST = Permission(False, "the redundancy key is missing", fault=True)
PEER = "QX200-000002"
ENABLED: dict[str, Plain] = {"redundancy.enabled": True}


def settings(values: dict[str, Plain]) -> Settings:
    return Settings(QX200, values)


@pytest.mark.parametrize(
    ("values", "permission", "met", "expected"),
    [
        ({}, UNLICENSED, None, Join(False)),
        ({}, ALLOWED, None, Join(False)),
        (ENABLED, ALLOWED, None, Join(True)),
        (ENABLED, ALLOWED, PEER, Join(True)),
        (ENABLED, UNLICENSED, None, Join(False, note=UNLICENSED.why)),
        (ENABLED, LOST, PEER, Join(False, barred=LOST.why)),
        ({"redundancy.enabled": False}, ALLOWED, PEER, Join(False)),
        ({"redundancy.enabled": False}, LOST, PEER, Join(False)),
    ],
)
def test_who_joins(values: dict[str, Plain], permission: Permission, met: str | None, expected: Join) -> None:
    """R1: only with a key; without one standalone; with the key gone neither, once the data names a peer."""
    assert join(settings(values), permission, met) == expected


@pytest.mark.parametrize("permission", [ALLOWED, UNLICENSED, LOST])
def test_lost_settings_bar_a_paired_unit(permission: Permission) -> None:
    """R1: a unit that was paired and has lost its settings never runs standalone by accident."""
    found = join(settings({}), permission, PEER)
    assert not found.member
    assert PEER in found.barred


@pytest.mark.parametrize("met", [None, PEER])
def test_a_unit_that_knows_its_settings_are_lost_is_barred(met: str | None) -> None:
    """R1: paired or not, until somebody says whether redundancy is enabled."""
    found = join(settings({}), ALLOWED, met, "settings.db: damaged")
    assert not found.member and "are lost" in found.barred and "settings.db: damaged" in found.barred
    assert join(settings(ENABLED), ALLOWED, met, "settings.db: damaged") == Join(True)
    assert join(settings({"redundancy.enabled": False}), ALLOWED, met, "settings.db: damaged") == Join(False)


def plan_of(values: dict[str, Plain], joined: Join, held: bool = False) -> tuple[bool, bool, bool]:
    """group, claim, passive"""
    identity = Identity("QX200-000001", QX200)
    made = make_plan(
        settings(values), identity, Board("lab", "lab", "lan0", "wan0"), "1.0.0", joined, held=held
    )
    return made.group, made.claim, made.passive


def test_what_each_holds() -> None:
    """R1: a barred unit claims nothing and never takes over; its Virtual IP stays where it has one."""
    assert plan_of({}, Join(False)) == (False, True, False)
    assert plan_of(ENABLED, Join(True)) == (True, False, False)
    assert plan_of(ENABLED, Join(True), held=True) == (True, False, True)
    assert plan_of({**ENABLED, "redundancy.backup_mode": "passive"}, Join(True)) == (True, False, True)
    assert plan_of(ENABLED, Join(False, barred="why")) == (True, False, True)
    assert plan_of({}, Join(False, barred="why")) == (False, False, True)
    assert plan_of(ENABLED, Join(False, note="why")) == (False, True, False)


SCOPES: dict[Scope, str] = {
    "unit": "redundancy.backup_mode",
    "pair": "redundancy.group_id",
    "shared": "mail.host",
}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("forced", [False, True])
def test_a_unit_that_was_never_paired_takes_everything(scope: Scope, role: Role, forced: bool) -> None:
    """R13: pair parameters are set locally before the first pairing."""
    for member in (False, True):
        assert not refusal([(SCOPES[scope], scope)], Seat(role, member, False, False), forced)
    assert not refusal([(SCOPES[scope], scope)], Seat(role, False, True, False), forced)


@pytest.mark.parametrize(
    ("role", "peer", "forced", "taken"),
    [
        (Role.MASTER, True, False, {"unit", "pair", "shared"}),
        (Role.MASTER, False, False, {"unit", "shared"}),
        (Role.MASTER, False, True, {"unit", "pair", "shared"}),
        (Role.BACKUP, True, False, {"unit"}),
        (Role.BACKUP, False, False, {"unit"}),
        (Role.BACKUP, True, True, {"unit"}),
        (Role.FAULT, False, False, {"unit"}),
        (Role.FAULT, True, False, {"unit"}),
        (Role.FAULT, False, True, {"unit", "pair"}),
        (Role.STARTING, False, False, {"unit"}),
    ],
)
def test_what_a_paired_unit_takes(role: Role, peer: bool, forced: bool, taken: set[Scope]) -> None:
    """R13, R19: a Backup's settings are read-only but for its own; the pair's change through the Master."""
    seat = Seat(role, True, True, peer)
    found = {scope for scope, path in SCOPES.items() if not refusal([(path, scope)], seat, forced)}
    assert found == taken
    for scope, path in SCOPES.items():
        if scope not in taken:
            assert refusal([(path, scope)], seat, forced).startswith(path)
