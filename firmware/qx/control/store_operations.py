# SPDX-License-Identifier: Apache-2.0
"""store_operations: settings read and written for a face, on the store alone: with a daemon or without.

`operations` calls these in the store's thread, the command line calls them itself where no daemon runs, so
both answer the same. Imports no asyncio.
"""

from __future__ import annotations

from typing import Any

from ..settings.check import read_changes, unknown
from ..settings.store import Store
from ..settings.view import Settings


def read_settings(settings: Settings, paths: list[str]) -> list[dict[str, Any]]:
    """What stands at these paths and below these groups, all without any: a list of {path, text, json}. A
    secret is never told, only whether it is set. Raises BadSettings for a path that does not exist."""
    wanted: dict[str, None] = {}
    for path in paths or [""]:
        found = list(settings.paths(path))
        if not found:
            raise unknown(settings, path)
        wanted.update(dict.fromkeys(found))
    return [_shown(settings, path) for path in wanted]


def _shown(settings: Settings, path: str) -> dict[str, Any]:
    setting = settings.schema.find(path)
    assert setting is not None
    value = settings[path]
    if setting.secret:
        return {"path": path, "text": "(set)" if value else "(not set)", "json": {"set": bool(value)}}
    return {"path": path, "text": settings.text(path), "json": setting.type.json(value)}


def write_settings(store: Store, changes: dict[str, str], who: str) -> dict[str, Any]:
    """Commits PATH=TEXT, whole or not at all: {revision, changed, durable}. Raises BadSettings."""
    revision = store.commit(read_changes(store.settings, changes), who, "set")
    return {"revision": revision.rev, "changed": sorted(revision.changed), "durable": "this"}
