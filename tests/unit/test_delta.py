# SPDX-License-Identifier: Apache-2.0
"""The delta frame: its octets, its proof of what came before, and that nothing else is taken for one."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qx.errors import Refusal
from qx.packing import pack, unpack
from qx.settings import delta, headers, snapshot
from qx.settings.delta import BadFrame, Delta, Operation
from qx.settings.position import START, History, Position, chain_after, history_at
from qx.settings.state import State

VECTOR = Path(__file__).parents[1] / "vectors/delta/format-1.hex"
HISTORY = History(bytes(range(16)), 7, 40, bytes(range(16, 32)))
NOW = Position(HISTORY.id, 41, bytes(range(32, 48)))
OPERATIONS = (
    Operation("extensions.101.name", None, "Al"),
    Operation("network.dns", ("9.9.9.9",), None),
    Operation("redundancy.group_id", 1, 18),
)


def frame(operations: tuple[Operation, ...] = OPERATIONS) -> bytes:
    return delta.build(NOW, HISTORY, bytes(32), operations, 1764000000123, "admin", "set")[0]


def resealed(body: object) -> bytes:
    """A frame with this body and a right digest."""
    octets = body if isinstance(body, bytes) else pack(body)
    chain = chain_after(START, HISTORY.id, 1, octets)
    head = delta.HEADER.pack(b"QXDF", 1, 0, HISTORY.id, 1, len(octets), START, chain)
    return head + octets


def test_the_octets_are_those_of_the_vector() -> None:
    """One format for change: flash, wire and tests have the same octets, in every later version too."""
    assert frame().hex() == VECTOR.read_text().strip()


def test_it_reads_what_it_built() -> None:
    """Nothing is lost on the way, and the frame of what was read is the same."""
    read = delta.parse(frame())
    assert read.position == Position(HISTORY.id, 42, read.position.chain)
    assert (read.prev, read.term, read.when, read.who, read.what) == (
        NOW.chain, 7, 1764000000123, "admin", "set",
    )  # fmt: skip
    assert read.operations == OPERATIONS
    assert read.changes == {"extensions.101.name": "Al", "network.dns": None, "redundancy.group_id": 18}


def test_the_chain_is_blake2b_of_what_came_before_and_the_body() -> None:
    """synchronisation.md: chain(rev) = blake2b-128(chain(rev-1) ‖ history ‖ rev ‖ body)."""
    octets = frame()
    body = octets[delta.HEADER.size :]
    expected = blake2b(NOW.chain + HISTORY.id + (42).to_bytes(8, "big") + body, digest_size=16).digest()
    assert octets[52:68] == expected == delta.header(octets).position.chain


def test_struct_and_construct_agree() -> None:
    """The header is declared once more with construct, as its documentation; both read the same."""
    head = headers.DELTA.parse(frame())
    assert headers.DELTA.sizeof() == delta.HEADER.size == 68
    assert (head.version, head.flags, head.history, head.rev) == (1, 0, HISTORY.id, 42)
    assert (head.length, head.prev, head.chain) == (len(frame()) - 68, NOW.chain, frame()[52:68])
    assert headers.SNAPSHOT.sizeof() == snapshot.HEADER.size == 52
    assert headers.DELTA.build(head) == frame()[:68]


@pytest.mark.parametrize("at", range(len(frame())))
def test_a_flipped_bit_anywhere_is_refused(at: int) -> None:
    """Bad input: every octet, each bit."""
    octets = bytearray(frame())
    for bit in range(8):
        octets[at] ^= 1 << bit
        with pytest.raises(BadFrame):
            delta.parse(bytes(octets))
        octets[at] ^= 1 << bit
    with pytest.raises(BadFrame):
        delta.parse(frame()[:at])


GOOD = (0, 0, "w", "w", bytes(32), (("a.b", None, 1),))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\xc1", "expected msgpack"),
        (pack(GOOD) + b"\x00", "expected msgpack"),
        (b"\xdc\x00\x06" + pack(GOOD)[1:], "canonical"),
        ({}, "6 fields"),
        (GOOD[:5], "6 fields"),
        ((True, *GOOD[1:]), "whole numbers"),
        ((0, 0, b"w", *GOOD[3:]), "texts"),
        ((0, 0, "w" * 65, *GOOD[3:]), "64 and 200"),
        ((0, 0, "w", "w" * 201, *GOOD[4:]), "64 and 200"),
        ((*GOOD[:4], bytes(31), GOOD[5]), "32 octets"),
        ((*GOOD[:5], ()), "at least one"),
        ((*GOOD[:5], {"a.b": 1}), "list"),
        ((*GOOD[:5], (("a.b", 1),)), "path, before and after"),
        ((*GOOD[:5], (("a", None, 1),)), "path 'a'"),
        ((*GOOD[:5], (("../a.b", None, 1),)), "path"),
        ((*GOOD[:5], (("a." + "b" * 200, None, 1),)), "path"),
        ((*GOOD[:5], (("a.c", None, 1), ("a.b", None, 1))), "in order"),
        ((*GOOD[:5], (("a.b", None, 1), ("a.b", 1, 2))), "each once"),
        ((*GOOD[:5], (("a.b", None, 1.5),)), "plain values"),
        ((*GOOD[:5], (("a.b", None, b"x"),)), "plain values"),
        ((*GOOD[:5], (("a.b", None, ("x", 1)),)), "plain values"),
        ((*GOOD[:5], (("a.b", None, {"x": 1}),)), "plain values"),
    ],
)
def test_a_body_that_is_no_commit_is_refused_by_name(body: object, said: str) -> None:
    """Bad input: also from one who knows how to make a digest."""
    with pytest.raises(BadFrame, match=said):
        delta.parse(resealed(body))
    assert delta.parse(resealed(GOOD)).changes == {"a.b": 1}


@pytest.mark.parametrize("length", [0, delta.BODY_MAX + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_out_of_range_is_refused_by_its_header(length: int) -> None:
    """Security: a length field of 2 GB is refused before anything is read for it."""
    octets = bytearray(frame())
    octets[32:36] = length.to_bytes(4, "big")
    with pytest.raises(BadFrame, match="length"):
        delta.header(bytes(octets[:68]))


def test_a_commit_beyond_the_limit_is_refused() -> None:
    """Bad input: what could not be sent is not made."""
    with pytest.raises(Refusal, match="expected at most"):
        frame((Operation("a.b", None, "x" * delta.BODY_MAX),))


VALUES = st.one_of(
    st.booleans(),
    st.integers(-(1 << 62), 1 << 62),
    st.text(max_size=8),
    st.lists(st.text(max_size=3)).map(tuple),
)


@given(
    st.dictionaries(st.from_regex(r"\A[a-z]{1,3}\.[a-z0-9:]{1,3}\Z"), st.tuples(VALUES, VALUES), min_size=1)
)
def test_any_commit_is_read_as_it_was_built(changes: dict[str, tuple[object, object]]) -> None:
    """Round trip of any values."""
    operations = tuple(Operation(p, *changes[p]) for p in sorted(changes))  # type: ignore[arg-type]
    read: Delta = delta.parse(frame(operations))
    assert [(o.path, repr(o.before), repr(o.after)) for o in read.operations] == [
        (o.path, repr(o.before), repr(o.after)) for o in operations
    ]


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["a.b", "a.c", "d.e"]), st.one_of(st.none(), VALUES)), max_size=6
    )
)
def test_the_state_hash_depends_on_the_state_alone(changes: list[dict[str, object]]) -> None:
    """State hash: the same however the state came about, another for another state."""
    state, values = State(), {}
    for change in changes:
        state = state.replaced(change)  # type: ignore[arg-type]
        values |= change
    kept = {path: value for path, value in values.items() if value is not None}
    anew = State.of(kept)  # type: ignore[arg-type]
    assert (state.digest, len(state), dict(state.items())) == (anew.digest, len(anew), kept)
    assert state.replaced({"a.z": 1}).digest != state.digest
    assert [b for b in range(256) if state.bucket_digests[b] != state.replaced({"a.z": 1}).bucket_digests[b]]


def test_the_state_hash_keeps_types_apart() -> None:
    """True is no 1, and "1" is neither."""
    assert len({State.of({"a.b": value}).digest for value in (True, 1, "1", ("1",))}) == 4
    assert not State.of({"a.b": True}).holds("a.b", 1)


def test_a_revision_lies_in_the_history_in_which_it_was_made() -> None:
    """The fork point itself belongs to the history before."""
    one, two = History(b"1" * 16, 1, 0, START), History(b"2" * 16, 2, 5, START)
    assert [history_at((one, two), rev) for rev in (0, 1, 5, 6)] == [bytes(16), one.id, one.id, two.id]


def test_snapshot_values_are_what_they_say() -> None:
    """unpack(pack) of a frame's rows keeps lists as tuples."""
    assert unpack(pack((("a.b", None, ("x",)),))) == (("a.b", None, ("x",)),)
