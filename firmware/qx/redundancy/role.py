# SPDX-License-Identifier: Apache-2.0
"""role: which role the unit is in, decided from what the engine sees and what the control plane knows. Pure.

The engine decides in microseconds who holds the addresses; this says what that means: for the user (role,
mode and, in fault, why), for the applications (run or not) and for the engine's lease (would this unit be fit
to take over).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from .engine import Block, EngineView, State
from .join import Join
from .peer.hello import Mismatch
from .plan import Plan


class Role(StrEnum):
    STANDALONE = "standalone"
    STARTING = "starting"
    MASTER = "master"
    BACKUP = "backup"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another station holds an address that this unit is to claim. `which`: 0 Virtual IP, 1 LAN, 2 WAN."""

    which: int
    address: str
    mac: str

    def __str__(self) -> str:
        names = ("redundancy.virtual_ip", "network.lan.address", "network.wan.address")
        return f"{names[self.which]}: {self.address} is held by the station {self.mac}"


@dataclass(frozen=True, slots=True)
class Known:
    """What the control plane knows beyond the engine's view."""

    plan: Plan | None  # None: not attached yet
    trouble: str = ""  # why the plan could not be made true
    joined: Join = Join(False)  # noqa: RUF009 - it is frozen
    conflicts: tuple[Conflict, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()
    unpaired: str = ""  # why the authenticated peer and this unit are no pair (R5)
    copying: bool = False  # it has met its peer and not finished the first copy of its state


@dataclass(frozen=True, slots=True)
class Standing:
    role: Role
    mode: str | None = None
    why: str = ""  # one line, in fault and where a Backup would not take over

    def __str__(self) -> str:
        mode = f" ({self.mode})" if self.mode else ""
        return f"{self.role}{mode}{': ' if self.why else ''}{self.why}"

    @property
    def applications(self) -> bool:
        """Do the applications run in this role?"""
        return self.role in (Role.MASTER, Role.STANDALONE)


# The peer's parameters that make its advertisements unreadable for us: they end in fault (R4). The rest is
# named and counts from the first copy on (R5).
UNREADABLE = ("redundancy.group_id", "redundancy.vrrp_version", "redundancy.advertisement_interval")


def unreadable(mismatches: Iterable[Mismatch]) -> Mismatch | None:
    """The first of those that keep the two units from hearing each other."""
    return next((mismatch for mismatch in mismatches if mismatch.parameter in UNREADABLE), None)


def _alone(known: Known, view: EngineView) -> Standing:
    if known.conflicts and not view.holding:
        return Standing(Role.FAULT, why=str(known.conflicts[0]))
    if view.holding:
        return Standing(Role.STANDALONE, why=known.joined.note)
    if not view.link:
        return Standing(Role.STARTING, why="the LAN port has no link; the address is claimed once it has")
    return Standing(Role.STARTING)


def _listening(known: Known, view: EngineView) -> Standing:
    if view.parameter and (mismatch := unreadable(known.mismatches)):
        return Standing(Role.FAULT, why=str(mismatch))
    if view.block == Block.CONFLICT and known.conflicts:
        return Standing(Role.FAULT, why=str(known.conflicts[-1]))
    unfit = _unfit(known)
    return Standing(Role.BACKUP, "active", f"does not take over: {unfit}" if unfit else "")


def standing(known: Known, view: EngineView) -> Standing:
    """Role, mode and reason of this moment."""
    if known.joined.barred or known.trouble:
        return Standing(Role.FAULT, why=known.joined.barred or known.trouble)
    if known.plan is None:
        return Standing(Role.STARTING)
    if not known.plan.group:
        return _alone(known, view)
    if view.state == State.MASTER:
        return Standing(Role.MASTER)
    own = next((c for c in known.conflicts if c.which == 0), None)
    if own and not view.ready:
        return Standing(Role.FAULT, why=str(own))
    if not view.link:
        return Standing(Role.FAULT, why="the LAN port has no link")
    if known.unpaired:
        return Standing(Role.FAULT, why=known.unpaired)
    if known.plan.passive:
        return Standing(Role.BACKUP, "passive")
    if view.state == State.BACKUP:
        return _listening(known, view)
    return Standing(Role.STARTING)


def _unfit(known: Known) -> str:
    if known.unpaired:
        return known.unpaired
    for mismatch in known.mismatches:
        if mismatch.parameter in ("network.lan.address", "network.wan.address"):
            return str(mismatch)
    return "its first copy of the Master's state is not finished" if known.copying else ""


def fit(known: Known) -> bool:
    """Would this unit serve what the peer serves? A second unit that still has factory addresses would not:
    it does not take over before it has the Master's, nor does a unit that is no pair with the peer (R5)."""
    return not _unfit(known)
