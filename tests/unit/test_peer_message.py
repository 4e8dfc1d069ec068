# SPDX-License-Identifier: Apache-2.0
"""Messages: their octets, however the stream is cut, and that nothing else is taken for one (R17)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qx.packing import pack
from qx.redundancy.peer import message
from qx.redundancy.peer.message import BODY_MAX, HEADER, BadMessage, Reader, build
from qx.settings import headers

BODY = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.text(max_size=9) | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=4).map(tuple)
    | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
MESSAGES = st.lists(st.tuples(st.integers(1, 255), BODY), max_size=6)


def test_struct_and_construct_agree() -> None:
    """The header is declared once more with construct, as its documentation; both read the same."""
    octets = build(17, ["x"])
    head = headers.MESSAGE.parse(octets)
    assert headers.MESSAGE.sizeof() == HEADER.size == 8
    assert (head.kind, head.length) == HEADER.unpack_from(octets) == (17, 3)
    assert headers.MESSAGE.build(head) == octets[:8]
    assert octets.hex() == "1100000000000003" + "91a178"


@given(MESSAGES, st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_any_messages_come_out_however_the_stream_is_cut(
    messages: list[tuple[int, object]], cuts: list[int]
) -> None:
    """Whole, in order, each once; what is not whole waits."""
    stream = b"".join(build(kind, body) for kind, body in messages)
    reader, got, at, number = Reader(), [], 0, 0
    while at < len(stream):
        step = cuts[number % len(cuts)]
        got += reader.feed(stream[at : at + step])
        at, number = at + step, number + 1
    assert got == messages
    assert reader.waiting == 0


@given(MESSAGES.filter(bool), st.data())
def test_a_stream_that_ends_early_gives_what_was_whole(
    messages: list[tuple[int, object]], data: st.DataObject
) -> None:
    stream = b"".join(build(kind, body) for kind, body in messages)
    at = data.draw(st.integers(0, len(stream) - 1))
    reader = Reader()
    got = list(reader.feed(stream[:at]))
    assert got == messages[: len(got)]
    assert len(got) < len(messages)
    assert reader.waiting == at - sum(len(build(kind, body)) for kind, body in got)


@given(st.binary(max_size=400), st.integers(0, 64))
def test_octets_at_random_are_messages_or_refused_in_words(octets: bytes, limit: int) -> None:
    """Bad input: no other error, and never a body beyond the limit."""
    reader = Reader(limit)
    try:
        for kind, _ in reader.feed(octets):
            assert 0 < kind < 256
    except BadMessage as error:
        assert str(error).startswith("message: ")
        assert "expected" in str(error)
    assert reader.waiting <= len(octets)


@pytest.mark.parametrize("limit", [0, 1, 100, BODY_MAX])
def test_a_body_at_the_limit_and_one_octet_beyond(limit: int) -> None:
    """Limits; Security: judged by the header, before anything of the body is there."""
    if limit:
        assert list(Reader(limit).feed(HEADER.pack(1, limit))) == []
    for length in (limit + 1, 0x7FFFFFFF, 0xFFFFFFFF):
        reader = Reader(limit)
        with pytest.raises(BadMessage, match=f"a body of {length} octets; expected at most {limit}"):
            list(reader.feed(HEADER.pack(1, length)))
        assert reader.waiting <= HEADER.size


def test_what_stands_before_a_bad_message_is_heard() -> None:
    reader, got = Reader(), []
    with pytest.raises(BadMessage):
        got.extend(reader.feed(b""))
        for item in reader.feed(build(5, "good") + HEADER.pack(6, 1) + b"\xc1" + build(7, "never")):
            got.append(item)
    assert got == [(5, "good")]


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (bytes(8), "expected a kind"),
        (b"\x01\x00\x00\x01" + bytes(4), "three zero octets"),
        (b"\x01\x01\x00\x00" + bytes(4), "three zero octets"),
        (HEADER.pack(9, 0), "kind 9: expected msgpack"),
        (HEADER.pack(9, 1) + b"\xc1", "kind 9: expected msgpack"),
        (HEADER.pack(9, 2) + b"\xc0\xc0", "kind 9: expected msgpack"),
        (HEADER.pack(9, 5) + b"\xdd\xff\xff\xff\xff", "kind 9: expected msgpack"),
        (HEADER.pack(9, 9000) + b"\x91" * 9000, "kind 9: expected msgpack"),
        (HEADER.pack(9, 3) + b"\x81\x01\x01", "kind 9: expected msgpack"),  # a key that is no text
    ],
)
def test_what_is_no_message_is_refused_by_name(octets: bytes, said: str) -> None:
    """Bad input."""
    with pytest.raises(BadMessage, match=said):
        list(Reader().feed(octets))


def test_a_body_that_no_peer_takes_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits: at and above, with a smaller one for the sake of time."""
    monkeypatch.setattr(message, "BODY_MAX", 10)
    assert len(build(1, "x" * 9)) == 18
    with pytest.raises(ValueError, match="of 11 octets; expected at most 10"):
        build(1, "x" * 10)
    assert len(pack("x" * 10)) == 11
