# SPDX-License-Identifier: Apache-2.0
"""delta: the delta frame: one commit as octets: log row on flash, message on the wire, undo history, vector.

A frame is a header of 68 octets and a msgpack body. The header, big-endian (declared with construct in
`headers.DELTA`; here with `struct`, 0.2 µs instead of 15, because every commit and every row passes here):

    magic     4   QXDF
    version   2   FORMAT; a newer one is refused by name
    flags     2   0
    history  16   the history in which the revision was made
    rev       8
    length    4   octets of the body
    prev     16   the chain of the revision before
    chain    16   blake2b-128(prev ‖ history ‖ rev ‖ body): digest of this frame and proof of all before

The body is a list: term of the history; when, milliseconds since 1970 (told, never judged by); who; what;
state hash after it; operations. An operation is [path, before, after], nil for "not set", so that a frame can
be undone, and so that whoever applies it sees at each path whether it fits. Operations are sorted by path,
each path once, and the body is canonical: `build(parse(frame)) == frame`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Any, cast

from ..errors import Refusal
from ..packing import NotPacked, pack, unpack
from .plain import is_path, is_value
from .position import History, Position, chain_after
from .state import DIGEST_SIZE
from .values import Plain

MAGIC = b"QXDF"
FORMAT = 1
HEADER = Struct(">4sHH16sQI16s16s")
BODY_MAX = 16 << 20  # octets
WHO_MAX, WHAT_MAX = 64, 200  # characters


Changes = Mapping[str, Plain]  # None: takes the value away


class BadFrame(Refusal):
    """The octets are no whole delta frame of this format."""


@dataclass(frozen=True, slots=True)
class Operation:
    path: str
    before: Plain  # None: was not set
    after: Plain  # None: is not set any more


@dataclass(frozen=True, slots=True)
class Delta:
    """One commit."""

    position: Position  # that it leads to
    prev: bytes  # the chain that it continues
    term: int
    when: int  # milliseconds since 1970
    who: str
    what: str
    state_hash: bytes
    operations: tuple[Operation, ...]

    @property
    def changes(self) -> dict[str, Plain]:
        return {operation.path: operation.after for operation in self.operations}

    def history(self) -> History:
        """The history that this delta opens, if it opens one."""
        return History(self.position.history, self.term, self.position.rev - 1, self.prev)


@dataclass(frozen=True, slots=True)
class Header:
    """What can be told of a frame without reading its body."""

    position: Position
    prev: bytes
    length: int


def operations(before: Mapping[str, Plain], after: Mapping[str, Plain]) -> tuple[Operation, ...]:
    """`after` has the paths that changed."""
    return tuple(Operation(path, before[path], after[path]) for path in sorted(after))


def build(
    now: Position, history: History, state_hash: bytes, ops: tuple[Operation, ...], when: int, who: str,
    what: str,
) -> tuple[bytes, Position]:  # fmt: skip
    """The frame of the commit that follows `now`, and the position that it leads to."""
    rows = tuple((o.path, o.before, o.after) for o in ops)
    body = pack((history.term, when, who[:WHO_MAX], what[:WHAT_MAX], state_hash, rows))
    if len(body) > BODY_MAX:
        raise Refusal(f"a change of {len(body)} octets; expected at most {BODY_MAX}")
    rev = now.rev + 1
    chain = chain_after(now.chain, history.id, rev, body)
    head = HEADER.pack(MAGIC, FORMAT, 0, history.id, rev, len(body), now.chain, chain)
    return head + body, Position(history.id, rev, chain)


def header(frame: bytes) -> Header:
    """Reads the first 68 octets. Raises BadFrame."""
    if len(frame) < HEADER.size:
        raise BadFrame(f"delta: {len(frame)} octets; expected a header of {HEADER.size}")
    magic, version, flags, history, rev, length, prev, chain = HEADER.unpack_from(frame)
    if magic != MAGIC:
        raise BadFrame(f"delta: begins with {magic!r}; expected {MAGIC!r}")
    if version != FORMAT or flags:
        raise BadFrame(f"delta: format {version} with flags {flags}; expected {FORMAT} with 0")
    if not 0 < length <= BODY_MAX:
        raise BadFrame(f"delta: length {length}; expected 1 to {BODY_MAX}")
    if not 0 < rev < 1 << 62:
        raise BadFrame(f"delta: revision {rev}; expected one from 1")
    return Header(Position(history, rev, chain), prev, length)


def verified(frame: bytes) -> Header:
    """The header of a frame whose digest is right. Raises BadFrame. Does not read the body."""
    head = header(frame)
    body = frame[HEADER.size :]
    if len(body) != head.length:
        raise BadFrame(f"delta: a body of {len(body)} octets; expected {head.length}")
    if chain_after(head.prev, head.position.history, head.position.rev, body) != head.position.chain:
        raise BadFrame(f"delta: revision {head.position.rev}: its digest is wrong; expected it as written")
    return head


def parse(frame: bytes) -> Delta:
    """Reads a whole frame, judging all of it. Raises BadFrame."""
    head = verified(frame)
    body = frame[HEADER.size :]
    try:
        value: Any = unpack(body)
        canonical = pack(value)
    except (NotPacked, ValueError, TypeError, OverflowError):
        raise BadFrame("delta: body: expected msgpack") from None
    if canonical != body:
        raise BadFrame("delta: body: expected canonical msgpack")
    if not isinstance(value, tuple) or len(cast("tuple[Any, ...]", value)) != 6:
        raise BadFrame("delta: body: expected a list of 6 fields")
    term, when, who, what, state_hash, rows = cast("tuple[Any, ...]", value)
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in (term, when)):
        raise BadFrame("delta: term and when: expected whole numbers")
    if not isinstance(who, str) or not isinstance(what, str):
        raise BadFrame("delta: who and what: expected texts")
    if len(who) > WHO_MAX or len(what) > WHAT_MAX:
        raise BadFrame(f"delta: who and what: expected at most {WHO_MAX} and {WHAT_MAX} characters")
    if not isinstance(state_hash, bytes) or len(state_hash) != DIGEST_SIZE:
        raise BadFrame(f"delta: state hash: expected {DIGEST_SIZE} octets")
    return Delta(head.position, head.prev, term, when, who, what, state_hash, _operations(rows))


def _operations(rows: Any) -> tuple[Operation, ...]:
    if not isinstance(rows, tuple) or not rows:
        raise BadFrame("delta: operations: expected a list of at least one")
    found: list[Operation] = []
    last = ""
    for row in cast("tuple[Any, ...]", rows):
        if not isinstance(row, tuple) or len(cast("tuple[Any, ...]", row)) != 3:
            raise BadFrame("delta: operation: expected path, before and after")
        path, before, after = cast("tuple[Any, Any, Any]", row)
        if not is_path(path) or path <= last:
            raise BadFrame(f"delta: operation: path {str(path)[:40]!r}; expected paths in order, each once")
        if not all(value is None or is_value(value) for value in (before, after)):
            raise BadFrame(f"delta: {path}: expected plain values")
        last = path
        found.append(Operation(path, before, after))
    return tuple(found)
