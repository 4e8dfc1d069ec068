# SPDX-License-Identifier: Apache-2.0
"""tables: what the store keeps in its database: the tables, how older ones become these, and reading all.

Knows SQL and the database, and decides nothing about settings. Format 2 has, beside format 1's meta, kv, own
and unit_state: log (a delta frame a revision) and history; in meta `position` (history, revision, chain and
state hash), `pending` (the term in which the next commit opens a history, nil for none) and `clean`. Format 3
adds the manifest of the voice data, which sync/voice/manifest.py reads and writes; it is here so that one
transaction can move both. It is made anew from the tree of files where it is lost.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Refusal
from ..packing import NotPacked, pack, unpack
from .database import Database, StoreDamaged
from .plain import is_path, is_value
from .position import HISTORY_SIZE, START, History, Position, chain_after
from .state import State
from .values import Plain

SCHEMA_VERSION = 3

_VALUES = "(path TEXT PRIMARY KEY, v BLOB NOT NULL, rev INTEGER NOT NULL) WITHOUT ROWID"
_NAMED = "(name TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID"
_FORMAT_2 = (
    "CREATE TABLE log(rev INTEGER PRIMARY KEY, frame BLOB NOT NULL)",
    "CREATE TABLE history(fork_rev INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, term INTEGER NOT NULL, "
    "fork_chain BLOB NOT NULL)",
)
# A file is a row by folder and name, octets as the file system has them. `stat` is its key (inode, size,
# mtime, ctime), empty where the file is to be read again; `shared`: the other unit has it; `run`: the start
# of the daemon in which the row was written.
_FORMAT_3 = (
    "CREATE TABLE voice_file(folder BLOB NOT NULL, name BLOB NOT NULL, size INTEGER NOT NULL, "
    "mtime INTEGER NOT NULL, hash BLOB NOT NULL, stat BLOB NOT NULL, state INTEGER NOT NULL, "
    "shared INTEGER NOT NULL, run INTEGER NOT NULL, PRIMARY KEY(folder, name)) WITHOUT ROWID",
    "CREATE INDEX voice_hash ON voice_file(hash)",
    "CREATE INDEX voice_state ON voice_file(state) WHERE state <> 0",
    "CREATE INDEX voice_fresh ON voice_file(shared) WHERE shared = 0",
    "CREATE TABLE voice_folder(folder BLOB PRIMARY KEY, sum BLOB NOT NULL, files INTEGER NOT NULL, "
    "octets INTEGER NOT NULL, stats BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE voice_intent(number INTEGER PRIMARY KEY, source BLOB NOT NULL, path BLOB NOT NULL, "
    "hash BLOB NOT NULL)",
)
_TABLES = (
    f"CREATE TABLE meta{_NAMED}",
    f"CREATE TABLE kv{_VALUES}",
    f"CREATE TABLE own{_VALUES}",
    f"CREATE TABLE unit_state{_NAMED}",
    *_FORMAT_2,
    *_FORMAT_3,
)


@dataclass(frozen=True, slots=True)
class Content:
    """All that the database holds besides the log."""

    position: Position
    histories: tuple[History, ...]
    state: State
    own: Mapping[str, Plain]
    own_rev: int
    unit_state: Mapping[str, Any]
    pending: int | None
    clean: bool


def create(db: Database) -> None:
    """An empty store. Within no transaction."""
    with db.transaction():
        for table in _TABLES:
            db.execute(table)
        put_meta(
            db, _meta(Position(), State(), None, True) | {"own_rev": 0, "schema_version": SCHEMA_VERSION}
        )


def _meta(position: Position, state: State, pending: int | None, clean: bool) -> dict[str, Any]:
    at = (position.history, position.rev, position.chain, state.digest)
    return {"position": at, "pending": pending, "clean": clean}


def put_meta(db: Database, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        db.execute("INSERT INTO meta VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET v = ?2",
                   (name, pack(value)))  # fmt: skip


def put_position(db: Database, position: Position, state: State, marked: bool = True) -> None:
    """With every commit. It also takes the mark of a clean end away, and any history that was due, where one
    of the two is there (`marked`)."""
    meta = _meta(position, state, None, False)
    put_meta(db, meta if marked else {"position": meta["position"]})


def put_values(db: Database, table: str, values: Mapping[str, Plain], rev: int) -> None:
    """None takes a row away."""
    for path in sorted(values):
        value = values[path]
        if value is None:
            db.execute(f"DELETE FROM {table} WHERE path = ?", (path,))
        else:
            db.execute(f"INSERT OR REPLACE INTO {table} VALUES(?, ?, ?)", (path, pack(value), rev))


def put_history(db: Database, history: History) -> None:
    row = (history.fork_rev, history.id, history.term, history.fork_chain)
    db.execute("INSERT OR REPLACE INTO history VALUES(?, ?, ?, ?)", row)


def put_unit_state(db: Database, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        db.execute("INSERT OR REPLACE INTO unit_state VALUES(?, ?)", (name, pack(value)))


def replace_shared(db: Database, position: Position, histories: Iterable[History], state: State) -> None:
    """Everything that comes from the other unit, anew. The log goes: it leads elsewhere."""
    for table in ("kv", "log", "history"):
        db.execute(f"DELETE FROM {table}")
    put_values(db, "kv", dict(state.items()), position.rev)
    for history in histories:
        put_history(db, history)
    put_position(db, position, state)


# --- reading ------------------------------------------------------------------------------------------------
def read(db: Database) -> Content:
    """Looks through the file and reads it; an older format is migrated first. Raises StoreDamaged, and
    Refusal for the format of a newer firmware."""
    db.check()
    try:
        meta = _named(db, "name", "meta")
        version = int(meta["schema_version"])
        if version > SCHEMA_VERSION:
            raise Refusal(
                f"{db.file}: format {version} of newer firmware; expected {SCHEMA_VERSION} or older"
            )
        if version == 1:
            _migrate_1(db, meta)
            version = 2
        if version == 2:
            _migrate_2(db)
            meta = _named(db, "name", "meta")
        return _content(db, meta)
    except (KeyError, ValueError, TypeError, NotPacked) as error:
        raise StoreDamaged(f"{db.file}: damaged settings database ({error!r})") from None


def _content(db: Database, meta: Mapping[str, Any]) -> Content:
    history, rev, chain, state_hash = meta["position"]
    state = State.of(_values(db, "kv"))
    if state.digest != state_hash:
        raise ValueError("the settings are not those of the state hash")
    histories = tuple(
        History(bytes(h), int(term), int(fork), bytes(fork_chain))
        for fork, h, term, fork_chain in db.rows(
            "SELECT fork_rev, id, term, fork_chain FROM history ORDER BY fork_rev"
        )
    )
    own_rev, clean = int(meta["own_rev"]), bool(meta["clean"])
    unit_state = _named(db, "name", "unit_state")
    position = Position(bytes(history), int(rev), bytes(chain))
    return Content(
        position, histories, state, _values(db, "own"), own_rev, unit_state, meta["pending"], clean
    )


def _named(db: Database, key: str, table: str) -> dict[str, Any]:
    return {str(name): unpack(value) for name, value in db.rows(f"SELECT {key}, v FROM {table}")}


def _values(db: Database, table: str) -> dict[str, Plain]:
    values = _named(db, "path", table)
    for path, value in values.items():
        if not is_path(path) or not is_value(value):
            raise ValueError(f"{table}: {path[:60]!r}: expected a setting's path and value")
    return values


def _migrate_1(db: Database, meta: Mapping[str, Any]) -> None:
    """Format 1 had no log and no history. What stands in it becomes the one revision of a new history."""
    rev, own_rev = int(meta["rev"]), int(meta["own_rev"])
    state = State.of(_values(db, "kv"))
    term = int(_named(db, "name", "unit_state").get("term", 0))
    with db.transaction():
        for table in _FORMAT_2:
            db.execute(table)
        position = Position()
        if rev:
            history = secrets.token_bytes(HISTORY_SIZE)
            put_history(db, History(history, term, 0, START))
            position = Position(history, rev, chain_after(START, history, rev, state.digest))
        put_meta(db, _meta(position, state, None, True))
        put_meta(db, {"own_rev": own_rev, "schema_version": 2})
        db.execute("DELETE FROM meta WHERE name = 'rev'")


def _migrate_2(db: Database) -> None:
    """Format 2 had no voice manifest: an empty one, which the first scan of the tree fills."""
    with db.transaction():
        for table in _FORMAT_3:
            db.execute(table)
        put_meta(db, {"schema_version": 3})
