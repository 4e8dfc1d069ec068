# SPDX-License-Identifier: Apache-2.0
"""scan: brings the manifest to what the tree holds, and says what that changes for the other unit.

Listings, reading and hashing are done in worker threads, rows in the store's thread, both in slices; nothing
holds more than one folder's names. A row is written only after the content that it names is durable. What
is not found counts as missing until all was looked at, and then has to pass the guard: a deletion that looks
like an accident is held (R14).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from ..means import Tell
from . import naming
from .manifest import Manifest, State
from .messages import BATCH_FILES, Entry
from .naming import joined, shown
from .tree import KEY, Content, Listing, Tree, key_of
from .watch import Hints, Watch

T = TypeVar("T")

WALK = 0.05  # seconds of one step of the walk
SLICE = 256  # rows of one step in the store's thread: some milliseconds
FLUSH_EACH = 3  # up to so many files are flushed one by one, more by one flush of the file system
READ_AT_ONCE = 32 << 20  # octets of one step of reading
AGAIN_MAX = 4096  # unsettled files that are known by name; beyond that all is looked through
GUARD_FILES, GUARD_PART = 100, 0.2  # more than both at once looks like an accident
GUARD_WINDOW = 60.0  # seconds that count as "at once", so that an accident in small bites is one
NAMED_MAX = 1000  # odd entries that are remembered as told


class Off(Protocol):
    """Does work in a worker thread, to its end even if nobody waits for it any more."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


class InManifest(Protocol):
    """Does work in the store's thread."""

    async def __call__(self, work: Callable[[Manifest], T], /) -> T: ...


Publish = Callable[[list[Entry], list[bytes]], None]


@dataclass(slots=True)
class _Walk:
    """One way through folders."""

    stack: list[bytes]
    seen: set[bytes] = field(default_factory=set[bytes])


