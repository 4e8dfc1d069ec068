# SPDX-License-Identifier: Apache-2.0
"""compare: finds out in what the Backup differs from the Master, two levels deep, and takes it over.

Folders whose sums are equal are not looked into; of the others the entries are asked for a page at a time, so
nothing is held whole. A file that only the Backup has, and that no known deletion names, is offered to the
Master instead: files are united, never discarded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from . import messages
from .manifest import Row
from .messages import BATCH_FILES, BATCH_OCTETS, Entry
from .naming import joined
from .scan import InManifest
from .sink import Sink


class Ask(Protocol):
    """Sends a request and waits for the answer of that kind. Raises Ended."""

    def __call__(self, kind: int, body: tuple[Any, ...], answer: int) -> Awaitable[tuple[Any, ...]]: ...


class Comparison:
    """`moved()` is called whenever a batch has become durable."""

    def __init__(self, ask: Ask, sink: Sink, in_manifest: InManifest, moved: Callable[[], None]) -> None:
        self._ask, self._sink, self._in_manifest, self._moved = ask, sink, in_manifest, moved
        self._entries: list[Entry] = []
        self._gone: list[tuple[bytes, bytes]] = []  # and what was deleted
        self._octets = 0
        self._surplus: list[Entry] = []
        self._batches: asyncio.Queue[tuple[list[Entry], list[tuple[bytes, bytes]]] | None] = asyncio.Queue(1)
        self.offered = 0

    async def run(self) -> None:
        """Raises what the sink does, and Ended."""
        finding = asyncio.ensure_future(self._find())
        taking = asyncio.ensure_future(self._take())
        await asyncio.wait((finding, taking), return_when=asyncio.FIRST_COMPLETED)
        if not finding.done():  # it waits for a message or for room, and nothing of it is half done
            finding.cancel()
            await asyncio.wait((finding,))
        elif finding.exception():  # what was found until then is taken still
            ending = asyncio.ensure_future(self._batches.put(None))
            await asyncio.wait((ending, taking), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((taking,))
            ending.cancel()
            taking.exception()
            finding.result()
        await taking

    async def _take(self) -> None:
        while batch := await self._batches.get():
            await self._sink.take(*batch)
            self._moved()
        await self._sink.settled()
        self._moved()

    # --- finding --------------------------------------------------------------------------------------
    async def _find(self) -> None:
        after: bytes | None = None
        while True:
            _, theirs, last = await self._ask(messages.FOLDERS_WANTED, (after,), messages.FOLDERS)
            until = None if last or not theirs else theirs[-1][0]
            own = await self._in_manifest(lambda m, after=after, until=until: m.folders(after, until))
            for folder in _differing(dict(theirs), dict(own)):
                await self._folder(folder)
            if until is None:
                break
            after = until
        await self._flush()
        await self._offer()
        await self._batches.put(None)

    async def _folder(self, folder: bytes) -> None:
        after = b""
        while True:
            _, _, theirs, last = await self._ask(messages.ENTRIES_WANTED, (folder, after), messages.ENTRIES)
            until = None if last or not theirs else theirs[-1][0]
            rows = {name: (size, digest, mtime) for name, size, digest, mtime in theirs}
            own = await self._in_manifest(lambda m, after=after, until=until: m.between(folder, after, until))
            here = {row.name: row for row in own if row.live}
            for name, (size, digest, mtime) in rows.items():
                row = here.get(name)
                path = joined(folder, name)
                if size is not None:
                    if row is None or row.hash != digest or not row.shared:
                        await self._add(Entry(path, size, digest, mtime), None)
                elif row is not None and (row.shared or row.hash == digest):
                    await self._add(None, (path, digest))
                elif row is not None:
                    await self._surplus_add(folder, row)
            for name, row in here.items():
                if name not in rows:
                    await self._surplus_add(folder, row)
            if until is None:
                return
            after = until

    async def _add(self, entry: Entry | None, gone: tuple[bytes, bytes] | None) -> None:
        if entry:
            self._entries.append(entry)
            self._octets += entry.size
        if gone is not None:
            self._gone.append(gone)
        if max(len(self._entries), len(self._gone)) >= BATCH_FILES or self._octets >= BATCH_OCTETS:
            await self._flush()

    async def _flush(self) -> None:
        if self._entries or self._gone:
            await self._batches.put((self._entries, self._gone))
            self._entries, self._gone, self._octets = [], [], 0

    async def _surplus_add(self, folder: bytes, row: Row) -> None:
        self._surplus.append(Entry(joined(folder, row.name), row.size, row.hash, row.mtime))
        if len(self._surplus) >= BATCH_FILES:
            await self._offer()

    async def _offer(self) -> None:
        if self._surplus:
            surplus, self._surplus = self._surplus, []
            (taken,) = await self._ask(messages.SURPLUS, (tuple(surplus),), messages.TAKEN)
            self.offered += taken


def _differing(theirs: dict[bytes, bytes], own: dict[bytes, bytes]) -> list[bytes]:
    """Folders that are not the same on both, in their order. One without files is as none."""
    none = bytes(messages.HASH_SIZE)
    return [f for f in sorted(theirs.keys() | own.keys()) if theirs.get(f, none) != own.get(f, none)]
