# SPDX-License-Identifier: Apache-2.0
"""The hello, field by field, and in what two units differ (R5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trust_bench import PRODUCTION, A, B, C, issued

from qx.packing import pack, unpack
from qx.redundancy.peer.hello import (
    LICENCE_MAX,
    LICENCES_MAX,
    PARTS_MAX,
    TERM_MAX,
    TEXT_MAX,
    PeerHello,
    compare,
    newer,
    read_hello,
    with_standing,
)
from qx.redundancy.peer.message import BadMessage
from qx.redundancy.peer.talk import HELLO_MAX
from qx.trust.key import Licence, read_text

US = PeerHello(A, "qx200", "2.10.0", (b"key",), "German 4", "master", None, 7, (16, 32))
THEM = replace(US, serial=B)


def licences(*texts: str) -> list[Licence]:
    return [read_text(text, PRODUCTION).licence for text in texts]


KEYS = issued("redundancy,fax")
OURS, THEIRS = licences(KEYS[0]), licences(KEYS[1])


def test_a_hello_crosses_whole_and_what_is_unknown_is_left_out() -> None:
    """A newer firmware may say more."""
    body = unpack(pack(US.packed()))
    assert read_hello(body) == US
    assert read_hello({**body, "mood": "good"}) == US


@pytest.mark.parametrize("name", list(US.packed()))
def test_a_field_that_is_missing_is_named(name: str) -> None:
    """Bad input."""
    body = US.packed()
    del body[name]
    with pytest.raises(BadMessage, match=f"^hello: {name}: expected "):
        read_hello(body)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("serial", ["x", "Q" * 24, "A+b-1"], ["", "Q" * 25, "a b", "a\n", 7, b"QX", None]),
        ("model", ["", "m" * TEXT_MAX], ["m" * (TEXT_MAX + 1), "a\nb", "\x1b[2J", None, 3, b"m"]),
        ("firmware", ["", "1" * TEXT_MAX], ["1" * (TEXT_MAX + 1), "1\r", 2.1]),
        ("language", ["", "Deutsch 4"], ["x" * (TEXT_MAX + 1), "\0", ()]),
        ("licences", [(), (b"x" * LICENCE_MAX,) * LICENCES_MAX],
         [(b"x" * (LICENCE_MAX + 1),), (b"x",) * (LICENCES_MAX + 1), b"x", "x", ("x",), None, {"a": b"x"}]),
        ("role", ["backup", "a", "x" * 16], ["", "x" * 17, "Master", "a b", "a\n", None, 1]),
        ("mode", [None, "active", "passive"], ["", "Active", 0, False, (), {}]),
        ("term", [0, TERM_MAX], [-1, TERM_MAX + 1, True, 1.0, "1", None]),
        ("parts", [(), (1, 255), (16,) * PARTS_MAX],
         [(0,), (256,), (16,) * (PARTS_MAX + 1), (True,), 16, "x"]),
    ],
)  # fmt: skip
def test_each_field_at_its_limits_and_beyond(name: str, good: list[Any], bad: list[Any]) -> None:
    """Limits, Bad input: refused by the name of the field."""
    for value in good:
        assert getattr(read_hello({**US.packed(), name: value}), name) == value
    for value in bad:
        with pytest.raises(BadMessage, match=f"^hello: {name}: expected "):
            read_hello({**US.packed(), name: value})


def test_the_longest_hello_fits() -> None:
    """Limits: what read_hello takes, the session's limit before it takes."""
    text = "\U0001f600" * TEXT_MAX
    longest = PeerHello("Q" * 24, text, text, (b"x" * LICENCE_MAX,) * LICENCES_MAX, text, "x" * 16, "passive",
                        TERM_MAX, (255,) * PARTS_MAX)  # fmt: skip
    body = unpack(pack(longest.packed()))
    assert read_hello(body) == longest
    assert len(pack(longest.packed())) <= HELLO_MAX


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.binary(),
        lambda v: st.lists(v).map(tuple) | st.dictionaries(st.sampled_from([*US.packed(), "x"]), v),
    )
)
def test_any_other_body_is_refused_in_words(body: Any) -> None:
    """Bad input: of any shape."""
    with pytest.raises(BadMessage, match=r"^hello: .*expected"):
        read_hello(body)
    with pytest.raises(BadMessage, match=r"^standing: .*expected"):
        with_standing(US, {**body, "term": None} if isinstance(body, dict) else body)


def test_a_standing_changes_what_may_change_and_nothing_else() -> None:
    said = with_standing(THEM, {"role": "backup", "mode": "passive", "term": 8, "serial": C})
    assert said == replace(THEM, role="backup", mode="passive", term=8)
    assert US.standing() == {"role": "master", "mode": None, "term": 7}


