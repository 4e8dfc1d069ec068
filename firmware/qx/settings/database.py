# SPDX-License-Identifier: Apache-2.0
"""database: one SQLite file opened as the store needs it, and what goes wrong with it put into words.

Knows SQLite and nothing of settings. WAL with synchronous=FULL; locking_mode=EXCLUSIVE is set before the
first access, so there is one process at a time and no shared memory file (and no WAL-reset bug of SQLite
3.7.0 to 3.51.2). A flush that failed is never tried again: the database takes no write until it is opened
anew, since the kernel reports such an error once, and a second flush that succeeds proves nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import Refusal
from .values import shorten

CACHE = 256  # KiB of pages (SQLite's own: 2,000): all settings are in memory, and the kernel has the file


class StoreBusy(Refusal):
    """Another process has the settings open."""


class StoreDamaged(Refusal):
    """The file is no settings database, or a broken one."""


class NoSpace(Refusal):
    """The file system is full; nothing was changed, and it may be tried again when there is space."""


class StoreFailed(Refusal):
    """A write or a flush failed: no change is taken until the file is opened anew."""


class Database:
    """The open file. Raises StoreBusy when another process holds it for longer than `wait` seconds."""

    def __init__(self, file: Path, wait: float) -> None:
        self.file = file
        self._failed = ""
        self._db = self._connect(wait)

    def _connect(self, wait: float) -> sqlite3.Connection:
        db = None
        try:
            db = sqlite3.connect(self.file, timeout=wait, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute(f"PRAGMA cache_size=-{CACHE}")
            db.execute("BEGIN IMMEDIATE")  # takes the lock for good: a COMMIT does not give it back
            db.execute("COMMIT")
        except sqlite3.Error as error:
            if db is not None:
                db.close()
            raise self._explained(error) from None
        return db

    def check(self) -> None:
        """Looks through the file. Raises StoreDamaged."""
        try:
            damage = str(self._db.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.Error as error:
            raise self._explained(error) from None
        if damage != "ok":
            raise StoreDamaged(f"{self.file}: damaged settings database ({shorten(damage)})")

    def rows(self, query: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._explained(error) from None

    def execute(self, statement: str, row: tuple[Any, ...] = ()) -> None:
        """Within `transaction()`, which puts its errors into words."""
        self._db.execute(statement, row)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing: durable when the block ends, rolled back on any error in it. Raises Refusal."""
        if self._failed:
            raise StoreFailed(self._failed)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise self._write_error(error) from None
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")

    def _write_error(self, error: sqlite3.Error) -> Refusal:
        if _code(error) == sqlite3.SQLITE_FULL:
            return NoSpace(f"{self.file}: no space left; nothing was changed")
        self._failed = f"{self.file}: writing failed ({error}); no change is taken until a restart"
        return StoreFailed(self._failed)

    def _explained(self, error: sqlite3.Error) -> Refusal:
        if _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreBusy(f"{self.file}: in use by another process; expected to be its only user")
        broken = any(words in str(error) for words in ("no such", "decode"))
        if _code(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT) or broken:
            return StoreDamaged(f"{self.file}: damaged settings database ({error})")
        return Refusal(f"{self.file}: {error}; expected a settings database that can be read and written")

    def close(self) -> None:
        self._db.close()


def _code(error: sqlite3.Error) -> int:
    """The primary result code; the extended one (SQLITE_IOERR_FSYNC, …) has it in its low octet."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
