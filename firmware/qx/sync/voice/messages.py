# SPDX-License-Identifier: Apache-2.0
"""messages: what the two units say to each other about voice data: kinds, shapes, and who says which. Pure.

M is the Master, B the Backup. Hashes are blake2b-256 of a file's content; a root is the manifest's.

    STATE           M  number, root, files, octets           where I stand; asks for AT
    CHANGES         M  number, root, entries, gone           since the number before; `root` after them
    AT              B  number, root, files, octets           all up to `number` is durable here; where I stand
    FOLDERS_WANTED  B  after                                 nil: from the first on
    FOLDERS         M  after, ((folder, sum), …), last       sorted
    ENTRIES_WANTED  B  folder, after
    ENTRIES         M  folder, after, ((name, size, hash, mtime), …), last   size nil: deleted
    WANT            *  ((path, hash, offset, length), …)     parts of files
    BLOBS           *  ((hash, offset, data), …)             bulk
    LACKING         *  path, hash                            there is no such content any more
    DOUBT           B  path                                  the content is not of its hash: look again
    SURPLUS         B  entries                               files that you lack: take them
    TAKEN           M  files taken                           the last SURPLUS is durable
    TROUBLE         B  text                                  why nothing is stored; empty: over
    HERE            B                                        I begin (anew): answer with STATE

An entry is (path, size, hash, mtime_ns). `read()` judges every shape and limit: nothing further in looks at a
body that it has not seen.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...redundancy.peer.message import VOICE, BadMessage
from . import naming

STATE, CHANGES, AT, FOLDERS_WANTED, FOLDERS, ENTRIES_WANTED, ENTRIES = VOICE[:7]
WANT, BLOBS, LACKING, DOUBT, SURPLUS, TAKEN, TROUBLE, HERE = VOICE[7:15]

HASH_SIZE = 32
BATCH_FILES = 256  # entries of one message, files of one batch
BATCH_OCTETS = 32 << 20
CHUNK = 256 << 10  # octets of content in one message
CREDIT = 8 << 20  # octets of content asked for and not yet stored
PAGE = 512  # rows of FOLDERS
SIZE_MAX = 1 << 62


class Entry(NamedTuple):
    path: bytes
    size: int
    hash: bytes
    mtime: int  # ns


class Want(NamedTuple):
    path: bytes
    hash: bytes
    offset: int
    length: int


class Blob(NamedTuple):
    hash: bytes
    offset: int
    data: bytes


def read(kind: int, body: Any) -> tuple[Any, ...]:
    """The fields of a message. Raises BadMessage naming the field and what was expected."""
    if kind not in _SHAPES:
        raise BadMessage(f"voice: kind {kind}; expected {STATE} to {HERE}")
    names = _SHAPES[kind]
    _expect(isinstance(body, tuple) and len(body) == len(names), kind, f"{len(names)} fields")
    fields = tuple(_READERS[name](value, f"{kind} {name}") for name, value in zip(names, body, strict=True))
    if kind == ENTRIES:
        for row in fields[2]:
            _path(naming.joined(fields[0], row[0]), f"{kind} names")
    return fields


def _expect(right: bool, where: int | str, what: str) -> None:
    if not right:
        raise BadMessage(f"voice: {where}: expected {what}")


def _number(value: Any, where: str) -> int:
    _expect(type(value) is int and 0 <= value <= SIZE_MAX, where, f"a number from 0 to {SIZE_MAX}")
    return value


def _mtime(value: Any, where: str) -> int:
    _expect(type(value) is int and -(1 << 63) <= value < 1 << 63, where, "nanoseconds")
    return value


def _hash(value: Any, where: str) -> bytes:
    _expect(isinstance(value, bytes) and len(value) == HASH_SIZE, where, f"{HASH_SIZE} octets")
    return value


def _octets(value: Any, where: str, most: int) -> bytes:
    _expect(isinstance(value, bytes) and len(value) <= most, where, f"at most {most} octets")
    return value


def _path(value: Any, where: str) -> bytes:
    _octets(value, where, naming.PATH_MAX)
    _expect(not naming.fault(value), where, f"a path within the tree; {naming.fault(value)}")
    return value


def _folder(value: Any, where: str) -> bytes:
    return value if value == b"" else _path(value, where)


def _after(value: Any, where: str) -> bytes | None:
    return None if value is None else _octets(value, where, naming.PATH_MAX)


def _flag(value: Any, where: str) -> bool:
    _expect(isinstance(value, bool), where, "true or false")
    return value


def _rows(value: Any, where: str, most: int, width: int) -> tuple[Any, ...]:
    _expect(isinstance(value, tuple) and len(value) <= most, where, f"at most {most} rows")
    for row in value:
        _expect(isinstance(row, tuple) and len(row) == width, where, f"rows of {width}")
    return value


def _entries(value: Any, where: str) -> tuple[Entry, ...]:
    return tuple(
        Entry(_path(p, where), _number(s, where), _hash(h, where), _mtime(m, where))
        for p, s, h, m in _rows(value, where, BATCH_FILES, 4)
    )


def _gone(value: Any, where: str) -> tuple[bytes, ...]:
    _expect(isinstance(value, tuple) and len(value) <= BATCH_FILES, where, f"at most {BATCH_FILES} paths")
    return tuple(_path(path, where) for path in value)


def _names(value: Any, where: str) -> tuple[tuple[bytes, int | None, bytes, int], ...]:
    rows = tuple(
        (_octets(n, where, naming.NAME_MAX), None if s is None else _number(s, where), _hash(h, where),
         _mtime(m, where))
        for n, s, h, m in _rows(value, where, BATCH_FILES, 4)
    )  # fmt: skip
    _expect(all(b"/" not in row[0] for row in rows), where, "names")
    return rows


def _folders(value: Any, where: str) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((_folder(f, where), _hash(s, where)) for f, s in _rows(value, where, PAGE, 2))


def _wants(value: Any, where: str) -> tuple[Want, ...]:
    return tuple(
        Want(_path(p, where), _hash(h, where), _number(o, where), _number(n, where))
        for p, h, o, n in _rows(value, where, BATCH_FILES, 4)
    )


def _blobs(value: Any, where: str) -> tuple[Blob, ...]:
    return tuple(
        Blob(_hash(h, where), _number(o, where), _octets(d, where, CHUNK))
        for h, o, d in _rows(value, where, BATCH_FILES, 3)
    )


def _text(value: Any, where: str) -> str:
    _expect(isinstance(value, str) and len(value) <= 500, where, "at most 500 characters")
    return value


_READERS: dict[str, Any] = {
    "number": _number, "files": _number, "octets": _number, "root": _hash, "hash": _hash, "path": _path,
    "folder": _folder, "after": _after, "last": _flag, "entries": _entries, "gone": _gone, "names": _names,
    "folders": _folders, "wants": _wants, "blobs": _blobs, "text": _text,
}  # fmt: skip
_SHAPES: dict[int, tuple[str, ...]] = {
    STATE: ("number", "root", "files", "octets"),
    CHANGES: ("number", "root", "entries", "gone"),
    AT: ("number", "root", "files", "octets"),
    FOLDERS_WANTED: ("after",),
    FOLDERS: ("after", "folders", "last"),
    ENTRIES_WANTED: ("folder", "after"),
    ENTRIES: ("folder", "after", "names", "last"),
    WANT: ("wants",),
    BLOBS: ("blobs",),
    LACKING: ("path", "hash"),
    DOUBT: ("path",),
    SURPLUS: ("entries",),
    TAKEN: ("files",),
    TROUBLE: ("text",),
    HERE: (),
}