# --- versions -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("a", "b"),
    [("2.10.0", "2.9.1"), ("2.9.1", "2.9.0"), ("3", "2.99.99.99"), ("2.9.0.1", "2.9"), ("10.0", "9.9"),
     ("2.09.2", "2.9.1")],
)  # fmt: skip
def test_a_later_release_is_newer(a: str, b: str) -> None:
    """R5: by number, not by letter."""
    assert newer(a, b)
    assert not newer(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [("2.9", "2.9"), ("2.9", "2.9.0"), ("2.9.1-rc1", "2.9.0"), ("2.9.0", "dev"), ("", "1"),
     ("1.2.3.4.5", "1"), ("1.-2", "1"), ("1..2", "1"), ("\u0661", "0"), ("1\n", "0"),
     ("1" * 10, "1"), (" 2", "1")],
)  # fmt: skip
def test_of_equal_or_odd_versions_neither_is_newer(a: str, b: str) -> None:
    """R5: nothing crosses between releases of which nobody knows the order."""
    assert not newer(a, b)
    assert not newer(b, a)


@given(*[st.lists(st.integers(0, 20), min_size=1, max_size=4)] * 3)
def test_newer_is_an_order(a: list[int], b: list[int], c: list[int]) -> None:
    one, two, three = (".".join(map(str, numbers)) for numbers in (a, b, c))
    assert not (newer(one, two) and newer(two, one))
    assert not (newer(one, two) and newer(two, three)) or newer(one, three)


# --- comparing ----------------------------------------------------------------------------------------------
def test_two_identical_units_are_a_pair() -> None:
    """R5."""
    found = compare(US, THEM, OURS, THEIRS)
    assert (found.mismatches, found.pairs) == ((), True)


def named(ours: PeerHello, theirs: PeerHello, mine: list[Licence], others: list[Licence]) -> dict[str, Any]:
    return {m.parameter: (m.ours, m.theirs) for m in compare(ours, theirs, mine, others).mismatches}


def test_each_difference_by_its_name() -> None:
    """R5: model and keys part the units; firmware, feature and language warn."""
    for change, name, pair, pairs in (
        ({"model": "qx50"}, "model", ("qx200", "qx50"), False),
        ({"firmware": "2.9.1"}, "firmware", ("2.10.0", "2.9.1"), True),
        ({"language": ""}, "language", ("German 4", "none"), True),
    ):
        them = replace(THEM, **change)  # type: ignore[arg-type]
        assert named(US, them, OURS, THEIRS) == {name: pair}
        assert compare(US, them, OURS, THEIRS).pairs is pairs
    extra = issued("sms")
    assert named(US, THEM, OURS + licences(extra[0]), THEIRS) == {"licence.sms": ("installed", "missing")}
    assert named(US, THEM, OURS, THEIRS + licences(extra[1])) == {"licence.sms": ("missing", "installed")}
    assert compare(US, THEM, OURS + licences(extra[0]), THEIRS).pairs


def _shown(key: Licence) -> str:
    assert key.pair_hash
    return f"{key.serial} with {key.peer}, set {key.set_id.hex()}/{key.pair_hash.hex()[:8]}"


def test_keys_that_are_not_for_each_other_are_shown_as_what_they_are() -> None:
    """R5, must show: by name: for other serial numbers, of other sets, of nobody, borrowed."""
    other_set, other_peer = licences(issued()[1]), licences(issued(serials=(C, B))[1])
    for theirs, shown in (
        (other_set, _shown(other_set[0])),
        (other_peer, _shown(other_peer[0])),
        ([], "none"),
        (licences(issued(serials=(A, C))[1]), "none"),  # not its own: of C, said by B
        (licences(issued("fax")[1]), "none"),
    ):
        found = compare(US, THEM, OURS, theirs)
        mine = _shown(OURS[0])
        assert dict((m.parameter, (m.ours, m.theirs)) for m in found.mismatches)["licence"] == (mine, shown)
        assert not found.pairs
        assert compare(THEM, US, theirs, OURS).pairs is False
    assert named(US, THEM, [], THEIRS)["licence"][0] == "none"


def test_one_set_with_two_pair_keys_is_no_pair() -> None:
    """R5: shown, though both would read the same."""
    forged = [replace(THEIRS[0], pair_hash=bytes(32))]
    ours, theirs = named(US, THEM, OURS, forged)["licence"]
    assert ours.split(", set ")[1] != theirs.split(", set ")[1]
    assert theirs == f"{B} with {A}, set {OURS[0].set_id.hex()}/00000000"
