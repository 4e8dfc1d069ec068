# SPDX-License-Identifier: Apache-2.0
"""conflicts: what a unit had and gave up for the Master's settings, kept until somebody drops it (R10).

A file for each under data/qx/conflicts, `NUMBER.conflict`: a header of 44 octets, big-endian
(`headers.CONFLICT`): magic QXCF, version, flags, length of the body, blake2b-256 of all the rest; the body is
a msgpack map: when, why, action, the serials of the unit and of its peer, both positions, the revision at
which their ways part, the whole snapshot as octets, the delta frames of the log after that revision, and the
names of the voice files that the other unit did not have. Written beside, flushed and renamed, so that a
power cut leaves all of it or nothing of it; `keep` returns when it is durable, and only then the settings may
be given up.

Waits for flash: to be called from worker threads, any of them. Touches its folder through `files` alone, and
knows nothing of the store or of the wire.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from threading import Lock
from typing import Any, cast

from ..errors import Refusal
from ..packing import NotPacked, pack, unpack
from ..settings.files import FILES, Files, read
from ..settings.position import CHAIN_SIZE, HISTORY_SIZE, Position

MAGIC = b"QXCF"
FORMAT = 1
HEADER = Struct(">4sHHI32s")
SIZE_MAX = 96 << 20  # octets: a snapshot of the largest size and a whole log
KEPT_MAX = 8
SUFFIX = ".conflict"
FRESH = "new" + SUFFIX


class BadConflict(Refusal):
    """The file is no whole conflict snapshot of this format."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """`number` is 0 until it is kept. Nothing in it but `snapshot` and `frames` is secret."""

    when: int  # seconds since 1970; told, never judged by
    why: str
    action: str  # of lineage.Action
    unit: str  # serial of the unit whose settings these are
    peer: str  # serial of the Master for whose settings they were given up
    position: Position  # of these settings
    theirs: Position  # of the Master's
    parting: int  # the last revision that both had
    snapshot: bytes
    frames: tuple[bytes, ...] = ()  # the revisions after `parting` as far as the log held them
    voice: tuple[str, ...] = ()
    number: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the folder: its conflict without snapshot and frames, or what is wrong with it."""

    number: int
    octets: int
    revisions: int = 0
    conflict: Conflict | None = None
    damage: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    number: int
    dropped: tuple[int, ...] = ()  # the oldest, because there were too many
    again: bool = False  # the very same was kept already: the power went before the Master's came


def build(conflict: Conflict) -> bytes:
    at, theirs = conflict.position, conflict.theirs
    body = pack(
        {
            "when": conflict.when,
            "why": conflict.why,
            "action": conflict.action,
            "unit": conflict.unit,
            "peer": conflict.peer,
            "position": (at.history, at.rev, at.chain),
            "theirs": (theirs.history, theirs.rev, theirs.chain),
            "parting": conflict.parting,
            "snapshot": conflict.snapshot,
            "frames": conflict.frames,
            "voice": conflict.voice,
        }
    )
    head = HEADER.pack(MAGIC, FORMAT, 0, len(body), bytes(32))[:-32]
    return head + _digest(head, body) + body


def _digest(head: bytes, body: bytes) -> bytes:
    return blake2b(head + body, digest_size=32).digest()


def parse(octets: bytes, number: int = 0) -> Conflict:
    """Raises BadConflict."""
    if len(octets) < HEADER.size:
        raise BadConflict(f"conflict snapshot: {len(octets)} octets; expected a header of {HEADER.size}")
    magic, version, flags, length, digest = HEADER.unpack_from(octets)
    if magic != MAGIC:
        raise BadConflict(f"conflict snapshot: begins with {magic!r}; expected {MAGIC!r}")
    if version != FORMAT or flags:
        raise BadConflict(f"conflict snapshot: format {version} with flags {flags}; expected {FORMAT} with 0")
    body = octets[HEADER.size :]
    if length != len(body) or _digest(octets[: HEADER.size - 32], body) != digest:
        raise BadConflict(f"conflict snapshot: damaged or cut off; expected {length} octets as written")
    try:
        return _read(unpack(body), number)
    except (NotPacked, KeyError, TypeError, ValueError) as error:
        raise BadConflict(f"conflict snapshot: body: {error}") from None


