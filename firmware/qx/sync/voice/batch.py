# SPDX-License-Identifier: Apache-2.0
"""batch: makes files of the other unit this unit's, a batch at a time, across a power cut at any instant.

Content is in staging. Then, each durable before the next: the content itself; the intents, which say which
name is to be moved where; the names; the rows, with which the intents go. After a cut the intents are done
again or given up, file by file: each file is the old or the new one, never a part.
"""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass, field

from .manifest import Intent, Manifest, State
from .messages import Entry
from .naming import RESERVED, folders, kept_name, split
from .scan import InManifest, Off
from .tree import Tree, key_of, staged

# Of a name that cannot be moved as things stand (a folder is where the file should be, a link where a folder
# should be, …): the file is left out, the rest of the batch goes on, and the next comparison tries again.
_NAME_FAULTS = frozenset(
    (
        errno.ENOENT,
        errno.EEXIST,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENAMETOOLONG,
        errno.ENOTEMPTY,
        errno.ELOOP,
    )
)


@dataclass(slots=True)
class Need:
    """A file whose content is in `source` (in staging, or a name that goes) when the batch is committed."""

    entry: Entry
    source: bytes = b""
    stat: bytes = b""  # key of the source, where it is a name that goes
    local: list[bytes] = field(default_factory=list[bytes])  # where this content may be on this unit


@dataclass(slots=True)
class Batch:
    needs: list[Need] = field(default_factory=list[Need])
    drops: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])  # path, hash
    keeps: list[tuple[Entry, bytes]] = field(default_factory=list[tuple[Entry, bytes]])  # and the new name
    shared: list[bytes] = field(default_factory=list[bytes])  # the same here already
    written: bool = False  # whether staging holds content that is not flushed

    @property
    def empty(self) -> bool:
        return not (self.needs or self.drops or self.keeps or self.shared)


def planned(
    manifest: Manifest, entries: list[Entry], gone: list[tuple[bytes, bytes]], serial: str, uniting: bool
) -> Batch:
    """What there is to do for these changes of the other unit. A file that was changed here and that the
    other unit never had is kept under another name, or where `uniting` is, left as it is; `gone` has the hash
    that was deleted, empty where it is not known. In the store's thread."""
    batch = Batch()
    leaving: dict[bytes, list[tuple[bytes, bytes]]] = {}  # hash to names that go, and keys
    for path, digest in gone:
        row = manifest.row(path)
        if row is not None and row.live and (row.shared or row.hash == digest):
            batch.drops.append((path, row.hash))
            leaving.setdefault(row.hash, []).append((path, row.stat))
    taken: set[bytes] = set()
    if _in_each_others_way([entry.path for entry in entries], [path for path, _ in gone]):
        leaving = {}  # what goes has to be out of the way first
    for entry in entries:
        row = manifest.row(entry.path)
        live = row is not None and row.live
        if row is not None and live and row.hash == entry.hash and row.state != State.MISSING:
            if not row.shared:
                batch.shared.append(entry.path)
            continue
        if uniting and row is not None and (live or row.hash == entry.hash):
            continue  # it has a file of that name, or deleted this one
        if row is not None and live and not row.shared and row.state < State.MISSING:
            own = Entry(entry.path, row.size, row.hash, row.mtime)
            batch.keeps.append((own, kept_name(entry.path, serial, row.hash)))
        need = Need(entry)
        if leaving.get(entry.hash):
            need.source, need.stat = leaving[entry.hash].pop()
            taken.add(need.source)
        else:
            need.local = manifest.where(entry.hash)
        batch.needs.append(need)
    batch.drops = [drop for drop in batch.drops if drop[0] not in taken]
    return batch


def _in_each_others_way(coming: list[bytes], going: list[bytes]) -> bool:
    """Whether one is a folder in which another is."""
    all_coming, all_going = set(coming), set(going)
    return any(not all_going.isdisjoint(folders(path)) for path in coming) or any(
        not all_coming.isdisjoint(folders(path)) for path in going
    )


