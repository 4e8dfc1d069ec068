# SPDX-License-Identifier: Apache-2.0
"""bond: what the installed keys make of a unit: bound to which peer, allowed what, lacking what. Pure.

R1 in one function, `permission`; R5 and R37 in another, `compare`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hmac import compare_digest

from .key import REDUNDANCY, FeatureKey, Licence

HOW = "install one with `qx licence install -`"


@dataclass(frozen=True, slots=True)
class Permission:
    """May this unit join a redundancy group? `why` names the reason if not; `fault` tells that it must not
    run standalone either, because its data names a peer (R1)."""

    allowed: bool
    why: str = ""
    fault: bool = False


def permission(
    damage: str, redundancy: Licence | None, refused: str, peer: str | None, serial: str
) -> Permission:
    """`damage`: what is wrong with the files, empty if nothing is. `redundancy`: the redundancy key's public
    part if there is a good one; `refused`: why one that is installed is not. `peer`: whom the data names."""
    if damage:
        return Permission(False, damage, True)
    if redundancy is not None and redundancy.serial == serial:
        return Permission(True)
    named = peer is not None
    if redundancy is not None:
        why = f"the redundancy key is for serial number {redundancy.serial}, and this unit is {serial}"
        return Permission(False, why, named)
    if refused:
        return Permission(False, refused, named)
    if named:
        return Permission(
            False, f"the redundancy key is missing, and this unit is paired with {peer}; {HOW}", True
        )
    return Permission(False, f"no redundancy key is installed; {HOW}")


def bound_to(keys: Sequence[FeatureKey]) -> str | None:
    """The peer to whom these keys, in the order of their installation, bind the unit: the last redundancy
    key's; without any, that of the others."""
    binding = [k for k in keys if REDUNDANCY in k.licence.features] or keys
    return binding[-1].licence.peer if binding else None


def features(licences: Iterable[Licence]) -> frozenset[str]:
    return frozenset().union(*(licence.features for licence in licences))


def unbound(ours: Licence, theirs: Licence) -> str:
    """Why these two redundancy keys do not make a pair, empty when they do (R5)."""
    if theirs.serial != ours.peer:
        return f"our key names {ours.peer} as the peer; the other unit's key is for {theirs.serial}"
    if theirs.peer != ours.serial:
        return f"the other unit's key names {theirs.peer} as its peer; this unit is {ours.serial}"
    if ours.set_id != theirs.set_id:
        return f"keys of different sets: {ours.set_id.hex()} here, {theirs.set_id.hex()} on the other unit"
    if not compare_digest(ours.pair_hash or b"", theirs.pair_hash or b""):
        return "keys of one set with different pair keys"
    return ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The keys of two units side by side (R5, R37): `unbound` says why they are no pair, empty if they are;
    then which features the one has a key for and the other has not."""

    unbound: str
    peer_lacks: tuple[str, ...]
    we_lack: tuple[str, ...]


def compare(ours: Sequence[Licence], theirs: Sequence[Licence]) -> Comparison:
    """`ours` are the keys in force here, `theirs` what the peer's hello has shown, both with their signatures
    verified. Of theirs only those count that bind the peer to this unit."""
    mine, others = (_last(licences) for licences in (ours, theirs))
    if mine is None or others is None:
        return Comparison(f"{'the other' if mine else 'this'} unit has no redundancy key", (), ())
    bound = [x for x in theirs if (x.serial, x.peer) == (mine.peer, mine.serial)]
    here, there = features(ours), features(bound)
    return Comparison(unbound(mine, others), tuple(sorted(here - there)), tuple(sorted(there - here)))


def _last(licences: Sequence[Licence]) -> Licence | None:
    return next((x for x in reversed(licences) if REDUNDANCY in x.features), None)
