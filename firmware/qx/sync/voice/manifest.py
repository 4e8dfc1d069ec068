# SPDX-License-Identifier: Apache-2.0
"""manifest: which files there are, with hash and stat key, in the settings' database. Of the store's thread.

Two levels: the root is made of the sums of folders, a folder's sum of its entries. A sum is the sum modulo
2^256 of the hashes of its members, so a file that comes, changes or goes moves it in a few microseconds,
however many others there are; the units trust each other by then, and every content has its own hash. Nothing
but the root and the digests of the folders' stat keys is held in memory.

Reads of the properties are from memory and from any thread.
"""

from __future__ import annotations

from collections.abc import Container, Generator, Iterable
from contextlib import contextmanager
from enum import IntEnum
from hashlib import blake2b
from typing import Any, NamedTuple

from ...packing import unpack
from ...settings import tables
from ...settings.database import Database
from .messages import HASH_SIZE, Entry
from .naming import joined, split

_MODULUS = 1 << 8 * HASH_SIZE
TOMBSTONES_MAX = 100_000


class State(IntEnum):
    SETTLED = 0
    UNSETTLED = 1  # to be read again: it was young, or it changed while it was read
    MISSING = 2  # not found by a scan; still counts until the scan has been judged
    GONE = 3  # a known deletion that the other unit may not have yet; counts no more


class Row(NamedTuple):
    name: bytes
    size: int
    mtime: int
    hash: bytes
    stat: bytes
    state: int
    shared: int

    @property
    def live(self) -> bool:
        return self.state != State.GONE


class Intent(NamedTuple):
    """A name that is to be moved: `source` takes the place of `path` (trash: `path` is empty)."""

    source: bytes
    path: bytes
    hash: bytes


_COLUMNS = "name, size, mtime, hash, stat, state, shared"


def _member(name: bytes, digest: bytes) -> int:
    return int.from_bytes(blake2b(name + b"\0" + digest, digest_size=HASH_SIZE).digest())


def _octets(number: int) -> bytes:
    return (number % _MODULUS).to_bytes(HASH_SIZE)


