# SPDX-License-Identifier: Apache-2.0
"""revisions: the last changes for the pages. A revision never changes, so the same ones are not asked for
again until there is another: one of a thousand phones is long."""

from __future__ import annotations

from typing import Any

from .site import Visit


class Revisions:
    """`last` revisions at a time, newest first, with the first `changes` of each, as `undo.plain`."""

    def __init__(self, last: int, changes: int) -> None:
        self._last, self._changes = last, changes
        self._key: object = None
        self._found: list[dict[str, Any]] = []

    async def of(self, visit: Visit, before: int | None = None) -> list[dict[str, Any]]:
        sync = visit.status.get("sync") or {}
        key = sync.get("history"), sync.get("revision"), before
        if key != self._key:
            asked = {"last": self._last, "before": before, "changes": self._changes}
            self._found = (await visit.unit.ask("log", asked))[::-1]
            self._key = key
        return self._found