class Scanner:
    """`publish(entries, gone)` is called on the loop with what changed, at most BATCH_FILES of each."""

    def __init__(self, tree: Tree, off: Off, in_manifest: InManifest, publish: Publish, told: Tell) -> None:
        self._tree, self._off, self._in_manifest = tree, off, in_manifest
        self._publish, self._told = publish, told
        self.watch: Watch | None = None
        self.leading = False
        self.again: set[bytes] = set()  # unsettled: to be looked at when they have settled
        self.again_all = False
        self.eager = False  # read young files as well: writers are still, and all is to cross
        self.held = 0  # files whose deletion is held
        self.allowed = False  # an administrator confirmed it
        self.trouble = ""  # why a file could not be read
        self._declared: set[bytes] = set()  # the PBX deleted them itself
        self._named: set[bytes] = set()
        self._lost: list[tuple[float, int]] = []  # deletions that were let through lately
        self._entries: list[Entry] = []
        self._gone: list[bytes] = []

    def declare(self, path: bytes) -> None:
        if len(self._declared) >= 100_000:
            self._declared.clear()  # the guard judges them then
        self._declared.add(path)

    # --- ways through the tree ------------------------------------------------------------------------
    async def everything(self) -> None:
        """Looks through the whole tree. Raises Lost, OSError, Refusal."""
        self.again_all = False
        await self._folders([b""])
        await self._judge()

    async def hinted(self, hints: Hints) -> None:
        """Looks at what the hints name, and nothing else."""
        await self._off(self._tree.intact)
        if hints.folders:
            await self._folders(sorted(hints.folders))
        names = sorted(hints.closed | hints.names)
        for at in range(0, len(names), SLICE):
            await self._names(names[at : at + SLICE], hints.closed)
        await self._judge()

    async def _folders(self, roots: list[bytes]) -> None:
        known = await self._in_manifest(lambda m: m.stats)
        walk = _Walk([root for root in reversed(roots)])
        while walk.stack:
            for listing in await self._off(lambda: self._step(walk, known)):
                await self._compare(listing)
        await self._off(self._tree.intact)  # before anything is taken for missing
        for root in roots:
            for folder in await self._in_manifest(lambda m, root=root: m.below(root, walk.seen)):
                await self._compare(Listing(folder))

    def _step(self, walk: _Walk, known: dict[bytes, bytes]) -> list[Listing]:
        """Lists folders for a while, or until one or more differ. In a worker thread."""
        changed: list[Listing] = []
        names = 0
        until = time.monotonic() + WALK
        while walk.stack and names < 4 * SLICE and time.monotonic() < until:
            folder = walk.stack.pop()
            if self.watch:
                self.watch.add(folder)
            before = known.get(folder)
            found = self._tree.list(folder, before or b"")
            if found is None:
                continue
            walk.seen.add(folder)
            for inner in found.folders:
                if not self._odd(inner, naming.fault(joined(inner, b"x"))):
                    walk.stack.append(inner)
            for path in found.odd:
                self._odd(path, "neither a file nor a folder; expected one of them")
            if (found.files or before is not None) and (not before or found.stats != before):
                found.files = [f for f in found.files if not self._odd(joined(folder, f[0]), "")]
                changed.append(found)
                names += len(found.files)
        return changed

    def _odd(self, path: bytes, why: str) -> bool:
        """Names once what cannot be voice data; it is left alone."""
        why = why or naming.fault(path)
        if why and path not in self._named and len(self._named) < NAMED_MAX:
            self._named.add(path)
            self._told("warning", "Voice data: left out", f"{shown(path)}: {why}")
        return bool(why)

    # --- a folder against its rows ----------------------------------------------------------------------
    async def _compare(self, listing: Listing) -> None:
        folder, files = listing.folder, listing.files
        after, all_read = b"", True
        for at in range(0, max(len(files), 1), 2 * SLICE):
            part = files[at : at + 2 * SLICE]
            last = part[-1][0] if at + 2 * SLICE < len(files) else None
            changed = await self._in_manifest(
                lambda m, part=part, after=after, last=last: _differing(m, folder, part, after, last)
            )
            after = last or b""
            all_read &= await self._read(folder, changed)
        if listing.stats and all_read:
            await self._in_manifest(lambda m: m.looked_through([(folder, listing.stats)]))

    async def _read(self, folder: bytes, changed: list[tuple[bytes, int, int]]) -> bool:
        """Reads the files that differ, but for the young ones that somebody is writing: a new folder is
        watched too late to tell who finished in it. Returns whether each one has been read and is settled."""

        def finished() -> list[tuple[bytes, int]]:
            now = time.time_ns()
            due: list[tuple[bytes, int]] = []
            for name, size, ctime in changed:
                path = joined(folder, name)
                if self._tree.young(ctime, now) and not self.eager and not self._tree.finished(path):
                    self._look_again(path)
                else:
                    due.append((path, size))
            return due

        due = await self._off(finished) if changed else []
        settled = await self._take(due)
        return settled and len(due) == len(changed)

    async def _names(self, paths: list[bytes], closed: set[bytes]) -> None:
        """Looks at single files."""

        def look() -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
            due: list[tuple[bytes, bytes]] = []
            absent: list[bytes] = []
            now = time.time_ns()
            for path in paths:
                if naming.fault(path):
                    self._odd(path, "")
                    continue
                found = self._tree.look(path)
                if found is None or not _is_file(found.st_mode):
                    absent.append(path)
                elif path not in closed and self._tree.young(found.st_ctime_ns, now):
                    self._look_again(path)
                else:
                    due.append((path, key_of(found)))
            return due, absent

        due, absent = await self._off(look)
        if absent:
            await self._in_manifest(lambda m: _mark_missing(m, absent))
        await self._take(await self._in_manifest(lambda m: _unknown(m, due)))

    async def _take(self, due: list[tuple[bytes, int]]) -> bool:
        """Reads these files and writes their rows."""
        settled = True
        while due:
            count = octets = 0
            while count < min(len(due), SLICE) and (not count or octets + due[count][1] <= READ_AT_ONCE):
                octets += due[count][1]
                count += 1
            part, due = [path for path, _ in due[:count]], due[count:]
            found = await self._off(lambda part=part: self._contents(part))
            settled &= len(found) == len(part) and not any(content.young for _, content in found)
            if found:
                self._entries += await self._in_manifest(lambda m, found=found: _write(m, found))
            if len(self._entries) >= BATCH_FILES:
                self._tell()
        return settled

    def _contents(self, paths: list[bytes]) -> list[tuple[bytes, Content]]:
        """In a worker thread. What cannot be read is named, and the rest goes on."""
        found: list[tuple[bytes, Content]] = []
        for path in paths:
            try:
                content = self._tree.content(path, flush=len(paths) <= FLUSH_EACH)
            except FileNotFoundError:
                continue  # gone meanwhile: the next look finds it missing
            except OSError as error:
                self._fault(path, error)
                continue
            if content is None or content.young:
                self._look_again(path)
            if content is not None:
                found.append((path, content))
                self.again_all |= content.linked and content.young
        if len(paths) > FLUSH_EACH:
            self._tree.flush()
        return found

    def _fault(self, path: bytes, error: OSError) -> None:
        text = f"{shown(path)}: not read: {error.strerror}; expected a readable file"
        self.trouble = text
        if path not in self._named and len(self._named) < NAMED_MAX:
            self._named.add(path)
            self._told("warning", "Voice data: not readable", text)

    def _look_again(self, path: bytes) -> None:
        if len(self.again) < AGAIN_MAX:
            self.again.add(path)
        else:
            self.again_all = True

    # --- what is missing ----------------------------------------------------------------------------------
    async def _judge(self) -> None:
        """Decides about what was not found: moved, deleted, or held."""
        total = lost = 0
        after = (b"", b"")
        declared: list[bytes] = []
        while True:
            paths, gone, after = await self._in_manifest(lambda m, after=after: m.missing(after, 2 * SLICE))
            if not paths:
                break
            total += len(paths)
            own = [path for path in paths if path in self._declared]
            declared += own
            lost += max(gone - len(own), 0)
        if not total:
            self._back()
            self.allowed = False
            return self._tell()
        files = await self._in_manifest(lambda m: m.files)
        if self.leading and self._accident(lost, files):
            await self._settle(declared)
            if not self.held:
                before = sum(count for _, count in self._lost)
                others = f", after {before} others within a minute" if before else " at once"
                text = f"{lost} of {files} files are gone{others}; expected the PBX to delete them"
                self._told(
                    "warning", "Voice data: deletion held", f"{text}; until confirmed or they are back"
                )
            self.held = lost
            return self._tell()
        self._lost.append((time.monotonic(), lost))
        while paths := (await self._in_manifest(lambda m: m.missing((b"", b""), SLICE)))[0]:
            await self._settle(paths)
        self._back()
        self.allowed = False
        return self._tell()

    def _accident(self, lost: int, files: int) -> bool:
        now = time.monotonic()
        self._lost = [(at, count) for at, count in self._lost if now - at < GUARD_WINDOW]
        recent = sum(count for _, count in self._lost)
        at_once = lost + recent
        return not self.allowed and at_once > GUARD_FILES and at_once > GUARD_PART * (files + recent)

    def _back(self) -> None:
        if self.held:
            self._told("success", "Voice data: deletion no longer held", "confirmed, or the files are back")
            self.held = 0

    async def _settle(self, paths: list[bytes]) -> None:
        """These files are gone, where a last look does not find them; the other unit is told."""
        for at in range(0, len(paths), SLICE):
            part = paths[at : at + SLICE]
            there = await self._off(lambda part=part: {p for p in part if _is_there(self._tree, p)})
            for path in there:
                self._look_again(path)
            self._gone += await self._in_manifest(
                lambda m, part=part, there=there: _delete(m, part, there, self.leading)
            )
            self._declared.difference_update(part)
            if len(self._gone) >= BATCH_FILES:
                self._tell()

    @property
    def telling(self) -> bool:
        """Whether more than was just published is to be told of this cycle."""
        return bool(self._entries or self._gone)

    def _tell(self) -> None:
        """What moved goes in one message, so that the other unit moves it, too."""
        while self._entries or self._gone:
            entries, self._entries = self._entries[:BATCH_FILES], self._entries[BATCH_FILES:]
            gone, self._gone = self._gone[:BATCH_FILES], self._gone[BATCH_FILES:]
            self._publish(entries, gone)