class Manifest:
    """Reads what the database holds. `run` counts starts: after an unclean end (`clean` was false) all rows
    written since the last clean one are to be read again, so that nothing that a cut emptied is published."""

    def __init__(self, db: Database, *, whole: bool = True) -> None:
        """Not `whole`: nothing of it may be used before `load` has said that all is read."""
        self._db = db
        found = {name: unpack(v) for name, v in db.rows("SELECT name, v FROM meta WHERE name LIKE 'voice_%'")}
        self.run = int(found.get("voice_run", 0)) + 1
        self.mark: bytes = found.get("voice_mark", b"")
        clean = int(found.get("voice_clean", 0))
        self._sum = self.files = self.octets = 0
        self.stats: dict[bytes, bytes] = {}  # folder to the digest of its keys; empty: to be looked through
        with db.transaction():
            if clean < self.run - 1:
                db.execute(
                    "UPDATE voice_file SET stat = x'', state = 1 WHERE run > ? AND state < 2", (clean,)
                )
                db.execute("UPDATE voice_folder SET stats = x''")
            # A scan that was not finished is not judged: what it missed is looked for anew.
            db.execute("UPDATE voice_file SET stat = x'', state = 1 WHERE state = 2")
            tables.put_meta(db, {"voice_run": self.run})
        self._loaded: bytes | None = None  # the last folder that was read
        while whole and self.load(1 << 30):
            pass

    def load(self, most: int) -> bool:
        """Reads the next folders into memory; false when there were no more."""
        start = ("", ()) if self._loaded is None else ("WHERE folder > ?", (self._loaded,))
        rows = self._db.rows(
            f"SELECT folder, sum, files, octets, stats FROM voice_folder {start[0]} ORDER BY folder LIMIT ?",
            (*start[1], most),
        )
        for folder, total, files, octets, stats in rows:
            self._sum += _member(folder, total) if files else 0
            self.files += files
            self.octets += octets
            self.stats[folder] = stats
            self._loaded = folder
        return bool(rows)

    def closed(self) -> None:
        """A clean end."""
        with self._db.transaction():
            tables.put_meta(self._db, {"voice_clean": self.run})

    def belongs(self, mark: bytes) -> None:
        """From now on this manifest is of the tree that has the mark."""
        with self._db.transaction():
            tables.put_meta(self._db, {"voice_mark": mark})
        self.mark = mark

    @property
    def root(self) -> bytes:
        return _octets(self._sum)

    # --- reading ------------------------------------------------------------------------------------
    def row(self, path: bytes) -> Row | None:
        rows = self._db.rows(f"SELECT {_COLUMNS} FROM voice_file WHERE folder = ? AND name = ?", split(path))
        return Row(*rows[0]) if rows else None

    def page(self, folder: bytes, after: bytes, most: int) -> list[Row]:
        """The next rows of a folder, by name."""
        return self.between(folder, after, None, most)

    def between(self, folder: bytes, after: bytes, last: bytes | None, most: int = -1) -> list[Row]:
        """The rows after one name up to another, that included; None: to the end."""
        upper, bound = ("", ()) if last is None else (" AND name <= ?", (last,))
        return [
            Row(*row)
            for row in self._db.rows(
                f"SELECT {_COLUMNS} FROM voice_file WHERE folder = ? AND name > ?{upper} "
                "ORDER BY name LIMIT ?",
                (folder, after, *bound, most),
            )
        ]

    def folders(
        self, after: bytes | None, last: bytes | None = None, most: int = -1
    ) -> list[tuple[bytes, bytes]]:
        """The folders after one up to another, that included; None: from the first, to the end. Those that
        have rows, known deletions included, with their sums."""
        first = b"" if after is None else after + b"\0"
        upper, bound = ("", ()) if last is None else (" AND folder <= ?", (last,))
        query = f"SELECT folder, sum FROM voice_folder WHERE folder >= ?{upper} ORDER BY folder LIMIT ?"
        return self._db.rows(query, (first, *bound, most))  # type: ignore[return-value]

    def where(self, digest: bytes, most: int = 4) -> list[bytes]:
        """Paths of files with this content."""
        query = "SELECT folder, name FROM voice_file WHERE hash = ? AND state < 2 LIMIT ?"
        return [joined(folder, name) for folder, name in self._db.rows(query, (digest, most))]

    def missing(self, after: tuple[bytes, bytes], most: int) -> tuple[list[bytes], int, tuple[bytes, bytes]]:
        """The next missing files, how many of them have content that no file has any more (moved ones do not
        count), and where to go on."""
        query = (
            "SELECT folder, name, NOT EXISTS (SELECT 1 FROM voice_file AS g WHERE g.hash = f.hash AND "
            "g.state < 2) FROM voice_file AS f WHERE state = 2 AND state <> 0 AND (folder, name) > (?, ?) "
            "ORDER BY folder, name LIMIT ?"
        )
        rows = self._db.rows(query, (*after, most))
        paths = [joined(folder, name) for folder, name, _ in rows]
        return paths, sum(lost for *_, lost in rows), rows[-1][:2] if rows else after

    def below(self, folder: bytes, found: Container[bytes]) -> list[bytes]:
        """The folders with rows, from this one down, that are not among the `found`."""
        inner = folder + b"/"
        return [
            f for f in self.stats if f not in found and (not folder or f == folder or f.startswith(inner))
        ]

    def fresh(self) -> bool:
        """Whether there is anything that the other unit may not have."""
        return bool(self._db.rows("SELECT 1 FROM voice_file WHERE shared = 0 LIMIT 1"))

    def unshared(self, most: int) -> list[bytes]:
        """Paths of files that the other unit may not have."""
        query = "SELECT folder, name FROM voice_file WHERE shared = 0 AND state <> 3 LIMIT ?"
        return sorted(joined(folder, name) for folder, name in self._db.rows(query, (most,)))

    # --- writing ------------------------------------------------------------------------------------
    @contextmanager
    def moving(self) -> Generator[Moving]:
        """One transaction: durable, and in memory, when the block ends. Raises Refusal."""
        moving = Moving(self._db, self.run)
        with self._db.transaction():
            yield moving
            total = moving.finish(self._sum)
        self._sum = total
        self.files += moving.files
        self.octets += moving.octets
        for folder in moving.touched:
            self.stats[folder] = b""
        for folder in moving.emptied:
            self.stats.pop(folder, None)

    def looked_through(self, stats: Iterable[tuple[bytes, bytes]]) -> None:
        """These folders are as their listing said: nothing of them is read until a key changes."""
        found = list(stats)
        with self._db.transaction():
            for folder, digest in found:
                self._db.execute("UPDATE voice_folder SET stats = ? WHERE folder = ?", (digest, folder))
        for folder, digest in found:
            self.stats[folder] = digest

    def all_shared(self, root: bytes, most: int) -> int:
        """The other unit has all that makes this `root`: files are marked so, known deletions are forgotten.
        Does the next `most` rows and returns how many they were; none once there is another root: what came
        meanwhile would be taken for something that the other unit has deleted."""
        if self.root != root:
            return 0
        query = "SELECT folder, name, state FROM voice_file WHERE shared = 0 LIMIT ?"
        rows = self._db.rows(query, (most,))
        with self.moving() as move:
            for folder, name, state in rows:
                if state == State.GONE:
                    move.forget(joined(folder, name))
                else:
                    move.share(joined(folder, name))
        return len(rows)

    # --- intents: what a batch is about to do to the tree ---------------------------------------------
    def intend(self, intents: Iterable[Intent]) -> None:
        with self._db.transaction():
            for number, intent in enumerate(intents):
                self._db.execute("INSERT INTO voice_intent VALUES(?, ?, ?, ?)", (number, *intent))

    def intents(self) -> list[Intent]:
        return [
            Intent(*row)
            for row in self._db.rows("SELECT source, path, hash FROM voice_intent ORDER BY number")
        ]


