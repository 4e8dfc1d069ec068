# SPDX-License-Identifier: Apache-2.0
"""messages: what the two units say to each other about settings: kinds, bodies, reading. Pure.

    kind       from    body (msgpack list)
    STANDING   both    number, role, position, term, histories, state hash, bare, differs, staged, have
    VERDICT    Master  number, action, why, revision of the Master
    DELTAS     Master  number, revision of the Master, frames
    ACK        Backup  number, history, revision: this and all before is durable there
    KEPT       Backup  number, number of the conflict snapshot that is durable there
    SNAPSHOT   Master  number, octets, digest (blake2b-256), offset from which it follows
    CHUNK      Master  number, offset, octets
    CHECK      Master  number, position, state hash: is it yours? An ACK says yes, a STANDING no
    CONFLICT   Backup  digest (blake2b-256), octets, offset, part: a conflict snapshot for the Master as well,
                       where the administrator is
    TAKEN      Master  digest: it is durable there

A position is [history, revision, chain]. The Backup numbers its standings; everything that the Master sends
because of one carries its number, and the Backup drops what belongs to an older one. So whichever side is in
doubt says anew where it stands, at any time, and what was on its way does no harm. The Master's own STANDING
(number 0) asks for one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..redundancy.peer.message import SETTINGS, BadMessage
from ..settings.lineage import Standing
from ..settings.position import CHAIN_SIZE, HISTORY_SIZE, History, Position
from ..settings.state import DIGEST_SIZE

STANDING, VERDICT, DELTAS, ACK, KEPT, SNAPSHOT, CHUNK, CHECK, CONFLICT, TAKEN = SETTINGS[:10]

NEITHER, MASTER, BACKUP = 0, 1, 2
WHY_MAX = 300  # characters
HISTORIES_MAX = 100_000
HELD = "held"  # an action beside those of lineage: this Master does not send to that Backup

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said:
    """A standing as it crosses."""

    number: int
    role: int
    standing: Standing
    differs: str = ""  # why the content here is not what the Master's deltas say; empty: it is
    staged: bytes = b""  # digest of a snapshot of which the first `have` octets are here already
    have: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    number: int
    action: str
    why: str
    rev: int


@dataclass(frozen=True, slots=True)
class Deltas:
    number: int
    rev: int  # the Master's, so that the Backup knows how far behind it is
    frames: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ack:
    number: int
    history: bytes
    rev: int


@dataclass(frozen=True, slots=True)
class Kept:
    number: int
    conflict: int


@dataclass(frozen=True, slots=True)
class Head:
    number: int
    octets: int
    digest: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Chunk:
    number: int
    offset: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Check:
    number: int
    position: Position
    state_hash: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """Of a conflict snapshot."""

    digest: bytes
    of: int
    offset: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    digest: bytes


Message = Said | Verdict | Deltas | Ack | Kept | Head | Chunk | Check | Part | Taken


# --- bodies -------------------------------------------------------------------------------------------------
def standing_body(said: Said) -> tuple[Any, ...]:
    s = said.standing
    histories = tuple((h.id, h.term, h.fork_rev, h.fork_chain) for h in s.histories)
    return (said.number, said.role, _place(s.position), s.term, histories, s.state_hash, s.bare,
            said.differs[:WHY_MAX], said.staged, said.have)  # fmt: skip


def verdict_body(verdict: Verdict) -> tuple[Any, ...]:
    return (verdict.number, verdict.action, verdict.why[:WHY_MAX], verdict.rev)


def check_body(check: Check) -> tuple[Any, ...]:
    return (check.number, _place(check.position), check.state_hash)


def _place(position: Position) -> tuple[bytes, int, bytes]:
    return (position.history, position.rev, position.chain)


# --- reading ------------------------------------------------------------------------------------------------
def read(kind: int, body: Any) -> Message:
    """Raises BadMessage for a kind or a body that no peer of this format sends."""
    reader = _READERS.get(kind)
    if reader is None:
        raise BadMessage(f"settings: kind {kind}; expected one from {STANDING} to {TAKEN}")
    try:
        return reader(body)
    except (ValueError, TypeError) as error:
        raise BadMessage(f"settings: message of kind {kind}: {error}") from None


def _standing(body: Any) -> Said:
    number, role, at, term, rows, state_hash, bare, differs, staged, have = _list(body, 10)
    if role not in (NEITHER, MASTER, BACKUP) or not isinstance(bare, bool):
        raise ValueError("expected a role, and whether it is bare")
    if not isinstance(rows, tuple) or len(rows) > HISTORIES_MAX:
        raise ValueError("expected histories")
    histories = tuple(
        History(_octets(h, HISTORY_SIZE), _count(t), _count(fork), _octets(chain, CHAIN_SIZE))
        for h, t, fork, chain in rows
    )
    position = _position(at)
    last = histories[-1].id if histories else Position().history
    if last != position.history or [h.fork_rev for h in histories] != sorted({h.fork_rev for h in histories}):
        raise ValueError("expected histories in the order of their forks, the last that of the position")
    standing = Standing(
        position, _count(term), histories, _octets(state_hash, DIGEST_SIZE), bare, role == MASTER
    )
    if staged:
        _octets(staged, DIGEST_SIZE)
    return Said(_count(number), role, standing, _text(differs), staged, _count(have))


def _verdict(body: Any) -> Verdict:
    number, action, why, rev = _list(body, 4)
    return Verdict(_count(number), _text(action), _text(why), _count(rev))


def _deltas(body: Any) -> Deltas:
    number, rev, frames = _list(body, 3)
    if not isinstance(frames, tuple) or not frames or not all(isinstance(f, bytes) for f in frames):
        raise ValueError("expected delta frames")
    return Deltas(_count(number), _count(rev), frames)


def _ack(body: Any) -> Ack:
    number, history, rev = _list(body, 3)
    return Ack(_count(number), _octets(history, HISTORY_SIZE), _count(rev))


def _kept(body: Any) -> Kept:
    number, conflict = _list(body, 2)
    return Kept(_count(number), _count(conflict))


def _head(body: Any) -> Head:
    number, octets, digest, offset = _list(body, 4)
    head = Head(_count(number), _count(octets), _octets(digest, DIGEST_SIZE), _count(offset))
    if head.offset > head.octets:
        raise ValueError(f"offset {head.offset}: expected at most {head.octets}")
    return head


def _chunk(body: Any) -> Chunk:
    number, offset, octets = _list(body, 3)
    if not isinstance(octets, bytes) or not octets:
        raise ValueError("expected octets")
    return Chunk(_count(number), _count(offset), octets)


def _check(body: Any) -> Check:
    number, at, state_hash = _list(body, 3)
    return Check(_count(number), _position(at), _octets(state_hash, DIGEST_SIZE))


def _part(body: Any) -> Part:
    digest, of, offset, octets = _list(body, 4)
    if not isinstance(octets, bytes) or not octets:
        raise ValueError("expected octets")
    part = Part(_octets(digest, DIGEST_SIZE), _count(of), _count(offset), octets)
    if part.offset + len(octets) > part.of:
        raise ValueError(f"octets beyond {part.of}")
    return part


def _taken(body: Any) -> Taken:
    (digest,) = _list(body, 1)
    return Taken(_octets(digest, DIGEST_SIZE))


_READERS: dict[int, Callable[[Any], Message]] = {
    STANDING: _standing,
    VERDICT: _verdict,
    DELTAS: _deltas,
    ACK: _ack,
    KEPT: _kept,
    SNAPSHOT: _head,
    CHUNK: _chunk,
    CHECK: _check,
    CONFLICT: _part,
    TAKEN: _taken,
}


def _list(body: Any, length: int) -> tuple[Any, ...]:
    if not isinstance(body, tuple) or len(body) != length:
        raise ValueError(f"expected a list of {length}")
    return body


def _position(value: Any) -> Position:
    history, rev, chain = _list(value, 3)
    return Position(_octets(history, HISTORY_SIZE), _count(rev), _octets(chain, CHAIN_SIZE))


def _octets(value: Any, size: int) -> bytes:
    if not isinstance(value, bytes) or len(value) != size:
        raise ValueError(f"expected {size} octets")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > WHY_MAX:
        raise ValueError(f"expected a text of at most {WHY_MAX} characters")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise ValueError("expected a whole number from 0")
    return value
