# SPDX-License-Identifier: Apache-2.0
"""The exchange of pairing as messages, without sockets: who is met, and who is not (R17)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trust_bench import A, B, C

from qx.packing import pack, unpack
from qx.redundancy.peer import introduction
from qx.redundancy.peer.introduction import (
    ANSWER,
    CERTIFICATE_MAX,
    MEET,
    MESSAGE_MAX,
    MET,
    PROOF,
    Introduction,
    Met,
    Ours,
)
from qx.redundancy.peer.message import BadMessage
from qx.redundancy.peer.refusals import NotAuthenticated
from qx.trust.certificate import issue
from qx.trust.pairing import Pin
from qx.trust.secret import Secret

PAIR = Secret(b"p" * 32)
CERT_A, CERT_B = (issue(serial, bytes([n]) * 32, bytes(16)) for n, serial in enumerate((A, B)))
CERT_X = issue(B, b"x" * 32, bytes(16))  # of another key, with b's name
OURS_A, OURS_B = Ours(PAIR, CERT_A, B, Pin()), Ours(PAIR, CERT_B, A, Pin())

Change = Callable[[int, dict[str, Any]], tuple[int, dict[str, Any]]]


def meet(
    listener: Ours = OURS_A, caller: Ours = OURS_B, shown: bytes | None = None, change: Change | None = None
) -> tuple[Introduction, Introduction, list[tuple[int, Any]]]:
    """An exchange to its end. `shown` is what TLS has shown the caller, if it is not the listener's own;
    `change` has its hands on each message."""
    a = Introduction(listener)
    b = Introduction(caller, shown or listener.certificate)
    said: list[tuple[int, Any]] = []
    to, waiting = a, list(b.begin())
    assert a.begin() == ()
    while waiting:
        answers: list[tuple[int, Any]] = []
        for kind, body in waiting:
            assert len(pack(body)) <= MESSAGE_MAX
            kind, body = change(kind, dict(body)) if change else (kind, body)
            said.append((kind, body))
            answers += to.hear(kind, unpack(pack(body)))
            if to is a and a.met:
                stored, _ = listener.pin.seen(a.met.certificate, a.met.confirmed, a.met.asked)
                answers += a.welcome(stored)
        to, waiting = (b if to is a else a), answers
    return a, b, said


def test_two_units_of_a_pair_meet_in_four_messages() -> None:
    """R17: each has the other's certificate, proven."""
    a, b, said = meet()
    assert (a.met, b.met) == (Met(CERT_B, False, False), Met(CERT_A, False, False))
    assert [kind for kind, _ in said] == [MEET, ANSWER, PROOF, MET]
    assert PAIR.reveal() not in pack(said)


@pytest.mark.parametrize("here", [False, True])
def test_a_changed_certificate_is_told_to_whose_it_is(here: bool) -> None:
    """R17: both units learn what waits, and who has confirmed."""
    changed = Pin(CERT_X, CERT_B if here else None, here=here)
    a, b, _ = meet(listener=replace(OURS_A, pin=changed))
    assert a.met == Met(CERT_B, False, False)
    assert b.met == Met(CERT_A, here, True)
    confirmed = Pin(CERT_A, here=True, asked=True)
    a, b, _ = meet(replace(OURS_A, pin=changed), replace(OURS_B, pin=confirmed))
    assert a.met == Met(CERT_B, True, False)
    assert b.met
    assert b.met.asked is not here  # with both hands it is settled, and nobody asks
    a, b, _ = meet(caller=replace(OURS_B, pin=Pin(CERT_X)))
    assert a.met == Met(CERT_B, False, True)


@pytest.mark.parametrize("side", ["listener", "caller"])
def test_another_pair_key_is_no_proof(side: str) -> None:
    """R17: neither unit takes the other, and the listener shows its proof to nobody it could help."""
    other = Secret(b"q" * 32)
    a, b = replace(OURS_A, pair=other), replace(OURS_B, pair=other)
    with pytest.raises(NotAuthenticated, match="has no proof of our pair key") as caught:
        meet(a, OURS_B) if side == "listener" else meet(OURS_A, b)
    assert caught.value.reason == "proof"


def test_another_serial_is_refused_whatever_it_proves() -> None:
    """R5, R17: by name: whom the key names, and who is there; the caller, too, proves nothing to it."""
    other = replace(OURS_B, certificate=issue(C, b"c" * 32, bytes(16)))
    with pytest.raises(NotAuthenticated, match=f"the other unit is {C}; expected {B}") as caught:
        meet(caller=other)
    assert caught.value.reason == "serial"
    for shown, whom in ((other.certificate, C), (b"", "nobody"), (b"no certificate", "nobody")):
        caller = Introduction(OURS_B, shown)
        assert [kind for kind, _ in caller.begin()] == [MEET]
        body = {"nonce": bytes(32), "confirmed": False, "proof": bytes(32)}
        with pytest.raises(NotAuthenticated, match=f"the other unit is {whom}; expected {A}"):
            caller.hear(ANSWER, body)


