# SPDX-License-Identifier: Apache-2.0
"""What is said about settings, read back and refused; what comes in parts; ages (R15, R16, R17)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qx.packing import pack, unpack
from qx.redundancy.peer.message import BadMessage
from qx.settings.lineage import Standing
from qx.settings.position import History, Position
from qx.sync import messages, staging
from qx.sync.age import Age
from qx.sync.messages import (
    ACK,
    BACKUP,
    CHECK,
    CHUNK,
    CONFLICT,
    DELTAS,
    KEPT,
    MASTER,
    SNAPSHOT,
    STANDING,
    TAKEN,
    VERDICT,
    Ack,
    Check,
    Chunk,
    Deltas,
    Head,
    Kept,
    Part,
    Said,
    Taken,
    Verdict,
    read,
)
from qx.sync.staging import Staging, digest_of

H, C, D = b"h" * 16, b"c" * 16, b"d" * 32
AT = (H, 5, C)
STOOD = Standing(Position(H, 5, C), 3, (History(b"g" * 16, 1, 0, C), History(H, 3, 2, C)), D, True, True)

GOOD: list[tuple[int, Any, Any]] = [
    (
        STANDING,
        messages.standing_body(Said(1, MASTER, STOOD, "why", D, 9)),
        Said(1, MASTER, STOOD, "why", D, 9),
    ),
    (VERDICT, messages.verdict_body(Verdict(1, "deltas", "x" * 400, 7)), Verdict(1, "deltas", "x" * 300, 7)),
    (DELTAS, (1, 7, (b"a", b"b")), Deltas(1, 7, (b"a", b"b"))),
    (ACK, (1, H, 7), Ack(1, H, 7)),
    (KEPT, (1, 2), Kept(1, 2)),
    (SNAPSHOT, (1, 100, D, 100), Head(1, 100, D, 100)),
    (CHUNK, (1, 0, b"x"), Chunk(1, 0, b"x")),
    (CHECK, messages.check_body(Check(1, Position(*AT), D)), Check(1, Position(*AT), D)),
    (CONFLICT, (D, 4, 0, b"four"), Part(D, 4, 0, b"four")),
    (TAKEN, (D,), Taken(D)),
]


@pytest.mark.parametrize(("kind", "body", "expected"), GOOD)
def test_what_is_said_is_read(kind: int, body: Any, expected: Any) -> None:
    """Through msgpack, as on the wire."""
    assert read(kind, unpack(pack(body))) == expected


def standing(**more: Any) -> tuple[Any, ...]:
    fields = {"number": 1, "role": BACKUP, "at": AT, "term": 1, "histories": ((H, 1, 0, C),), "hash": D,
              "bare": False, "differs": "", "staged": b"", "have": 0}  # fmt: skip
    return tuple({**fields, **more}.values())


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (STANDING, standing(role=3)), (STANDING, standing(bare=1)), (STANDING, standing(at=(H, -1, C))),
        (STANDING, standing(at=(H[:15], 1, C))), (STANDING, standing(histories=())),
        (STANDING, standing(histories=((C, 1, 0, C),))), (STANDING, standing(hash=b"")),
        (STANDING, standing(histories=((C, 1, 4, C), (H, 1, 2, C)))), (STANDING, standing(term=True)),
        (STANDING, standing(staged=b"short")), (STANDING, standing(differs="x" * 301)),
        (STANDING, standing(number=1 << 62)), (STANDING, standing()[:-1]),
        (VERDICT, (1, "x", "x" * 301, 1)), (VERDICT, (1, 5, "x", 1)), (DELTAS, (1, 1, ())),
        (DELTAS, (1, 1, ("x",))), (DELTAS, (1, 1, b"x")), (ACK, (1, H, 1.5)), (ACK, (1, H)),
        (KEPT, (1, None)), (SNAPSHOT, (1, 5, D, 6)),
        (CHUNK, (1, 0, b"")), (CHUNK, (1, 0, "x")), (CHECK, (1, AT, b"")), (CHECK, (1, (H, 1), D)),
        (CONFLICT, (D, 4, 1, b"four")), (CONFLICT, (D, 0, 0, b"")), (TAKEN, (b"",)), (TAKEN, None),
        (TAKEN + 1, ()), (0, ()),
    ],
)  # fmt: skip
def test_a_message_of_another_shape_is_refused(kind: int, body: Any) -> None:
    """R17: by name; the session ends by it."""
    with pytest.raises(BadMessage, match="settings: "):
        read(kind, body)


PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 1 << 63)
    | st.binary(max_size=33)
    | st.text(max_size=5)
    | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=10).map(tuple) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=20,
)


@given(st.integers(0, 255), PLAIN)
def test_whatever_comes_is_read_or_refused(kind: int, body: Any) -> None:
    """R17: nothing else is raised, for any body that msgpack can carry."""
    with suppress(BadMessage):
        read(kind, body)


@given(st.sampled_from(GOOD), st.data())
def test_a_body_with_one_thing_changed_is_read_or_refused(
    good: tuple[int, Any, Any], data: st.DataObject
) -> None:
    """R17: near what is right."""
    kind, body, _ = good
    at = data.draw(st.integers(0, len(body) - 1))
    changed = (*body[:at], data.draw(PLAIN), *body[at + 1 :])
    with suppress(BadMessage):
        read(kind, changed)


# --- staging ------------------------------------------------------------------------------------------------
def test_parts_make_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """R16: in order, at most as long as announced, with the digest; and on where it was cut."""
    whole = bytes(range(256)) * 3
    held = Staging()
    held.begin(len(whole), digest_of(whole), 0)
    assert not held.add(0, whole[:500])
    for offset, part in ((0, b"x"), (499, b"x"), (501, b"x"), (500, whole[:269])):
        with pytest.raises(BadMessage, match="expected those from 500"):
            held.add(offset, part)
    with pytest.raises(BadMessage, match="from octet 400; expected it from 500"):
        held.begin(len(whole), held.digest, 400)
    held.begin(len(whole), held.digest, 500)
    assert held.add(500, whole[500:])
    assert held.take() == whole
    assert (held.have, held.digest) == (0, b"")
    with pytest.raises(BadMessage):
        held.add(0, b"x")


def test_another_one_begins_from_nothing() -> None:
    held = Staging()
    held.begin(100, D, 0)
    held.add(0, bytes(50))
    with pytest.raises(BadMessage, match="expected it from 0"):
        held.begin(100, b"e" * 32, 50)
    held.begin(100, D, 0)
    held.add(0, bytes(100))
    with pytest.raises(BadMessage, match="another digest"):
        held.take()
    assert held.have == 0


@pytest.mark.parametrize(
    ("octets", "taken"), [(51, False), (52, True), (64 << 20, True), ((64 << 20) + 53, False)]
)
def test_a_length_is_judged_before_anything_is_kept(octets: int, taken: bool) -> None:
    """R17: a length field of 2 GB, and one octet too many."""
    held = Staging()
    if taken:
        held.begin(octets, D, 0)
        return
    with pytest.raises(BadMessage, match=f"a snapshot of {octets} octets; expected 52 to {staging.SIZE_MAX}"):
        held.begin(octets, D, 0)


# --- age ----------------------------------------------------------------------------------------------------
def test_the_age_counts_from_what_was_known_last() -> None:
    """R15: 0 while current; when the session ends, from the last instant that is sure."""
    age = Age()
    assert age.seconds(5.0) is None
    age.known_current(10.0)
    assert age.seconds(500.0) == 0.0
    age.known_behind(500.0)
    assert age.seconds(503.0) == 3.0
    age.known_behind(502.0)
    assert age.seconds(503.0) == 3.0
    age.known_current(504.0)
    age.out_of_touch(600.0, 3.0)
    assert age.seconds(600.0) == 3.0
    age.known_current(601.0)
    age.out_of_touch(602.0, 3.0)
    assert age.seconds(602.0) == 1.0


def test_too_old_is_three_intervals_and_told_once() -> None:
    """R15: at and beyond the bound; and once more when it is over."""
    age = Age()
    assert age.news(1e9, 1.0) is None  # nobody counts
    age.watch(100.0)
    assert [age.news(now, 10.0) for now in (129.0, 130.0, 130.1, 140.0)] == [None, None, True, None]
    age.known_current(150.0)
    assert [age.news(150.0, 10.0), age.news(151.0, 10.0)] == [False, None]
    age.known_behind(200.0)
    assert [age.news(now, 10.0) for now in (230.0, 231.0)] == [None, True]
    assert age.news(232.0, 60.0) is None  # a longer interval: not too old now, and not current either
    age.known_current(233.0)
    assert age.news(233.0, 60.0) is False
