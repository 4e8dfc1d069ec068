# SPDX-License-Identifier: Apache-2.0
"""store: the settings of a unit on flash: one SQLite file, one connection, one `commit()`.

Synchronous and of one thread: the daemon calls it from one worker, the CLI directly when no daemon runs. All
settings are in memory as well; `settings`, `revision` and `unit_state_get` never touch the file and may be
read from any thread.

Tables: meta; kv (scopes shared and pair, what the peer is to have) with the revision `rev`; own (scope unit)
with its own count, so that a change of the unit's own never looks like history that the peer lacks; and
unit_state, which survives reboots and is no setting (role, mode, term).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Refusal
from ..model import Model
from ..packing import NotPacked, pack, unpack
from .check import validate
from .database import Database, StoreDamaged
from .schema import SCHEMA, Schema
from .values import Plain
from .view import Settings

SCHEMA_VERSION = 1

_TABLES = (
    "CREATE TABLE meta(name TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE kv(path TEXT PRIMARY KEY, v BLOB NOT NULL, rev INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE own(path TEXT PRIMARY KEY, v BLOB NOT NULL, rev INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE unit_state(name TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID",
)


@dataclass(frozen=True, slots=True)
class Revision:
    """What a commit left behind. `rev` counts commits of shared and pair settings, `own_rev` those of the
    unit's own; `changed` names the paths whose value differs from before (empty: nothing was written)."""

    rev: int
    own_rev: int
    changed: frozenset[str]


class Store:
    """The open store. Raises StoreBusy when another process holds it for longer than `wait` seconds,
    StoreDamaged when it cannot be read, Refusal when there is none."""

    def __init__(self, file: Path, model: Model, wait: float = 2.0, schema: Schema = SCHEMA) -> None:
        if not file.exists():
            raise Refusal(f"{file}: not found; expected the settings of a provisioned unit")
        self.file = file
        self.model = model
        self.schema = schema
        self._db = Database(file, wait)
        try:
            self._load()
        except BaseException:
            self._db.close()
            raise

    @classmethod
    def create(cls, file: Path) -> None:
        """Makes an empty store: every setting at its default. The factory step, and only it, does this."""
        with suppress(FileNotFoundError):
            file.unlink()
        file.touch(mode=0o600)  # it holds passwords; SQLite gives its other files the same mode
        db = Database(file, 0)
        try:
            with db.transaction():
                for table in _TABLES:
                    db.execute(table)
                for name, value in (("schema_version", SCHEMA_VERSION), ("rev", 0), ("own_rev", 0)):
                    db.execute("INSERT INTO meta VALUES(?, ?)", (name, pack(value)))
        finally:
            db.close()

    # --- reading: from memory, from any thread -----------------------------------------------------
    @property
    def settings(self) -> Settings:
        """All settings at this revision; immutable, and replaced whole by a commit."""
        return self._settings

    @property
    def revision(self) -> int:
        return self._rev

    def unit_state_get(self, name: str, default: Any = None) -> Any:
        """What must survive reboots and is no setting: role, mode, term."""
        return self._state.get(name, default)

    # --- writing -----------------------------------------------------------------------------------
    def commit(self, changes: Mapping[str, Plain], who: str, what: str) -> Revision:  # noqa: ARG002
        """Makes all of `changes` durable, or none. None as a value takes a setting back to its default.
        `who` and `what` say who did it and with which operation (the log of the next issue keeps them).
        Raises BadSettings when the settings as a whole would not be valid, Refusal when flash refuses."""
        before = self._settings
        after = validate(before, changes)
        changed = frozenset(
            p for p in changes if (before[p], before.explicit(p)) != (after[p], after.explicit(p))
        )
        scopes = {p: self._scope(p) for p in changed}
        rev = self._rev + any(scope != "unit" for scope in scopes.values())
        own_rev = self._own_rev + ("unit" in scopes.values())
        if not changed:
            return Revision(rev, own_rev, changed)
        with self._db.transaction():
            for path in sorted(changed):
                table, at = ("own", own_rev) if scopes[path] == "unit" else ("kv", rev)
                if after.explicit(path):
                    row = (path, pack(after[path]), at)
                    self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES(?, ?, ?)", row)
                else:
                    self._db.execute(f"DELETE FROM {table} WHERE path = ?", (path,))
            for name, value in (("rev", rev), ("own_rev", own_rev)):
                self._db.execute("UPDATE meta SET v = ? WHERE name = ?", (pack(value), name))
        self._settings, self._rev, self._own_rev = after, rev, own_rev
        return Revision(rev, own_rev, changed)

    def unit_state_put(self, values: Mapping[str, Any]) -> None:
        """Makes these durable together, and leaves the other names as they are."""
        with self._db.transaction():
            for name, value in values.items():
                self._db.execute("INSERT OR REPLACE INTO unit_state VALUES(?, ?)", (name, pack(value)))
        self._state = {**self._state, **values}

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- within ------------------------------------------------------------------------------------
    def _load(self) -> None:
        self._db.check()
        try:
            meta = self._table("name", "meta")
            explicit = {**self._table("path", "kv"), **self._table("path", "own")}
            self._state = self._table("name", "unit_state")
            version, self._rev, self._own_rev = (int(meta[n]) for n in ("schema_version", "rev", "own_rev"))
        except (KeyError, ValueError, TypeError, NotPacked) as error:
            raise StoreDamaged(f"{self.file}: damaged settings database ({error!r})") from None
        if version > SCHEMA_VERSION:
            raise Refusal(
                f"{self.file}: format {version} of newer firmware; expected {SCHEMA_VERSION} or older"
            )
        # What a newer firmware knew and this one does not stays on flash and is not looked at.
        known = {path: value for path, value in explicit.items() if self.schema.find(path) is not None}
        self._settings = Settings(self.model, known, self.schema)

    def _table(self, key: str, table: str) -> dict[str, Any]:
        return {str(name): unpack(value) for name, value in self._db.rows(f"SELECT {key}, v FROM {table}")}

    def _scope(self, path: str) -> str:
        setting = self.schema.find(path)
        return "" if setting is None else setting.scope
