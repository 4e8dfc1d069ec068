# SPDX-License-Identifier: Apache-2.0
"""store_operations: settings read and written for a face, on the store alone: with a daemon or without.

`operations` calls these in the store's thread, the command line calls them itself where no daemon runs, so
both answer the same. Imports no asyncio.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import __version__ as FIRMWARE
from ..settings import undo
from ..settings.check import read_changes, unknown
from ..settings.store import Store
from ..settings.values import Plain
from ..settings.view import Settings

if TYPE_CHECKING:
    from ..settings.archive import Restoring

Changes = Mapping[str, Plain]  # None: back to the default

LOG_LAST, LOG_MAX = 20, 1000  # revisions told


def read_settings(settings: Settings, paths: list[str]) -> list[dict[str, Any]]:
    """What stands at these paths and below these groups, all without any: a list of {path, text, json}. A
    secret is never told, only whether it is set. Raises BadSettings for a path that does not exist."""
    wanted: dict[str, None] = {}
    for given in paths or [""]:
        found = list(settings.paths(settings.schema.canonical(given)))
        if not found:
            raise unknown(settings, given)
        wanted.update(dict.fromkeys(found))
    return [_shown(settings, path) for path in wanted]


def _shown(settings: Settings, path: str) -> dict[str, Any]:
    setting = settings.schema.find(path)
    assert setting is not None
    value = settings[path]
    if setting.secret:
        return {"path": path, "text": "(set)" if value else "(not set)", "json": {"set": bool(value)}}
    return {"path": path, "text": settings.text(path), "json": setting.type.json(value)}


# --- what to commit -----------------------------------------------------------------------------------------
def setting(store: Store, texts: Mapping[str, str], since: int | None = None) -> Changes:
    """PATH=TEXT as changes. Raises BadSettings, also for those that were changed after revision `since`."""
    changes = read_changes(store.settings, texts)
    if since is not None:
        undo.untouched(store, changes, since)
    return changes


def unsetting(store: Store, paths: list[str]) -> Changes:
    """These paths, and all that is set below these rows and groups, back to their defaults; a row goes away.
    Raises BadSettings for a path that does not exist."""
    changes: dict[str, Plain] = {}
    for given in paths:
        path = store.settings.schema.canonical(given)
        found = list(store.settings.paths(path)) if path else []
        if not found:
            raise unknown(store.settings, given)
        changes |= {found_path: None for found_path in found if store.settings.explicit(found_path)}
    return changes


def reverting(store: Store, rev: int) -> Changes:
    """Revision `rev` undone. Raises Refusal where it is not known or was changed again since."""
    return undo.reverting(store, rev)


def restoring(store: Store, octets: bytes, passphrase: str) -> Restoring:
    """Raises BadArchive, BadSettings."""
    from ..settings import archive  # noqa: PLC0415 - construct, and PyNaCl, for this alone

    return archive.restoring(store.settings, octets, passphrase)


def differing(store: Store, changes: Changes) -> dict[str, Plain]:
    """Those of the changes that would change something."""
    return {path: value for path, value in changes.items() if not store.settings.holds(path, value)}


def committed(
    store: Store, changes: Changes, who: str, what: str, *, new_history: bool = False
) -> dict[str, Any]:
    """Commits, whole or not at all: {revision, changed, durable}. Raises BadSettings."""
    revision = store.commit(changes, who, what, new_history=new_history)
    return {"revision": revision.rev, "changed": sorted(revision.changed), "durable": "this"}


# --- what was -----------------------------------------------------------------------------------------------
def revisions(
    store: Store, last: int | None, before: int | None, changes: int | None = None
) -> list[dict[str, Any]]:
    """The last revisions (LOG_LAST of them without `last`), oldest first: see `undo.plain`."""
    return undo.last(store, LOG_LAST if last is None else min(last, LOG_MAX), before, changes)


def difference(store: Store, since: int, to: int | None) -> list[dict[str, Any]]:
    return [operation.plain() for operation in undo.difference(store, since, to)]


def backed_up(store: Store, passphrase: str) -> dict[str, Any]:
    """{archive: octets, left_out: paths of secrets that are not in it}."""
    from ..settings import archive  # noqa: PLC0415 - see above

    octets = archive.make(store.settings, FIRMWARE, int(time.time()), passphrase)
    return {"archive": octets, "left_out": sorted(archive.read(octets).left_out)}
