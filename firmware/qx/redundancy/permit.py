# SPDX-License-Identifier: Apache-2.0
"""permit: which settings may be changed on this unit now (R13, R19). Pure, and light to import."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..settings.schema import Scope


@dataclass(frozen=True, slots=True)
class Seat:
    """How the unit stands when settings are to be changed. `paired`: it has met its peer and pinned it.
    `peer_follows`: the session is up, and the Backup takes what is set."""

    role: str  # as `qx status` names it
    member: bool
    paired: bool
    peer_follows: bool


def refusal(scopes: Iterable[tuple[str, Scope]], seat: Seat, forced: bool = False) -> str:
    """Why these settings may not be changed here and now; empty where they may. `scopes`: path and scope of
    each; `forced`: the administrator takes it upon himself that the two units differ."""
    for path, scope in sorted(scopes):
        why = "" if scope == "unit" else _shared(path, scope, seat, forced)
        if why:
            return why
    return ""


def _shared(path: str, scope: Scope, seat: Seat, forced: bool) -> str:
    """A setting that both units have."""
    if not seat.member or not seat.paired:
        return ""  # a unit alone, or one of a pair to be: what is set here crosses at the first pairing
    if seat.role == "backup" or (seat.role != "master" and scope != "pair"):
        return f"{path}: read-only on a unit in role {seat.role}; set it on the Master"
    if scope == "pair" and not seat.peer_follows and not forced:
        return (
            f"{path}: a parameter of the pair, and the other unit is away; expected both units up, "
            "or `--force` to change it on this one alone"
        )
    if scope == "pair" and seat.role != "master" and not forced:
        return f"{path}: a parameter of the pair; set it on the Master, or with `--force` on this unit alone"
    return ""
