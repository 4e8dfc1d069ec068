# SPDX-License-Identifier: Apache-2.0
"""log: the delta frames of the last revisions, in the database: kept, handed out, verified, compacted.

At most REVISIONS of them and OCTETS in all, whichever is reached first, and always the last one. Writing is
within the transaction of the caller; what is counted in memory follows when it is durable.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager

from . import delta
from .database import Database
from .position import Position

REVISIONS = 10_000
OCTETS = 16 << 20
SLACK = 256  # revisions that may gather before the oldest are dropped, all at once


class Log:
    def __init__(self, db: Database, revisions: int = REVISIONS, octets: int = OCTETS) -> None:
        self._db = db
        self._most, self._most_octets = revisions, octets
        self.recount()

    @contextmanager
    def undone_on_error(self) -> Generator[None]:
        """Around a transaction that may append: what is counted is what is on flash."""
        before = self._count, self._octets, self.first
        try:
            yield
        except BaseException:
            self._count, self._octets, self.first = before
            raise

    def drop(self) -> None:
        """Gives all of it up."""
        self._db.execute("DELETE FROM log")
        self.recount()

    def recount(self) -> None:
        count, octets, first = self._db.rows("SELECT count(*), total(length(frame)), min(rev) FROM log")[0]
        self._count, self._octets = int(count), int(octets)
        self.first: int | None = None if first is None else int(first)

    def append(self, position: Position, frame: bytes) -> None:
        """Adds the frame of that revision, and drops the oldest where there are too many."""
        self._db.execute("INSERT INTO log VALUES(?, ?)", (position.rev, frame))
        self._count += 1
        self._octets += len(frame)
        if self.first is None:
            self.first = position.rev
        if self._count > self._most + SLACK or self._octets > self._most_octets:
            self._compact(position.rev)

    def _compact(self, last: int) -> None:
        first = max(self.first or 0, last - self._most + 1)
        octets = 0
        # From the newest back, as far as the octets reach; a quarter is left free, to do this seldom.
        for rev, length in self._db.rows("SELECT rev, length(frame) FROM log ORDER BY rev DESC"):
            octets += int(length)
            if self._octets > self._most_octets and octets > self._most_octets * 3 // 4:
                first = max(first, min(int(rev) + 1, last))
                break
        self._db.execute("DELETE FROM log WHERE rev < ?", (first,))
        self.recount()

    def frames(self, after: int, most_octets: int = OCTETS) -> list[bytes]:
        """The frames of the revisions after `after`, oldest first, as many as `most_octets` take, at least
        one where there is one."""
        size, to = 0, after
        lengths = self._db.rows("SELECT rev, length(frame) FROM log WHERE rev > ? ORDER BY rev", (after,))
        for rev, length in lengths:
            size += int(length)
            if to > after and size > most_octets:
                break
            to = int(rev)
        rows = self._db.rows("SELECT frame FROM log WHERE rev > ? AND rev <= ? ORDER BY rev", (after, to))
        return [bytes(row[0]) for row in rows]

    def frame(self, rev: int) -> bytes | None:
        rows = self._db.rows("SELECT frame FROM log WHERE rev = ?", (rev,))
        return bytes(rows[0][0]) if rows else None

    def chain_at(self, rev: int) -> bytes | None:
        """The chain after `rev` as the log has it: that of its frame, or what the next one continues."""
        frame = self.frame(rev)
        if frame:
            return delta.header(frame).position.chain
        frame = self.frame(rev + 1)
        return delta.header(frame).prev if frame else None

    def last(self, count: int, before: int | None = None) -> Iterator[delta.Delta]:
        """The last deltas, newest first; with `before` those before that revision. Raises BadFrame."""
        limit = before if before is not None else 1 << 62
        rows = self._db.rows("SELECT frame FROM log WHERE rev < ? ORDER BY rev DESC LIMIT ?", (limit, count))
        return (delta.parse(bytes(row[0])) for row in rows)

    def between(self, after: int, to: int) -> Iterator[delta.Delta]:
        """The deltas of the revisions after `after` up to `to`, oldest first. Raises BadFrame."""
        rows = self._db.rows("SELECT frame FROM log WHERE rev > ? AND rev <= ? ORDER BY rev", (after, to))
        return (delta.parse(bytes(row[0])) for row in rows)

    def fault(self, position: Position) -> str:
        """What is wrong with the log of a store at `position`; empty where each frame has its digest, follows
        the one before and the last leads there."""
        chain: bytes | None = None
        last = None
        for rev, frame in self._db.rows("SELECT rev, frame FROM log ORDER BY rev"):
            try:
                head = delta.verified(bytes(frame))
            except delta.BadFrame as error:
                return f"revision {rev}: {error}"
            if head.position.rev != rev or (last is not None and rev != last.rev + 1):
                return f"revision {rev} stands in the row of another"
            if chain is not None and head.prev != chain:
                return f"revision {rev} does not continue the one before"
            chain, last = head.position.chain, head.position
        if last is not None and last != position:
            return f"it ends at {last}, and the settings are at {position}"
        return ""