class Moving:
    """The changes of one transaction; sums of folders are written once, at its end."""

    def __init__(self, db: Database, run: int) -> None:
        self._db = db
        self._run = run
        self._sums: dict[bytes, list[Any]] = {}  # folder: sum before, sum, files, octets
        self.files = self.octets = 0
        self.touched: set[bytes] = set()
        self.emptied: set[bytes] = set()

    def put(self, entry: Entry, stat: bytes, state: State, shared: bool) -> bool:
        """Returns whether the content is other than before."""
        folder, name = split(entry.path)
        before = self._before(folder, name)
        row = (entry.size, entry.mtime, entry.hash, stat, int(state), int(shared), self._run)
        self._db.execute(
            "INSERT OR REPLACE INTO voice_file VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", (folder, name, *row)
        )
        live = before is not None and before[2] != State.GONE
        if live and before is not None and before[0] == entry.hash:
            self._add(folder, 0, 0, entry.size - before[1])
            return False
        if live and before is not None:
            self._add(folder, -_member(name, before[0]), -1, -before[1])
        self._add(folder, _member(name, entry.hash), 1, entry.size)
        return True

    def gone(self, path: bytes) -> bytes:
        """A known deletion from now on; returns the hash that it had, empty where there was no file."""
        folder, name = split(path)
        before = self._before(folder, name)
        if before is None or before[2] == State.GONE:
            return b""
        self._db.execute(
            "UPDATE voice_file SET stat = x'', state = 3, shared = 0, run = ? WHERE folder = ? AND name = ?",
            (self._run, folder, name),
        )
        self._add(folder, -_member(name, before[0]), -1, -before[1])
        return before[0]

    def forget(self, path: bytes) -> None:
        """As if it had never been."""
        folder, name = split(path)
        before = self._before(folder, name)
        if before is None:
            return
        self._db.execute("DELETE FROM voice_file WHERE folder = ? AND name = ?", (folder, name))
        if before[2] != State.GONE:
            self._add(folder, -_member(name, before[0]), -1, -before[1])
        else:
            self._add(folder, 0, 0, 0)

    def mark(self, path: bytes, state: State) -> None:
        """Another state among those that count."""
        folder, name = split(path)
        self._db.execute(
            "UPDATE voice_file SET state = ?, stat = x'' WHERE folder = ? AND name = ? AND state < 3",
            (int(state), folder, name),
        )
        self._add(folder, 0, 0, 0)

    def share(self, path: bytes) -> None:
        """The other unit has the same."""
        self._db.execute("UPDATE voice_file SET shared = 1 WHERE folder = ? AND name = ?", split(path))

    def intents_done(self) -> None:
        self._db.execute("DELETE FROM voice_intent")

    def bury(self) -> None:
        """Known deletions beyond the most that are kept are forgotten: those files come back then, which is
        the side to err on."""
        self._db.execute(
            "DELETE FROM voice_file WHERE state = 3 AND state <> 0 AND (folder, name) IN (SELECT folder, "
            "name FROM voice_file WHERE state = 3 AND state <> 0 ORDER BY run DESC LIMIT -1 OFFSET ?)",
            (TOMBSTONES_MAX,),
        )

    def finish(self, total: int) -> int:
        """Writes the folders; returns the sum of all after it."""
        for folder, (before, now, files, octets, had) in self._sums.items():
            if had:  # a folder counts while it has files, not for the sake of known deletions in it
                total -= _member(folder, _octets(before))
            left = files or self._db.rows("SELECT 1 FROM voice_file WHERE folder = ? LIMIT 1", (folder,))
            if left:
                row = (folder, _octets(now), files, octets)
                self._db.execute("INSERT OR REPLACE INTO voice_folder VALUES(?, ?, ?, ?, x'')", row)
                total += _member(folder, _octets(now)) if files else 0
            else:
                self._db.execute("DELETE FROM voice_folder WHERE folder = ?", (folder,))
                self.emptied.add(folder)
        return total % _MODULUS

    def _before(self, folder: bytes, name: bytes) -> tuple[bytes, int, int] | None:
        rows = self._db.rows(
            "SELECT hash, size, state FROM voice_file WHERE folder = ? AND name = ?", (folder, name)
        )
        return rows[0] if rows else None  # type: ignore[return-value]

    def _add(self, folder: bytes, member: int, files: int, octets: int) -> None:
        found = self._sums.get(folder)
        if found is None:
            rows = self._db.rows("SELECT sum, files, octets FROM voice_folder WHERE folder = ?", (folder,))
            total, had_files, had_octets = rows[0] if rows else (bytes(HASH_SIZE), 0, 0)
            number = int.from_bytes(total)
            found = self._sums[folder] = [number, number, had_files, had_octets, had_files > 0]
            self.touched.add(folder)
        found[1] = (found[1] + member) % _MODULUS
        found[2] += files
        found[3] += octets
        self.files += files
        self.octets += octets
