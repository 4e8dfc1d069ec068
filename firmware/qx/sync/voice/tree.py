# SPDX-License-Identifier: Apache-2.0
"""tree: every operation on the voice files and their staging, in one place; only in worker threads.

A path is walked part by part from the folder that was opened first, no part of it a symbolic link, so nothing
outside the tree is read or written, also when a folder is replaced by a link meanwhile. The public methods
that change something are one operation each of the trace that the power-cut tests replay. Raises OSError, and
Lost where the tree is not the one that it was.
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from struct import Struct

from ...errors import Refusal
from . import kernel
from .messages import HASH_SIZE
from .naming import RESERVED, STAGING, TRASH, joined, split

KEY = Struct("<QQqq")  # inode, size, mtime_ns, ctime_ns
SETTLED = 2_000_000_000  # ns without a change after which no later one can have the same key
MARK = b"tree"  # in the staging folder: that this is the tree of that manifest
PIECE = 1 << 20  # octets read or copied at once

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_F_SETSIG = 10  # asm-generic/fcntl.h, which `fcntl` does not name


class Lost(Refusal):
    """The tree is missing, or another one is in its place."""


class Stopped(Exception):
    """The work was ended because the unit does something else now."""


@dataclass(slots=True)
class Listing:
    """A folder at one moment. `stats` is the digest of names and keys, empty while one of them is young."""

    folder: bytes
    files: list[tuple[bytes, bytes]] = field(
        default_factory=list[tuple[bytes, bytes]]
    )  # name and key, sorted
    folders: list[bytes] = field(default_factory=list[bytes])  # whole paths
    odd: list[bytes] = field(default_factory=list[bytes])  # neither file nor folder
    stats: bytes = b""


@dataclass(slots=True, frozen=True)
class Content:
    """What a file held at one moment."""

    size: int
    mtime: int
    hash: bytes
    key: bytes
    young: bool  # a later change might have the same key
    linked: bool  # has other names as well, of which no hint tells


def key_of(found: os.stat_result) -> bytes:
    return KEY.pack(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def staged(digest: bytes, copy: int = 0) -> bytes:
    """Where content is gathered: by its hash; a further copy of the same has a number."""
    return STAGING + b"/" + digest.hex().encode() + (b"-%d" % copy if copy else b"")


class Tree:
    def __init__(self, root: Path, settled: int = SETTLED) -> None:
        self.root = root
        self.settled = settled  # ns
        self._root = -1
        self._at: tuple[int, int] = (0, 0)
        self.stop = False  # set by whoever ends: long reads give up with Stopped

    # --- the tree itself ----------------------------------------------------------------------------
    def open(self) -> bytes:
        """Opens the tree and returns its mark, empty where it has none (`mark()` gives it one)."""
        self.stop = False
        if self._root < 0:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self.root.mkdir(mode=0o700)
            try:
                self._root = os.open(self.root, _FOLDER)
            except OSError as error:
                raise Lost(f"{self.root}: {error.strerror}; expected the folder of voice data") from None
            found = os.fstat(self._root)
            self._at = (found.st_dev, found.st_ino)
        for name in RESERVED:
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=self._root)
        with suppress(FileNotFoundError):
            return self.read(STAGING + b"/" + MARK, 0, 64)
        return b""

    def mark(self, mark: bytes) -> None:
        """Durable."""
        self.remove(STAGING + b"/" + MARK)
        self.write(STAGING + b"/" + MARK, 0, mark)
        self.flush()

    def close(self) -> None:
        self.stop = True
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def reopen(self) -> None:
        """After Lost: what the path leads to now."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def intact(self) -> None:
        """Raises Lost where the path leads to another folder than the one that is open, or to none."""
        try:
            found = self.root.lstat()
        except OSError as error:
            raise Lost(f"{self.root}: {error.strerror}; expected the folder of voice data") from None
        if (found.st_dev, found.st_ino) != self._at:
            raise Lost(
                f"{self.root}: another folder or medium than before; expected the one of the voice data"
            )
        try:
            os.stat(STAGING + b"/" + MARK, dir_fd=self._root, follow_symlinks=False)
        except OSError:
            raise Lost(f"{self.root}: not the tree that was there before; expected its mark in it") from None

    @contextmanager
    def folder(self, path: bytes, make: bool = False) -> Generator[int]:
        """The folder as a handle."""
        handle = os.dup(self._root)
        try:
            for part in path.split(b"/") if path else ():
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=handle)
                inner = os.open(part, _FOLDER, dir_fd=handle)
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)

    def young(self, ctime: int, now: int) -> bool:
        """Whether a change after this one might go unseen, of two times in ns."""
        return abs(now - ctime) < self.settled

    # --- reading ------------------------------------------------------------------------------------
    def list(self, folder: bytes, known: bytes = b"") -> Listing | None:
        """What is in a folder. Its files are left out where the digest is the `known` one. None: no such
        folder. A name that the limits forbid is odd."""
        found = self._listed(folder, with_files=not known)
        if found is not None and known and found.stats != known:
            found = self._listed(folder, with_files=True)
        return found

    def _listed(self, folder: bytes, with_files: bool) -> Listing | None:
        """A folder of 50,000 files costs memory only where they are asked for."""
        found = Listing(folder)
        digest = blake2b(digest_size=16)
        newest, now = 0, time.time_ns()
        try:
            with self.folder(folder) as handle:
                for part in kernel.listing(handle):
                    digest.update(part.files)
                    newest = part.newest
                    if with_files:
                        found.files.extend(kernel.entries(part.files))
                    found.folders += self._inner(folder, part.folders)
                    found.odd += self._inner(folder, part.odd)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not self.young(newest, now):
            found.stats = digest.digest()
        found.files.sort()
        return found

    def _inner(self, folder: bytes, names: list[bytes]) -> list[bytes]:
        return [joined(folder, name) for name in names if folder or name not in RESERVED]

    def look(self, path: bytes) -> os.stat_result | None:
        """None: nothing is there (or something on the way to it is no folder)."""
        folder, name = split(path)
        try:
            with self.folder(folder) as handle:
                return os.stat(name, dir_fd=handle, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == 40:  # ELOOP: a folder on the way is a link now
                return None
            raise

    def finished(self, path: bytes) -> bool:
        """Whether nobody has the file open for writing: only then the kernel grants a lease for reading
        (fcntl(2), F_SETLEASE). False as well where it cannot be asked. The lease is given back at once; the
        signal that a writer would send meanwhile is one that does nothing."""
        folder, name = split(path)
        try:
            with self.folder(folder) as handle:
                file = os.open(name, _READ, dir_fd=handle)
        except OSError:
            return False
        try:
            fcntl.fcntl(file, _F_SETSIG, signal.SIGURG)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError:
            return False
        finally:
            os.close(file)
        return True

    def content(self, path: bytes, flush: bool = False, tries: int = 3) -> Content | None:
        """Reads and hashes a file; None while it changes under the reader. `flush` makes what was read
        durable first, so that no row ever says more than flash holds. Raises OSError (no file: ENOENT)."""
        folder, name = split(path)
        for _ in range(tries):
            with self.folder(folder) as handle:
                file = os.open(name, _READ, dir_fd=handle)
            try:
                before, now = os.fstat(file), time.time_ns()
                if not stat.S_ISREG(before.st_mode):
                    raise FileNotFoundError(2, "not a file")
                if flush:
                    os.fsync(file)
                digest = blake2b(digest_size=HASH_SIZE)
                while piece := os.read(file, PIECE):
                    if self.stop:
                        raise Stopped
                    digest.update(piece)
                after = os.fstat(file)
            finally:
                os.close(file)
            if key_of(before) == key_of(after):
                return Content(
                    after.st_size,
                    after.st_mtime_ns,
                    digest.digest(),
                    key_of(after),
                    self.young(after.st_ctime_ns, now),
                    after.st_nlink > 1,
                )
        return None

    def read(self, path: bytes, offset: int, length: int) -> bytes:
        """Up to `length` octets; fewer at the end of the file."""
        folder, name = split(path)
        with self.folder(folder) as handle:
            file = os.open(name, _READ, dir_fd=handle)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise FileNotFoundError(2, "not a file")
            return os.pread(file, length, offset)
        finally:
            os.close(file)

    # --- staging ------------------------------------------------------------------------------------
    def write(self, path: bytes, offset: int, octets: bytes) -> None:
        """Puts octets at the end of a file that ends at `offset`; offset 0 makes it. Not flushed."""
        folder, name = split(path)
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if offset else os.O_CREAT | os.O_EXCL)
        with self.folder(folder) as handle:
            file = os.open(name, flags, 0o600, dir_fd=handle)
        try:
            left = memoryview(octets)
            while left:
                done = os.pwrite(file, left, offset)
                left, offset = left[done:], offset + done
        finally:
            os.close(file)

    def copy(self, path: bytes, to: bytes, digest: bytes, size: int) -> bool:
        """Copies a file of the tree into staging. False, and nothing there, where it has not this content."""
        found = self.look(path)
        if found is None or not stat.S_ISREG(found.st_mode) or found.st_size != size:
            return False
        hasher = blake2b(digest_size=HASH_SIZE)
        offset = 0
        try:
            while True:
                piece = self.read(path, offset, PIECE)
                if piece or not offset:
                    self.write(to, offset, piece)
                if not piece:
                    break
                if self.stop:
                    raise Stopped
                hasher.update(piece)
                offset += len(piece)
        except FileNotFoundError:
            self.remove(to)
            return False
        except BaseException:
            with suppress(OSError):
                self.remove(to)
            raise
        if hasher.digest() != digest:
            self.remove(to)
            return False
        return True

    def stamp(self, path: bytes, mtime: int) -> None:
        """The time of change that the file has on the other unit."""
        folder, name = split(path)
        with self.folder(folder) as handle:
            os.utime(name, ns=(mtime, mtime), dir_fd=handle, follow_symlinks=False)

    # --- names --------------------------------------------------------------------------------------
    def rename(self, path: bytes, to: bytes) -> os.stat_result:
        """Moves a name in place of another; makes the folders to it. Durable with `flush`."""
        (folder, name), (to_folder, to_name) = split(path), split(to)
        with self.folder(folder) as source, self.folder(to_folder, make=True) as target:
            os.rename(name, to_name, src_dir_fd=source, dst_dir_fd=target)
            return os.stat(to_name, dir_fd=target, follow_symlinks=False)

    def discard(self, path: bytes, day: str) -> None:
        """Moves a file into the trash of that day; nothing where there is none. Folders that are empty then
        go."""
        for number in range(1000):  # a further bin of the day where the name is taken, or in the way
            to = joined(joined(TRASH, day.encode() + (b"~%d" % number if number else b"")), path)
            if self.look(path) is None:
                break
            if self.look(to) is None:
                with suppress(NotADirectoryError):
                    self.rename(path, to)
                    break
        self.prune(split(path)[0])

    def prune(self, folder: bytes) -> None:
        """Takes away folders that are empty, from this one upwards."""
        while folder:
            above, name = split(folder)
            try:
                with self.folder(above) as handle:
                    os.rmdir(name, dir_fd=handle)
            except OSError:
                return
            folder = above

    def remove(self, path: bytes) -> None:
        """Nothing where there is none."""
        folder, name = split(path)
        with suppress(FileNotFoundError), self.folder(folder) as handle:
            os.unlink(name, dir_fd=handle)

    # --- durable ------------------------------------------------------------------------------------
    def flush(self) -> None:
        """Everything written below the tree until now. A flush that failed is never tried again."""
        kernel.flush_file_system(self._root)

    # --- housekeeping -------------------------------------------------------------------------------
    def staging(self) -> dict[bytes, int]:
        """Name and size of what is gathered in staging; what has no business there is removed."""
        found: dict[bytes, int] = {}
        with self.folder(STAGING) as handle:
            for name in os.listdir(handle):  # noqa: PTH208 - below an open folder
                entry = os.stat(name, dir_fd=handle, follow_symlinks=False)
                bare = name.partition("-")[0]
                if stat.S_ISREG(entry.st_mode) and len(bare) == 2 * HASH_SIZE:
                    found[STAGING + b"/" + os.fsencode(name)] = entry.st_size
                elif name != MARK.decode():
                    _remove_all(name, handle)
        return found

    def purge(self, before: str, most: int | None = None) -> None:
        """Takes away the trash of the days before that one (of every day with "~"), and then what was put
        there first until no more than `most` octets are left."""
        with self.folder(TRASH) as handle:
            days = sorted(os.listdir(handle))  # noqa: PTH208 - below an open folder
            for day in days:
                if day < before:
                    _remove_all(day, handle)
            kept = [day for day in days if day >= before]
            if (
                most is None
                or (total := sum(s.st_size for day in kept for _, s in _below(day, handle))) <= most
            ):
                return
            for day in kept:
                found = sorted((s.st_ctime_ns, path, s.st_size) for path, s in _below(day, handle))
                for _, path, octets in found:
                    if total <= most:
                        return
                    with suppress(FileNotFoundError):
                        os.unlink(path, dir_fd=handle)
                    total -= octets
                _remove_all(day, handle)

    def hashed(self, path: bytes, size: int) -> tuple[int, blake2b]:
        """Of what is in staging already: its octets, and a hasher that has seen them. More than `size` of
        them are none of that content, and removed."""
        hasher = blake2b(digest_size=HASH_SIZE)
        offset = 0
        found = self.look(path)
        if found is not None and (found.st_size > size or not stat.S_ISREG(found.st_mode)):
            self.remove(path)
        elif found is not None:
            while piece := self.read(path, offset, PIECE):
                if self.stop:
                    raise Stopped
                hasher.update(piece)
                offset += len(piece)
            if not offset:
                self.remove(path)
        return offset, hasher


def _below(name: str, handle: int) -> Generator[tuple[str, os.stat_result]]:
    """The files below a folder, by their paths from the folder that it is in; links are not followed."""
    for folder, _, files, inner in os.fwalk(name, dir_fd=handle):
        for file in files:
            with suppress(FileNotFoundError):
                yield f"{folder}/{file}", os.stat(file, dir_fd=inner, follow_symlinks=False)


def _remove_all(name: str, handle: int) -> None:
    """A file, or a folder and everything in it; links are not followed."""
    try:
        os.unlink(name, dir_fd=handle)
    except IsADirectoryError:
        from shutil import rmtree  # noqa: PLC0415 - it brings two libraries of compression

        rmtree(name, dir_fd=handle, ignore_errors=True)
    except FileNotFoundError:
        pass
