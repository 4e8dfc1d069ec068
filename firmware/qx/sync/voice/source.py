# SPDX-License-Identifier: Apache-2.0
"""source: gives the other unit what it asks for: folders, entries, parts of files. One for a session.

Requests are answered in their order by one task, content read in a worker thread, a few messages at a time
and no faster than the session takes them, so what it holds in memory is bounded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from ...redundancy.peer.message import BadMessage
from ...redundancy.peer.part import Channel
from ...redundancy.peer.wire import Ended
from . import messages
from .manifest import Manifest
from .messages import BATCH_FILES, CHUNK, CREDIT, PAGE, Blob, Want
from .scan import InManifest, Off
from .tree import Tree

REQUESTS_MAX = 64  # that may wait
AT_ONCE = 1 << 20  # octets of one step of reading


class Source:
    def __init__(self, channel: Channel, tree: Tree, off: Off, in_manifest: InManifest) -> None:
        self._channel, self._tree, self._off, self._in_manifest = channel, tree, off, in_manifest
        self._requests: deque[tuple[int, tuple[Any, ...]]] = deque()
        self._wanted = 0  # octets asked for and not given yet
        self._wake = asyncio.Event()
        self._over = False

    def asked(self, kind: int, fields: tuple[Any, ...]) -> None:
        """A request. Raises BadMessage where the other unit asks for more at once than it may."""
        if kind == messages.WANT:
            self._wanted += sum(want.length for want in fields[0])
        if len(self._requests) >= REQUESTS_MAX or self._wanted > 2 * CREDIT:
            raise BadMessage(
                f"voice: {len(self._requests)} requests, {self._wanted} octets wanted at once; expected at "
                f"most {REQUESTS_MAX} and {2 * CREDIT}"
            )
        self._requests.append((kind, fields))
        self._wake.set()

    def end(self) -> None:
        self._over = True
        self._wake.set()

    async def run(self) -> None:
        while not self._over:
            if not self._requests:
                self._wake.clear()
                await self._wake.wait()
                continue
            kind, fields = self._requests.popleft()
            try:
                await self._answer(kind, fields)
            except Ended:
                return

    async def _answer(self, kind: int, fields: tuple[Any, ...]) -> None:
        match kind:
            case messages.FOLDERS_WANTED:
                after = fields[0]
                rows = await self._in_manifest(lambda m: m.folders(after, most=PAGE))
                self._channel.send(messages.FOLDERS, (after, rows, len(rows) < PAGE))
            case messages.ENTRIES_WANTED:
                folder, after = fields[0], fields[1] or b""
                page = await self._in_manifest(lambda m: _page(m, folder, after))
                self._channel.send(messages.ENTRIES, (folder, after, page, len(page) < BATCH_FILES))
            case _:
                await self._give(deque(fields[0]))

    async def _give(self, wants: deque[Want]) -> None:
        while wants and not self._over:
            found: list[Blob | Want] = await self._off(lambda: self._read(wants))
            blobs: list[Blob] = []
            octets = 0
            for part in found:
                size = len(part.data) if isinstance(part, Blob) else 0
                if blobs and (isinstance(part, Want) or octets + size > CHUNK or len(blobs) == BATCH_FILES):
                    await self._send(blobs)
                    blobs, octets = [], 0
                if isinstance(part, Blob):
                    blobs.append(part)
                    octets += size
                else:  # behind its content, in the same row: it says where that ended
                    self._wanted -= part.length
                    self._channel.send(messages.LACKING, (part.path, part.hash), bulk=True)
            if blobs:
                await self._send(blobs)

    async def _send(self, blobs: list[Blob]) -> None:
        await self._channel.room()
        self._wanted -= sum(len(blob.data) for blob in blobs)
        self._channel.send(messages.BLOBS, (tuple(blobs),), bulk=True)

    def _read(self, wants: deque[Want]) -> list[Blob | Want]:
        """The next content, some messages of it; a want that cannot be met comes back itself. What is left of
        a large one stays first among the wants. In a worker thread."""
        found: list[Blob | Want] = []
        octets = 0
        while wants and octets < AT_ONCE:
            path, digest, offset, length = wants.popleft()
            while length and octets < AT_ONCE:
                try:
                    data = self._tree.read(path, offset, min(CHUNK, length))
                except OSError:
                    data = b""
                if not data:
                    found.append(Want(path, digest, offset, length))
                    length = 0
                    break
                found.append(Blob(digest, offset, data))
                octets += len(data)
                offset, length = offset + len(data), length - len(data)
            if length:
                wants.appendleft(Want(path, digest, offset, length))
        return found


def _page(manifest: Manifest, folder: bytes, after: bytes) -> list[tuple[bytes, int | None, bytes, int]]:
    return [
        (row.name, row.size if row.live else None, row.hash, row.mtime)
        for row in manifest.page(folder, after, BATCH_FILES)
    ]