def test_whoever_stands_between_gets_no_proof_that_fits() -> None:
    """R17: TLS showed the caller another certificate than the listener has, or the caller's was exchanged."""
    between = issue(A, b"m" * 32, bytes(16))
    with pytest.raises(NotAuthenticated):
        meet(shown=between)

    def exchanged(kind: int, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return kind, {**body, "certificate": CERT_X} if kind == MEET else body

    with pytest.raises(NotAuthenticated):
        meet(change=exchanged)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(MEET, "nonce"), (ANSWER, "nonce"), (ANSWER, "proof"), (ANSWER, "confirmed"), (PROOF, "proof"),
     (PROOF, "confirmed")],
)  # fmt: skip
def test_nothing_that_is_proven_can_be_changed_on_the_way(kind: int, name: str) -> None:
    """R17: a bit of a nonce or proof, or the word on confirmation."""

    def change(of: int, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if of == kind:
            value = body[name]
            body[name] = not value if isinstance(value, bool) else bytes([value[0] ^ 1]) + value[1:]
        return of, body

    with pytest.raises(NotAuthenticated):
        meet(change=change)


def test_a_proof_is_good_for_one_exchange_and_one_role() -> None:
    """R17: replay of a recorded exchange, and the listener's proof sent back to it (role reflected)."""
    _, _, said = meet()
    messages = dict(said)
    listener = Introduction(OURS_A)
    listener.hear(MEET, messages[MEET])
    with pytest.raises(NotAuthenticated):
        listener.hear(PROOF, messages[PROOF])
    caller = Introduction(OURS_B, CERT_A)
    with pytest.raises(NotAuthenticated):
        caller.hear(ANSWER, messages[ANSWER])
    listener = Introduction(OURS_A)
    ((_, answer),) = listener.hear(MEET, messages[MEET])
    with pytest.raises(NotAuthenticated):
        listener.hear(PROOF, {**answer, "waiting": False})


def test_our_own_nonce_sent_back_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """R17: a listener that echoes the caller."""
    monkeypatch.setattr(introduction, "nonce", lambda: b"n" * 32)
    with pytest.raises(NotAuthenticated):
        meet()


def test_messages_out_of_turn_are_refused() -> None:
    """Bad input: each end knows what comes next."""
    _, _, said = meet()
    messages = dict(said)
    for turns in ([ANSWER], [PROOF], [MET], [MEET, MEET], [MEET, ANSWER], [7], [MEET, 12]):
        listener = Introduction(OURS_A)
        with pytest.raises(BadMessage, match="expected another now"):
            for kind in turns:
                listener.hear(kind, messages.get(kind))
        assert listener.met is None
    for kind in (MEET, PROOF, MET, 7, 12):
        caller = Introduction(OURS_B, CERT_A)
        with pytest.raises(BadMessage, match="expected another now"):
            caller.hear(kind, messages.get(kind))
    a, b, _ = meet()
    for end, kind in ((a, PROOF), (a, MEET), (b, MET), (b, ANSWER)):
        with pytest.raises(BadMessage):
            end.hear(kind, messages[kind])


@pytest.mark.parametrize(
    ("kind", "name", "bad"),
    [
        (MEET, "certificate", [b"", bytes(CERTIFICATE_MAX + 1), "text", None]),
        (MEET, "nonce", [b"", bytes(31), bytes(33), "n" * 32, None]),
        (ANSWER, "nonce", [bytes(31), bytes(33)]),
        (ANSWER, "proof", [b"", bytes(31), bytes(33), None]),
        (ANSWER, "confirmed", [0, 1, None, "true"]),
        (PROOF, "proof", [bytes(31), bytes(33), 5]),
        (PROOF, "confirmed", [1, None]),
        (PROOF, "waiting", [1, None]),
        (MET, "waiting", [1, None]),
    ],
)
def test_each_field_has_its_shape(kind: int, name: str, bad: list[Any]) -> None:
    """Bad input, limits: refused by the name of the field."""
    for value in [*bad, ...]:

        def change(of: int, body: dict[str, Any], value: Any = value) -> tuple[int, dict[str, Any]]:
            if of == kind and value is ...:
                del body[name]
            elif of == kind:
                body[name] = value
            return of, body

        with pytest.raises(BadMessage, match=f"pairing: {name}: expected"):
            meet(change=change)


@given(st.lists(st.tuples(st.integers(1, 15), st.none() | st.binary() | st.dictionaries(
    st.sampled_from(["nonce", "certificate", "proof", "confirmed", "waiting"]),
    st.booleans() | st.binary(min_size=31, max_size=33) | st.just(CERT_B)))))  # fmt: skip
def test_a_stranger_who_says_anything_is_not_met(messages: list[tuple[int, Any]]) -> None:
    """R17: without the pair key no order and no content of messages leads to `met`."""
    listener = Introduction(OURS_A)
    for kind, body in messages:
        try:
            listener.hear(kind, body)
        except (BadMessage, NotAuthenticated) as error:
            assert "expected" in str(error)
    assert listener.met is None
