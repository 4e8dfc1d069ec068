# SPDX-License-Identifier: Apache-2.0
"""store: the settings of a unit on flash: one SQLite file, one connection, one `commit()`.

Synchronous and of one thread: the daemon calls it from one worker, the CLI directly when no daemon runs. All
settings are in memory as well: `settings`, `position`, `standing` and `unit_state_get` never touch the file
and may be read from any thread.

A commit moves the scopes shared and pair (table kv) one revision on and makes one delta frame, which is the
row of the log and what the peer is sent; the unit's own (table own) have a count of their own, so that they
never look like history that the peer lacks. unit_state survives reboots and is no setting (role, mode, term).
`tables` says what is kept, `following` what a Backup does instead of committing.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import delta, tables
from .check import validate
from .database import Database
from .following import Following, OutOfStep, StateDiffers
from .holding import Revision
from .position import HISTORY_SIZE, History
from .tables import SCHEMA_VERSION
from .values import Plain

__all__ = ["SCHEMA_VERSION", "OutOfStep", "Revision", "StateDiffers", "Store"]


class Store(Following):
    """The open store. Raises StoreBusy when another process holds it for longer than `wait` seconds,
    StoreDamaged when it cannot be read, Refusal when there is none. With `recover` a damaged one is restored
    from the newest snapshot beside it if there is one; `notices` says so then."""

    @classmethod
    def create(cls, file: Path) -> None:
        """Makes an empty store: every setting at its default. The factory step, and only it, does this."""
        with suppress(FileNotFoundError):
            file.unlink()
        file.touch(mode=0o600)  # it holds passwords; SQLite gives its other files the same mode
        db = Database(file, 0)
        try:
            tables.create(db)
        finally:
            db.close()

    def commit(
        self, changes: Mapping[str, Plain], who: str, what: str, *, new_history: bool = False
    ) -> Revision:
        """Makes all of `changes` durable, or none. None as a value takes a setting back to its default.
        `who` and `what` say who did it and with which operation. `new_history`: the revision opens one (after
        a restore). Raises BadSettings when the settings as a whole would not be valid, Refusal when flash
        refuses."""
        before = self._settings
        after = validate(before, changes)
        changed = frozenset(
            p for p in changes if (before[p], before.explicit(p)) != (after[p], after.explicit(p))
        )
        own = {p: after.explicit_value(p) for p in changed if self._scope(p) == "unit"}
        shared = {p: after.explicit_value(p) for p in changed if p not in own}
        own_rev = self._own_rev + bool(own)
        if not changed:
            return Revision(self._position.rev, own_rev, changed)
        if not shared:
            with self._transaction():
                self._put_own(own, own_rev)
            self._moved(self._position, self._histories, self._state, after, own_rev)
            return self._done(Revision(self._position.rev, own_rev, changed))
        history = self._next_history(new_history)
        state = self._state.replaced(shared)
        operations = delta.operations({p: self._state.value(p) for p in shared}, shared)
        now = int(time.time() * 1000)
        frame, position = delta.build(self._position, history, state.digest, operations, now, who, what)
        with self._transaction():
            if own:
                self._put_own(own, own_rev)
            self._put_shared(position, history, state, shared, frame)
        self._pending, self._clean = None, False
        self._moved(position, self._with_history(history), state, after, own_rev)
        return self._done(Revision(position.rev, own_rev, changed, frame))

    def open_history(self, term: int, unit_state: Mapping[str, Any] | None = None) -> None:
        """At a promotion: the next commit opens a new history, in this term. `unit_state` (role, term) is
        made durable with it. For a Master that starts again in the term of its history nothing is opened."""
        kept = dict(unit_state or {})
        due = term != self._term or not self._histories or self._pending is not None
        with self._transaction():
            if due:
                tables.put_meta(self._db, {"pending": term})
            tables.put_unit_state(self._db, kept)
        self._pending = term if due else None
        self._unit_state = {**self._unit_state, **kept}
        self._keeper.changed()

    def renew_history(self) -> None:
        """The next commit opens a new history, in the present term: what came after this revision is known
        to another unit and not to this one, and no revision may be used twice."""
        if self._pending is not None:
            return
        with self._transaction():
            tables.put_meta(self._db, {"pending": self._term})
        self._pending = self._term

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- within ------------------------------------------------------------------------------------
    def _next_history(self, new: bool) -> History:
        """The history of the next commit: the present one, or a new one where one is due."""
        if self._histories and self._pending is None and not new:
            return self._histories[-1]
        term = self._term if self._pending is None else self._pending
        return History(secrets.token_bytes(HISTORY_SIZE), term, self._position.rev, self._position.chain)

    def _put_own(self, own: Mapping[str, Plain], own_rev: int) -> None:
        tables.put_values(self._db, "own", own, own_rev)
        tables.put_meta(self._db, {"own_rev": own_rev})