def _is_file(mode: int) -> bool:
    return mode & 0o170000 == 0o100000


def _is_there(tree: Tree, path: bytes) -> bool:
    found = tree.look(path)
    return found is not None and _is_file(found.st_mode)


# --- in the store's thread ----------------------------------------------------------------------------
def _differing(
    manifest: Manifest, folder: bytes, files: list[tuple[bytes, bytes]], after: bytes, last: bytes | None
) -> list[tuple[bytes, int, int]]:
    """The files of this part of a listing that their rows do not say, as (name, size, ctime); rows without a
    file are marked missing."""
    rows = {row.name: row for row in manifest.between(folder, after, last)}
    changed: list[tuple[bytes, int, int]] = []
    for name, key in files:
        row = rows.pop(name, None)
        if row is None or row.state != State.SETTLED or row.stat != key:
            _, size, _, ctime = KEY.unpack(key)
            changed.append((name, size, ctime))
    absent = [joined(folder, row.name) for row in rows.values() if row.state < State.MISSING]
    for at in range(0, len(absent), SLICE):
        _mark_missing(manifest, absent[at : at + SLICE])
    return changed


def _unknown(manifest: Manifest, found: list[tuple[bytes, bytes]]) -> list[tuple[bytes, int]]:
    """Paths and sizes of those whose rows do not say this key."""
    unknown: list[tuple[bytes, int]] = []
    for path, key in found:
        row = manifest.row(path)
        if row is None or row.state != State.SETTLED or row.stat != key:
            unknown.append((path, KEY.unpack(key)[1]))
    return unknown


def _mark_missing(manifest: Manifest, paths: Iterable[bytes]) -> None:
    rows = {path: manifest.row(path) for path in paths}
    found = [path for path, row in rows.items() if row is not None and row.state < State.MISSING]
    if found:
        with manifest.moving() as move:
            for path in found:
                move.mark(path, State.MISSING)


def _write(manifest: Manifest, found: list[tuple[bytes, Content]]) -> list[Entry]:
    """The rows of what was read; returns the entries whose content is new to the manifest."""
    told: list[Entry] = []
    with manifest.moving() as move:
        for path, content in found:
            entry = Entry(path, content.size, content.hash, content.mtime)
            row = manifest.row(path)
            same = row is not None and row.live and row.hash == content.hash
            shared = same and row is not None and bool(row.shared)
            state = State.UNSETTLED if content.young else State.SETTLED
            if move.put(entry, content.key, state, shared):
                told.append(entry)
    return told


def _delete(manifest: Manifest, paths: list[bytes], there: set[bytes], leading: bool) -> list[bytes]:
    """On the Master a known deletion; on the Backup as if it had never been, so that it is fetched again."""
    gone: list[bytes] = []
    with manifest.moving() as move:
        for path in paths:
            if path in there:
                move.mark(path, State.UNSETTLED)
            elif not leading:
                move.forget(path)
            elif move.gone(path):
                gone.append(path)
        move.bury()
    return gone