class Committer:
    """`dirty`: intents may be left that `recover` has to finish before the next batch."""

    def __init__(self, tree: Tree, off: Off, in_manifest: InManifest) -> None:
        self._tree, self._off, self._in_manifest = tree, off, in_manifest
        self.dirty = True

    async def commit(self, batch: Batch) -> None:
        """Durable when it returns. Raises OSError, Lost, Refusal; then it is whole or not begun after
        `recover`."""
        intents = [Intent(own.path, path, own.hash) for own, path in batch.keeps]
        intents += [Intent(path, b"", digest) for path, digest in batch.drops]
        intents += [Intent(n.source, n.entry.path, n.entry.hash) for n in batch.needs]
        if not intents:
            await self._in_manifest(lambda m: _share(m, batch.shared))
            return
        await self._off(lambda: self._flush_staged(batch.written))
        self.dirty = True
        await self._in_manifest(lambda m: m.intend(intents))
        keys = await self._off(lambda: self._move(intents))
        await self._in_manifest(lambda m: _written(m, batch, intents, keys))
        self.dirty = False

    def _flush_staged(self, written: bool) -> None:
        self._tree.intact()
        if written:
            self._tree.flush()

    def _move(self, intents: list[Intent]) -> dict[Intent, bytes]:
        """Returns the key of each file that is in its place now; empty for one that went."""
        keys: dict[Intent, bytes] = {}
        emptied: set[bytes] = set()
        for intent in intents:
            found = self._moved(intent)
            if found is not None:
                keys[intent] = found
            folder, _ = split(intent.source)
            if folder and folder not in RESERVED:
                emptied.add(folder)
        for folder in sorted(emptied, reverse=True):
            self._tree.prune(folder)
        self._tree.flush()
        return keys

    def _moved(self, intent: Intent) -> bytes | None:
        try:
            if not intent.path:
                self._tree.discard(intent.source, time.strftime("%Y%m%d"))
                return b""
            return key_of(self._tree.rename(intent.source, intent.path))
        except OSError as error:
            if error.errno in _NAME_FAULTS:
                return None
            raise

    # --- after a cut ----------------------------------------------------------------------------------
    async def recover(self) -> None:
        """Does the intents that a batch left, or gives them up; content is read before it is believed."""
        intents = await self._in_manifest(lambda m: m.intents())
        if intents:
            found = await self._off(lambda: [self._redone(intent) for intent in intents])
            await self._off(self._tree.flush)
            await self._in_manifest(lambda m: _recovered(m, list(zip(intents, found, strict=True))))
        self.dirty = False

    def _redone(self, intent: Intent) -> tuple[Entry, bytes] | None:
        """What stands in the place of an intent now, with its key; None: nothing of it."""
        if self._holds(intent.source, intent.hash) is not None and self._moved(intent) is None:
            return None
        if not intent.path:
            return None
        return self._holds(intent.path, intent.hash)

    def _holds(self, path: bytes, digest: bytes) -> tuple[Entry, bytes] | None:
        try:
            content = self._tree.content(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in _NAME_FAULTS:
                return None
            raise
        if content is None or content.hash != digest:
            return None
        return Entry(path, content.size, content.hash, content.mtime), content.key


# --- in the store's thread ----------------------------------------------------------------------------
def _share(manifest: Manifest, paths: list[bytes]) -> None:
    if paths:
        with manifest.moving() as move:
            for path in paths:
                move.share(path)


def _written(manifest: Manifest, batch: Batch, intents: list[Intent], keys: dict[Intent, bytes]) -> None:
    with manifest.moving() as move:
        for intent in intents:
            if intent in keys and not _from_staging(intent):
                move.forget(intent.source)
        for own, path in batch.keeps:
            key = keys.get(Intent(own.path, path, own.hash))
            if key is not None:
                move.put(own._replace(path=path), key, State.SETTLED, shared=False)
        for need in batch.needs:
            key = keys.get(Intent(need.source, need.entry.path, need.entry.hash))
            if key is not None:
                move.put(need.entry, key, State.SETTLED, shared=True)
        for path in batch.shared:
            move.share(path)
        move.intents_done()


def _recovered(manifest: Manifest, found: list[tuple[Intent, tuple[Entry, bytes] | None]]) -> None:
    """What could not be finished is looked for by the next scan and comparison."""
    with manifest.moving() as move:
        for intent, _ in found:
            if not (_from_staging(intent) or _still(intent, found)):
                move.mark(intent.source, State.UNSETTLED)
        for intent, held in found:
            if held is not None:
                entry, key = held
                row = manifest.row(entry.path)
                shared = row is not None and row.live and row.hash == entry.hash and bool(row.shared)
                move.put(entry, key, State.SETTLED, shared=shared or _from_staging(intent))
        move.intents_done()


def _from_staging(intent: Intent) -> bool:
    return split(intent.source)[0] in RESERVED


def _still(intent: Intent, found: list[tuple[Intent, tuple[Entry, bytes] | None]]) -> bool:
    """Whether another file of the batch stands where this one came from."""
    return any(held is not None and held[0].path == intent.source for _, held in found)


def staging_name(digest: bytes, in_use: set[bytes]) -> bytes:
    """Where to gather this content: not where another batch has it."""
    copy = 0
    while (name := staged(digest, copy)) in in_use:
        copy += 1
    in_use.add(name)
    return name
