# SPDX-License-Identifier: Apache-2.0
"""snapshot: all settings at one revision as octets, for the peer and for the files beside the database.

A header of 52 octets, big-endian (`headers.SNAPSHOT`): magic QXSN, version, flags, generation (0 on the wire,
counts up in files), length of the body, blake2b-256 of all the rest. The body is a msgpack map: model,
position, histories, settings (the scopes shared and pair, sorted), state hash; in a file also what the unit
has of its own: `own` settings, `own_rev` and `unit_state`. Equal states have equal octets. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from struct import Struct
from typing import Any, cast

from ..errors import Refusal
from ..packing import NotPacked, pack, unpack
from .plain import pairs
from .position import CHAIN_SIZE, HISTORY_SIZE, History, Position
from .state import State
from .values import Plain

MAGIC = b"QXSN"
FORMAT = 1
HEADER = Struct(">4sHHQI32s")
BODY_MAX = 64 << 20  # octets


class BadSnapshot(Refusal):
    """The octets are no whole snapshot of this format, or their state is not what they say."""


@dataclass(frozen=True, slots=True)
class Own:
    """What a unit does not share: for its own files only."""

    settings: tuple[tuple[str, Plain], ...] = ()
    rev: int = 0
    unit_state: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Snapshot:
    model: str
    position: Position
    histories: tuple[History, ...]
    state: State
    own: Own | None = None


def build(snapshot: Snapshot, generation: int = 0) -> bytes:
    at = snapshot.position
    value: dict[str, Any] = {
        "model": snapshot.model,
        "position": (at.history, at.rev, at.chain),
        "histories": tuple((h.id, h.term, h.fork_rev, h.fork_chain) for h in snapshot.histories),
        "settings": tuple(snapshot.state.items()),
        "state_hash": snapshot.state.digest,
    }
    if snapshot.own is not None:
        own = snapshot.own
        value |= {"own": own.settings, "own_rev": own.rev, "unit_state": own.unit_state}
    body = pack(value)
    head = HEADER.pack(MAGIC, FORMAT, 0, generation, len(body), bytes(32))
    return head[:-32] + _digest(head, body) + body


def _digest(head: bytes, body: bytes) -> bytes:
    return blake2b(head[: HEADER.size - 32] + body, digest_size=32).digest()


def generation(octets: bytes) -> int:
    """The generation in the header of octets that `parse` takes."""
    return int(HEADER.unpack_from(octets)[3])


def parse(octets: bytes) -> Snapshot:
    """Reads a snapshot and verifies all of it, its state hash included. Raises BadSnapshot."""
    if len(octets) < HEADER.size:
        raise BadSnapshot(f"snapshot: {len(octets)} octets; expected a header of {HEADER.size}")
    magic, version, flags, _, length, digest = HEADER.unpack_from(octets)
    if magic != MAGIC:
        raise BadSnapshot(f"snapshot: begins with {magic!r}; expected {MAGIC!r}")
    if version != FORMAT or flags:
        raise BadSnapshot(f"snapshot: format {version} with flags {flags}; expected {FORMAT} with 0")
    body = octets[HEADER.size :]
    if length != len(body) or length > BODY_MAX:
        raise BadSnapshot(f"snapshot: a body of {len(body)} octets; expected {length}, at most {BODY_MAX}")
    if _digest(octets, body) != digest:
        raise BadSnapshot("snapshot: its digest is wrong; expected it as written")
    try:
        return _read(unpack(body))
    except (NotPacked, KeyError, TypeError, ValueError) as error:
        raise BadSnapshot(f"snapshot: body: {error}") from None


def _read(value: Any) -> Snapshot:
    if not isinstance(value, dict):
        raise ValueError("expected a map")
    table = cast("dict[str, Any]", value)
    state = State.of(pairs(table["settings"]))
    if state.digest != table["state_hash"]:
        raise ValueError("the state hash is another than that of the settings")
    history, rev, chain = table["position"]
    position = Position(_octets(history, HISTORY_SIZE), _count(rev), _octets(chain, CHAIN_SIZE))
    histories = tuple(
        History(_octets(h, HISTORY_SIZE), _count(term), _count(fork), _octets(fork_chain, CHAIN_SIZE))
        for h, term, fork, fork_chain in table["histories"]
    )
    forks = [h.fork_rev for h in histories]
    if forks != sorted(set(forks)) or (forks and forks[-1] >= position.rev):
        raise ValueError("expected histories in the order of their forks, before the revision")
    if position.history != (histories[-1].id if histories else Position().history):
        raise ValueError("expected the position in the last history")
    own = None
    if "own" in table:
        own = Own(pairs(table["own"]), _count(table["own_rev"]), dict(table["unit_state"]))
    return Snapshot(str(table["model"]), position, histories, state, own)


def _octets(value: Any, size: int) -> bytes:
    if not isinstance(value, bytes) or len(value) != size:
        raise ValueError(f"expected {size} octets")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise ValueError("expected a whole number from 0")
    return value