def _read(value: Any, number: int) -> Conflict:
    if not isinstance(value, dict):
        raise ValueError("expected a map")
    table = cast("dict[str, Any]", value)
    frames, voice = table["frames"], table["voice"]
    if not isinstance(table["snapshot"], bytes) or not all(isinstance(frame, bytes) for frame in frames):
        raise ValueError("expected a snapshot and delta frames as octets")
    return Conflict(
        int(table["when"]),
        str(table["why"]),
        str(table["action"]),
        str(table["unit"]),
        str(table["peer"]),
        _position(table["position"]),
        _position(table["theirs"]),
        int(table["parting"]),
        table["snapshot"],
        tuple(frames),
        tuple(map(str, voice)),
        number,
    )


def _position(value: Any) -> Position:
    history, rev, chain = value
    if len(history) != HISTORY_SIZE or len(chain) != CHAIN_SIZE:
        raise ValueError("expected positions")
    return Position(bytes(history), int(rev), bytes(chain))


class Conflicts:
    """The folder. It need not be there until something is kept."""

    def __init__(self, folder: Path, files: Files = FILES) -> None:
        self._folder = folder
        self._files = files
        self._lock = Lock()

    def keep(self, conflict: Conflict) -> Kept:
        """Makes it durable, then drops the oldest beyond KEPT_MAX. Raises OSError; then nothing was changed
        but perhaps a file beside, which the next one writes over."""
        with self._lock:
            self._folder.mkdir(exist_ok=True)
            self._files.flush_folder(self._folder.parent)
            number = self._same(conflict)
            again = number is not None
            if number is None:
                number = max(self._numbers(), default=0) + 1
                fresh = self._folder / FRESH
                self._files.write(fresh, build(conflict))
                self._files.flush(fresh)
                self._files.rename(fresh, self._file(number))
            else:
                self._files.flush(self._file(number))
            self._files.flush_folder(self._folder)
            return Kept(number, self._drop_oldest(number), again)

    def _same(self, conflict: Conflict) -> int | None:
        """The number under which the very same state is kept already."""
        for number in self._numbers():
            try:
                kept = self._parsed(number)
            except Refusal:
                continue
            if (kept.snapshot, kept.frames, kept.unit) == (conflict.snapshot, conflict.frames, conflict.unit):
                return number
        return None

    def _drop_oldest(self, besides: int) -> tuple[int, ...]:
        old = [number for number in sorted(self._numbers()) if number != besides]
        dropped = tuple(old[: max(0, len(old) + 1 - KEPT_MAX)])
        for number in dropped:
            self._files.remove(self._file(number))
        if dropped:
            self._files.flush_folder(self._folder)
        return dropped

    def found(self) -> list[Found]:
        """All of them, oldest first; a damaged one is named and hides no other."""
        found: list[Found] = []
        with self._lock:
            for number in sorted(self._numbers()):
                size = self._file(number).stat().st_size
                try:
                    conflict = self._parsed(number)
                except Refusal as error:
                    found.append(Found(number, size, damage=str(error)))
                    continue
                bare = replace(conflict, snapshot=b"", frames=())
                found.append(Found(number, size, len(conflict.frames), bare))
        return found

    def read(self, number: int) -> Conflict:
        """Raises Refusal where there is none of that number, BadConflict naming a damaged file."""
        with self._lock:
            self._must_have(number)
            return self._parsed(number)

    def octets(self, number: int) -> bytes:
        """The file of a whole conflict snapshot, for the other unit. Raises as `read`."""
        with self._lock:
            self._must_have(number)
            return build(self._parsed(number))

    def drop(self, number: int) -> None:
        """Takes it away for good, damaged or not. Raises Refusal where there is none of that number."""
        with self._lock:
            self._must_have(number)
            self._files.remove(self._file(number))
            self._files.flush_folder(self._folder)

    def _must_have(self, number: int) -> None:
        known = sorted(self._numbers())
        if number not in known:
            kept = f"one of {', '.join(map(str, known))}" if known else "none: nothing is kept"
            raise Refusal(f"conflict {number}: not found; expected {kept}")

    def _numbers(self) -> Iterator[int]:
        if not self._folder.is_dir():
            return
        for file in self._folder.iterdir():
            name = file.name.removesuffix(SUFFIX)
            if name != file.name and name.isascii() and name.isdigit() and name == str(int(name)) != "0":
                yield int(name)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}{SUFFIX}"

    def _parsed(self, number: int) -> Conflict:
        file = self._file(number)
        try:
            octets = read(file, SIZE_MAX)
        except OSError as error:
            raise BadConflict(f"{file}: {error.strerror}; expected a conflict snapshot") from None
        if octets is None:
            raise BadConflict(f"{file}: more than {SIZE_MAX} octets; expected a conflict snapshot")
        try:
            return parse(octets, number)
        except BadConflict as error:
            raise BadConflict(f"{file}: {error}") from None
