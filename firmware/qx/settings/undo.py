# SPDX-License-Identifier: Apache-2.0
"""undo: the log as history: what each revision did, what lies between two, and how to take one back.

Of the store's thread, because the log is on flash. Secrets are never shown, only that they changed; what a
newer firmware set is shown as a path alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Refusal
from .delta import Delta, Operation
from .field import BadSettings, FieldError
from .schema import Schema
from .store import Store
from .values import Json, Plain


@dataclass(frozen=True, slots=True)
class Shown:
    """An operation as anyone may see it: texts, null for a default, "(set)" for a secret."""

    path: str
    before: str | None
    after: str | None

    def plain(self) -> dict[str, Json]:
        return {"path": self.path, "before": self.before, "after": self.after}


def shown(schema: Schema, operation: Operation) -> Shown:
    return Shown(
        operation.path,
        _text(schema, operation.path, operation.before),
        _text(schema, operation.path, operation.after),
    )


def _text(schema: Schema, path: str, value: Plain) -> str | None:
    setting = schema.find(path)
    if value is None:
        return None
    return "(set)" if setting is None or setting.secret else setting.type.text(value)


def plain(schema: Schema, change: Delta, most: int | None = None) -> dict[str, Any]:
    """A revision of JSON types, with the first `most` of its changes (None: all); `count` is of all."""
    return {
        "revision": change.position.rev,
        "history": change.position.history.hex(),
        "term": change.term,
        "when": change.when / 1000,
        "who": change.who,
        "what": change.what,
        "count": len(change.operations),
        "changes": [shown(schema, operation).plain() for operation in change.operations[:most]],
    }


def last(
    store: Store, count: int, before: int | None = None, most: int | None = None
) -> list[dict[str, Any]]:
    """The last revisions, oldest first, as `plain`; with `before` those before that revision."""
    return [plain(store.schema, change, most) for change in store.log.last(count, before)][::-1]


def net(deltas: Iterable[Delta]) -> Iterator[Operation]:
    """What all of them together did, sorted by path. Pure."""
    found: dict[str, Operation] = {}
    for change in deltas:
        for operation in change.operations:
            first = found.get(operation.path, operation)
            found[operation.path] = Operation(operation.path, first.before, operation.after)
    return (found[path] for path in sorted(found) if not _same(found[path].before, found[path].after))


def _same(one: Plain, other: Plain) -> bool:
    return type(one) is type(other) and one == other


def difference(store: Store, since: int, to: int | None = None) -> list[Shown]:
    """What changed from revision `since` to `to` (to now without it); backwards where `since` is the later
    one. Raises Refusal where the log does not reach that far."""
    to = store.revision if to is None else to
    low, high = sorted((since, to))
    _within(store, low, high)
    operations = list(net(store.log.between(low, high)))
    if since > to:
        operations = [Operation(o.path, o.after, o.before) for o in operations]
    return [shown(store.schema, operation) for operation in operations]


def untouched(store: Store, changes: Mapping[str, Plain], since: int) -> None:
    """Raises BadSettings naming those that were changed after revision `since` to something else."""
    if since == store.revision:
        return
    now = {one.path: one.after for one in difference(store, since) if one.path in changes}
    errors = [
        FieldError(path, f"somebody else has set it to {text or 'its default'} meanwhile")
        for path, text in now.items()
        if not store.settings.holds(path, changes[path])
    ]
    if errors:
        raise BadSettings(errors)


def _within(store: Store, low: int, high: int) -> None:
    first = store.revision if store.log.first is None else store.log.first - 1
    for rev in (low, high):
        if not first <= rev <= store.revision:
            raise Refusal(f"revision {rev}: expected one from {first} to {store.revision}")


def reverting(store: Store, rev: int) -> dict[str, Plain]:
    """The changes that take revision `rev` back. Raises Refusal where the log does not hold it, and naming
    the path where a later revision has changed it again."""
    first = store.revision + 1 if store.log.first is None else store.log.first
    if not first <= rev <= store.revision:
        kept = (
            f"one from {first} to {store.revision}" if first <= store.revision else "none: the log is empty"
        )
        raise Refusal(f"revision {rev}: expected {kept}")
    (change,) = store.log.between(rev - 1, rev)
    later = {o.path: d.position.rev for d in store.log.between(rev, store.revision) for o in d.operations}
    for operation in change.operations:
        if operation.path in later and not store.settings.holds(operation.path, operation.after):
            raise Refusal(
                f"{operation.path}: changed again in revision {later[operation.path]}; "
                f"expected to revert that one first"
            )
        if store.schema.find(operation.path) is None:
            raise Refusal(f"{operation.path}: set by newer firmware; expected a setting of this one")
    return {operation.path: operation.before for operation in change.operations}
