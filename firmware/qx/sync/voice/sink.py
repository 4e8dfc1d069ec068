# SPDX-License-Identifier: Apache-2.0
"""sink: takes files of the other unit into staging, and hands whole batches on to be committed.

Content is asked for by hash and offset, so an interrupted copy goes on where it stopped; at most CREDIT
octets are asked for and not yet stored, so memory is bounded, however fast the other unit sends. While one
batch is committed the next one is gathered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b

from ...redundancy.peer.message import BadMessage
from ...redundancy.peer.part import Channel
from ...redundancy.peer.wire import Ended
from . import messages
from .batch import Batch, Committer, Need, planned, staging_name
from .messages import BATCH_FILES, CREDIT, HASH_SIZE, Blob, Entry, Want
from .scan import InManifest, Off
from .tree import Tree, key_of

_MOST = CREDIT // 2  # octets of one file asked for at once


@dataclass(slots=True)
class _Incoming:
    """One content that is on its way. Three offsets, each at most the next: stored, received, asked for."""

    need: Need
    stored: int
    hasher: blake2b
    resumed: bool  # a part of it was there from before
    received: int = 0
    asked: int = 0
    rows: deque[Want] = field(default_factory=deque[Want])  # asked for, not answered whole
    failed: bool = False

    @property
    def size(self) -> int:
        return self.need.entry.size


class Sink:
    """Of one session."""

    def __init__(
        self, channel: Channel, tree: Tree, off: Off, in_manifest: InManifest, committer: Committer,
        serial: str, busy: asyncio.Lock,
    ) -> None:  # fmt: skip
        self._channel, self._tree, self._off, self._in_manifest = channel, tree, off, in_manifest
        self._committer, self._serial, self._busy = committer, serial, busy
        self._incoming: dict[bytes, _Incoming] = {}
        self._arrived: list[tuple[_Incoming, Blob]] = []
        self._wake = asyncio.Event()
        self._over = False
        self.in_use: set[bytes] = set()  # of staging
        self._committing: asyncio.Task[None] | None = None
        self._committing_hashes: set[bytes] = set()

    # --- what the session brings ----------------------------------------------------------------------
    def blobs(self, blobs: tuple[Blob, ...]) -> None:
        """Raises BadMessage for content that was not asked for."""
        for blob in blobs:
            found = self._incoming.get(blob.hash)
            want = found.rows[0] if found and found.rows else None
            if found is None or want is None or not blob.data or blob.offset != found.received:
                raise BadMessage(f"voice: content at offset {blob.offset} that was not asked for")
            end = want.offset + want.length
            found.received += len(blob.data)
            if found.received > end:
                raise BadMessage(f"voice: {found.received - end} octets more than asked for")
            if found.received == end:
                found.rows.popleft()
            self._arrived.append((found, blob))
        self._wake.set()

    def lacking(self, digest: bytes) -> None:
        """The other unit has not what it was asked for; what it sends of a later part counts no more."""
        found = self._incoming.get(digest)
        if found is None or not found.rows:
            raise BadMessage("voice: lacks what it was not asked for")
        found.failed = True
        found.rows.popleft()
        found.received = found.rows[0].offset if found.rows else found.asked
        self._wake.set()

    def end(self) -> None:
        """The session is over: whatever waits for it raises Ended; what is in staging stays."""
        self._over = True
        self._wake.set()

    # --- batches ----------------------------------------------------------------------------------------
    async def take(
        self, entries: list[Entry], gone: list[tuple[bytes, bytes]], uniting: bool = False
    ) -> None:
        """Gathers these and begins to commit them; `settled()` waits for the end of that. Raises Ended,
        OSError, Lost, Refusal."""
        hashes = {entry.hash for entry in entries}
        if self._committing_hashes & hashes:
            await self.settled()  # then it is in the tree, and copied from there
        if gone:  # names that go are moved or dropped as the rows say
            await self.settled()
        batch = await self._in_manifest(lambda m: planned(m, entries, gone, self._serial, uniting))
        if batch.keeps and self._committing:  # what is kept is named by what the rows say
            await self.settled()
            batch = await self._in_manifest(lambda m: planned(m, entries, gone, self._serial, uniting))
        if batch.empty:
            return
        await self._gather(batch)
        await self.settled()
        self._committing_hashes = {need.entry.hash for need in batch.needs}
        self._committing = asyncio.ensure_future(self._commit(batch))

    async def settled(self) -> None:
        """Waits until all that was taken is durable. Raises what it failed with."""
        if self._committing:
            committing, self._committing = self._committing, None
            try:
                await asyncio.shield(committing)
            finally:
                self._committing_hashes = set()

    async def abandon(self) -> None:
        """At the end of a session: the batch that is being committed is finished, its errors told already."""
        with suppress(Exception):
            await self.settled()

    async def _commit(self, batch: Batch) -> None:
        try:
            async with self._busy:
                await self._committer.commit(batch)
        finally:
            self.in_use.difference_update(need.source for need in batch.needs)

    # --- gathering --------------------------------------------------------------------------------------
    async def _gather(self, batch: Batch) -> None:
        first: dict[bytes, Need] = {}  # by content
        again: list[Need] = []
        for need in batch.needs:
            if not need.source and first.setdefault(need.entry.hash, need) is not need:
                again.append(need)
        try:
            waiting = await self._off(lambda: self._prepare(batch, list(first.values())))
            failed = await self._fetch(waiting)
            failed |= await self._off(lambda: self._copy_again(first, again, failed))
        except BaseException:
            self.in_use.difference_update(need.source for need in batch.needs)
            raise
        batch.needs = [n for n in batch.needs if n.entry.path not in failed]
        paths = {need.entry.path for need in batch.needs}
        batch.keeps = [(own, path) for own, path in batch.keeps if own.path in paths]

    def _prepare(self, batch: Batch, needs: list[Need]) -> list[_Incoming]:
        """What is on this unit already is put into staging; the rest is returned. In a worker thread."""
        for need in batch.needs:
            if need.source:
                found = self._tree.look(need.source)
                if found is None or key_of(found) != need.stat:
                    batch.drops.append((need.source, need.entry.hash))
                    need.source = b""
                    if all(other.entry.hash != need.entry.hash for other in needs):
                        needs.append(need)
        waiting: list[_Incoming] = []
        for need in needs:
            entry = need.entry
            need.source = staging_name(entry.hash, self.in_use)
            stored, hasher = self._tree.hashed(need.source, entry.size)
            batch.written = True
            whole = stored == entry.size and stored and hasher.digest() == entry.hash
            if not whole and (stored or not self._made_here(need)):
                if stored == entry.size:
                    self._tree.remove(need.source)
                    stored, hasher = 0, blake2b(digest_size=HASH_SIZE)
                waiting.append(_Incoming(need, stored, hasher, stored > 0, stored, stored))
                continue
            self._tree.stamp(need.source, entry.mtime)
        return waiting

    def _made_here(self, need: Need) -> bool:
        entry = need.entry
        if not entry.size:
            self._tree.write(need.source, 0, b"")
            return True
        return any(self._tree.copy(path, need.source, entry.hash, entry.size) for path in need.local)

    def _copy_again(self, first: dict[bytes, Need], again: list[Need], failed: set[bytes]) -> set[bytes]:
        """The same content under a further name."""
        lacking: set[bytes] = set()
        for need in again:
            entry, source = need.entry, first[need.entry.hash]
            need.source = staging_name(entry.hash, self.in_use)
            self._tree.remove(need.source)
            if source.entry.path in failed or not self._tree.copy(
                source.source, need.source, entry.hash, entry.size
            ):
                lacking.add(entry.path)
            else:
                self._tree.stamp(need.source, entry.mtime)
        return lacking

    # --- fetching ---------------------------------------------------------------------------------------
    async def _fetch(self, waiting: list[_Incoming]) -> set[bytes]:
        """Returns the paths whose content the other unit could not give. When flash refuses, what was asked
        for is let come in first."""
        lacking: set[bytes] = set()
        error: OSError | None = None
        self._incoming = {item.need.entry.hash: item for item in waiting}
        self._ask(CREDIT)
        while self._incoming:
            while not (self._over or self._arrived or any(i.failed and not i.rows for i in self._open)):
                self._wake.clear()
                await self._wake.wait()
            if self._over:
                raise Ended("the session to the other unit is over")
            arrived, self._arrived = self._arrived, []
            try:
                for item in await self._off(lambda arrived=arrived: self._store(arrived)):
                    self._doubted(item)
            except OSError as refused:
                error = refused
                for item in self._open:
                    item.failed = True
            for digest, item in list(self._incoming.items()):
                if item.failed and not item.rows:
                    lacking.add(item.need.entry.path)
                    del self._incoming[digest]
                elif not item.failed and item.stored == item.size:
                    del self._incoming[digest]
            self._ask(CREDIT - sum(item.asked - item.stored for item in self._open if not item.failed))
        if error:
            raise error
        return lacking

    @property
    def _open(self) -> Collection[_Incoming]:
        return self._incoming.values()

    def _ask(self, credit: int) -> None:
        wants: list[Want] = []
        used = 0
        for item in self._incoming.values():
            if item.failed or item.asked == item.size or len(item.rows) > 1:
                continue
            length = min(item.size - item.asked, _MOST, credit - used)
            if length <= 0:
                break
            want = Want(item.need.entry.path, item.need.entry.hash, item.asked, length)
            item.asked += length
            used += length
            item.rows.append(want)
            wants.append(want)
            if len(wants) == BATCH_FILES:
                self._channel.send(messages.WANT, (tuple(wants),))
                wants = []
        if wants:
            self._channel.send(messages.WANT, (tuple(wants),))

    def _doubted(self, item: _Incoming) -> None:
        """Whole, and not that content: what was there from before may be at fault, else the other unit."""
        if item.resumed:
            item.resumed = False
            item.stored = item.received = item.asked = 0
            item.hasher = blake2b(digest_size=HASH_SIZE)
        else:
            item.failed = True
            self._channel.send(messages.DOUBT, (item.need.entry.path,))

    def _store(self, arrived: list[tuple[_Incoming, Blob]]) -> list[_Incoming]:
        """Writes and hashes; returns what is whole and wrong. In a worker thread."""
        wrong: list[_Incoming] = []
        for item, blob in arrived:
            if item.failed:
                continue
            self._tree.write(item.need.source, blob.offset, blob.data)
            item.hasher.update(blob.data)
            item.stored = blob.offset + len(blob.data)
            if item.stored < item.size:
                continue
            if item.hasher.digest() == item.need.entry.hash:
                self._tree.stamp(item.need.source, item.need.entry.mtime)
            else:
                self._tree.remove(item.need.source)
                wrong.append(item)
        return wrong
