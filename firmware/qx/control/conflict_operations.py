# SPDX-License-Identifier: Apache-2.0
"""conflict_operations: what can be done with conflict snapshots, over the store and their folder (R10).

As `store_operations`: the daemon calls these in the store's thread, the command line itself where no daemon
runs. Secrets are never shown, only whether they are set, and leave the unit in an encrypted backup alone.
Imports no asyncio.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .. import __version__ as FIRMWARE
from ..errors import Refusal
from ..settings import delta, snapshot, undo
from ..settings.check import unknown
from ..settings.delta import Operation
from ..settings.store import Store
from ..settings.values import Plain
from ..settings.view import Settings
from ..sync.conflicts import Conflict, Conflicts, Found
from .store_operations import Changes

if TYPE_CHECKING:
    from ..settings.position import Position
    from ..settings.snapshot import Snapshot


def listed(conflicts: Conflicts) -> list[dict[str, Any]]:
    """Oldest first: {number, octets, damage} each, and where `damage` is empty what `_plain` says."""
    return [_found(found) for found in conflicts.found()]


def _found(found: Found) -> dict[str, Any]:
    plain: dict[str, Any] = {"number": found.number, "octets": found.octets, "damage": found.damage}
    if found.conflict is not None:
        plain |= _plain(found.conflict, found.revisions)
    return plain


def _plain(conflict: Conflict, revisions: int) -> dict[str, Any]:
    """Of JSON types. `revisions`: how many of those after `parting` the log still held."""
    return {
        "number": conflict.number,
        "when": conflict.when,
        "why": conflict.why,
        "action": conflict.action,
        "unit": conflict.unit,
        "peer": conflict.peer,
        "position": _place(conflict.position),
        "theirs": _place(conflict.theirs),
        "parting": conflict.parting,
        "revisions": revisions,
        "voice": list(conflict.voice),
    }


def _place(position: Position) -> dict[str, Any]:
    return {"history": position.history.hex(), "revision": position.rev}


def shown(store: Store, conflicts: Conflicts, number: int) -> dict[str, Any]:
    """What `listed` says of one, and `changes`: its revisions, oldest first, as `undo.plain`."""
    conflict = conflicts.read(number)
    try:
        tail = [undo.plain(store.schema, delta.parse(frame)) for frame in conflict.frames]
    except delta.BadFrame as error:
        raise Refusal(f"conflict {number}: {error}") from None
    return {**_plain(conflict, len(tail)), "changes": tail}


def difference(store: Store, conflicts: Conflicts, number: int) -> list[dict[str, Any]]:
    """Where it differs from now, by path: {path, before, after}: before is now, after what merging brings."""
    state = _snapshot(conflicts.read(number)).state
    theirs, now = dict(state.items()), _shared(store)
    paths = sorted(p for p in {*theirs, *now} if not _same(theirs.get(p), now.get(p)))
    operations = (Operation(path, now.get(path), theirs.get(path)) for path in paths)
    return [undo.shown(store.schema, operation).plain() for operation in operations]


def merging(store: Store, conflict: Conflict, paths: Iterable[str]) -> Changes:
    """These paths, and all at or below these rows and groups, as they stand in the snapshot: one ordinary
    commit, judged as any other. Raises BadSettings for a path that neither it nor this unit has."""
    there = _view(store, _snapshot(conflict))
    changes: dict[str, Plain] = {}
    for given in paths:
        path = store.schema.canonical(given)
        found = {*_at(there, path), *_at(store.settings, path)} if path else set[str]()
        if not found:
            raise unknown(store.settings, given)
        changes |= {p: there.explicit_value(p) for p in sorted(found) if _crosses(store, p)}
    return changes


def exported(store: Store, conflicts: Conflicts, number: int, passphrase: str) -> dict[str, Any]:
    """A configuration backup of it, as `store_operations.backed_up`."""
    from ..settings import archive  # noqa: PLC0415 - construct, and PyNaCl, for this alone

    conflict = conflicts.read(number)
    octets = archive.make(_view(store, _snapshot(conflict)), FIRMWARE, conflict.when, passphrase)
    return {"archive": octets, "left_out": sorted(archive.read(octets).left_out)}


def dropped(conflicts: Conflicts, number: int) -> dict[str, Any]:
    conflicts.drop(number)
    return {"dropped": number}


# --- within -------------------------------------------------------------------------------------------------
def _snapshot(conflict: Conflict) -> Snapshot:
    try:
        return snapshot.parse(conflict.snapshot)
    except snapshot.BadSnapshot as error:
        raise Refusal(f"conflict {conflict.number}: {error}") from None


def _view(store: Store, found: Snapshot) -> Settings:
    """The snapshot as this firmware sees it: what a newer one knew is not looked at."""
    known = {path: value for path, value in found.state.items() if store.reads(path, value)}
    return Settings(store.model, known, store.schema)


def _at(settings: Settings, path: str) -> set[str]:
    """What is set at that path or below it."""
    below = f"{path}."
    return {p for p in settings.explicit_paths() if p == path or p.startswith(below)}


def _crosses(store: Store, path: str) -> bool:
    setting = store.schema.find(path)
    return setting is not None and setting.scope != "unit"


def _shared(store: Store) -> dict[str, Plain]:
    settings = store.settings
    return {p: settings.explicit_value(p) for p in settings.explicit_paths() if _crosses(store, p)}


def _same(one: Plain, other: Plain) -> bool:
    return type(one) is type(other) and one == other
