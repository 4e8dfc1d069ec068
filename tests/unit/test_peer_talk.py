# SPDX-License-Identifier: Apache-2.0
"""The words of a session and its time, without sockets and with a made-up clock."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trust_bench import A, B

from qx.redundancy.peer.backoff import LEAST, MOST, Backoff
from qx.redundancy.peer.hello import PeerHello
from qx.redundancy.peer.message import BadMessage
from qx.redundancy.peer.refusals import HOUR, OTHERS, REASONS, SOURCES_MAX, Refusals
from qx.redundancy.peer.talk import (
    GOODBYE,
    HANDSHAKE,
    HEARTBEAT,
    HELLO,
    LINE_MAX,
    PING,
    SILENCE,
    STANDING,
    TROUBLE,
    WELCOME,
    WORD_MAX,
    Step,
    Talk,
    What,
)

ONE, TWO = PeerHello(A, "qx200", "1"), PeerHello(B, "qx200", "1", role="backup", mode="active")
START = 100.0


def met() -> tuple[Talk, Talk]:
    """Caller and listener of a session that is up."""
    caller, listener = Talk(True, ONE, START), Talk(False, TWO, START)
    ((kind, body),) = caller.begin().send
    assert (kind, listener.begin()) == (HELLO, Step())
    step = listener.hear(kind, body)
    assert (step.what, listener.up, caller.up) == (What.UP, True, False)
    ((kind, body),) = step.send
    assert kind == WELCOME
    assert caller.hear(kind, body) == Step(What.UP)
    return caller, listener


def test_the_caller_says_hello_and_is_up_with_the_welcome() -> None:
    """Channel: a TLS 1.3 client knows only by an answer that its certificate was taken."""
    caller, listener = met()
    assert (caller.peer, listener.peer) == (TWO, ONE)


@pytest.mark.parametrize("kind", [*range(1, 16)])
def test_nothing_else_comes_first(kind: int) -> None:
    """Bad input: before the hello there is only a hello, or an end."""
    for talk, expected in ((Talk(True, ONE, START), WELCOME), (Talk(False, ONE, START), HELLO)):
        if kind in (expected, GOODBYE, TROUBLE):
            continue
        with pytest.raises(BadMessage, match=f"kind {kind}; expected (WELCOME|HELLO) first"):
            talk.hear(kind, TWO.packed())
        assert not talk.up


@pytest.mark.parametrize("kind", [HELLO, WELCOME, *range(7, 16)])
def test_in_a_session_there_is_no_second_hello_and_no_pairing(kind: int) -> None:
    """Bad input."""
    for talk in met():
        with pytest.raises(BadMessage, match=f"kind {kind}; expected none like it"):
            talk.hear(kind, TWO.packed())


def test_a_standing_crosses_when_it_changes() -> None:
    caller, listener = met()
    own = PeerHello(B, "qx200", "1", role="master", term=3)
    step = listener.say(own)
    assert step.send == ((STANDING, {"role": "master", "mode": None, "term": 3}),)
    assert listener.say(own) == Step()
    assert caller.hear(*step.send[0]) == Step(What.STANDING)
    assert caller.peer == own
    assert caller.hear(*step.send[0]) == Step()
    early = Talk(False, TWO, START)
    assert early.say(own) == Step()  # it goes with the welcome
    assert early.hear(HELLO, ONE.packed()).send == ((WELCOME, own.packed()),)


def test_a_goodbye_has_a_word_and_trouble_a_line() -> None:
    """Orderly and broken are told apart on both units."""
    caller, listener = met()
    step = caller.goodbye("w" * WORD_MAX)
    assert listener.hear(*step.send[0]).what == What.ENDED
    assert caller.end
    assert listener.end
    assert (caller.end.goodbye, caller.end.ours) == ("w" * WORD_MAX, True)
    assert (listener.end.goodbye, listener.end.ours) == ("w" * WORD_MAX, False)
    for bad in ("w" * (WORD_MAX + 1), "a\nb"):
        with pytest.raises(ValueError, match="expected a word"):
            met()[0].goodbye(bad)
    caller, listener = met()
    step = caller.trouble(BadMessage("line\n" + "x" * 500))
    assert listener.hear(*step.send[0]).what == What.ENDED
    assert caller.end
    assert listener.end
    assert caller.end.goodbye is listener.end.goodbye is None
    assert listener.end.why == "the other unit ended the session: " + ("line?" + "x" * 500)[:LINE_MAX]


@pytest.mark.parametrize("body", ["w" * (WORD_MAX + 1), "a\x1b", b"w", None, 3, ("w",)])
def test_a_goodbye_of_another_shape_is_refused(body: Any) -> None:
    """Bad input."""
    for talk in met():
        with pytest.raises(BadMessage, match=f"kind {GOODBYE}: expected a line of at most {WORD_MAX}"):
            talk.hear(GOODBYE, body)
        assert talk.up


def test_a_heartbeat_a_second() -> None:
    talk = met()[0]
    now, sent = START, []
    while now < START + 10:
        now = talk.next_due(heard=now)
        step = talk.due(now, heard=now)
        sent += [(now, *message) for message in step.send]
    assert sent == [(START + n * HEARTBEAT, PING, None) for n in range(1, 11)]
    assert talk.due(now + 0.5, heard=now) == Step()
    assert talk.hear(PING, None) == Step()


def test_down_3_s_after_the_last_octet() -> None:
    """Contract: at 3 s, not below, and a heartbeat is no life of the other's."""
    talk = met()[0]
    assert talk.due(START + SILENCE - 0.001, heard=START).what == What.NOTHING
    assert talk.next_due(heard=START) == START + SILENCE
    assert talk.due(START + SILENCE, heard=START).what == What.ENDED
    assert talk.end
    assert (talk.end.goodbye, talk.end.why) == (None, "nothing was heard of the other unit for 3 s")


def test_a_hello_within_3_s() -> None:
    """Handshake limit, however much comes that is none."""
    talk = Talk(False, ONE, START)
    assert talk.next_due(heard=START + 2) == START + HANDSHAKE
    assert talk.due(START + HANDSHAKE - 0.001, heard=START + 2.9) == Step()
    assert talk.due(START + HANDSHAKE, heard=START + 2.9).what == What.ENDED


@given(st.lists(st.tuples(st.integers(1, 15), st.none() | st.text() | st.just(TWO.packed()) | st.just({}))))
def test_whatever_comes_is_understood_or_refused(messages: list[tuple[int, Any]]) -> None:
    """Bad input: in any order; up only with a hello, and after an end nothing is up."""
    talk = Talk(False, ONE, START)
    for kind, body in messages:
        try:
            talk.hear(kind, body)
        except BadMessage as error:
            assert "expected" in str(error)
        assert talk.up == (talk.peer is not None and talk.end is None)


# --- back-off -----------------------------------------------------------------------------------------------
def test_waits_grow_to_5_s_with_jitter_and_are_short_again_after_success() -> None:
    """Reconnect back-off 0.2 to 5 s; two units that broke at one moment do not stay in step."""
    longest = Backoff(lambda _, most: most)
    assert [round(longest.wait(), 1) for _ in range(5)] == [0.6, 1.8, 5.0, 5.0, 5.0]
    longest.reset()
    assert round(longest.wait(), 1) == 0.6
    shortest = Backoff(lambda least, _: least)
    assert [shortest.wait() for _ in range(3)] == [LEAST] * 3
    one, two = Backoff(random.Random(1).uniform), Backoff(random.Random(2).uniform)
    waits = [(one.wait(), two.wait()) for _ in range(100)]
    assert all(LEAST <= wait <= MOST for pair in waits for wait in pair)
    assert sum(a == b for a, b in waits) < 30  # but where both are at the most


# --- refusals -----------------------------------------------------------------------------------------------
def test_counted_always_and_told_once_an_hour() -> None:
    """R17: for a source and a reason; another source or reason is told."""
    refusals = Refusals()
    assert [refusals.refused("10.0.0.9", "proof", now) for now in (0, 1, HOUR - 1, HOUR, HOUR + 1)] == [
        True, False, False, True, False,
    ]  # fmt: skip
    assert refusals.refused("10.0.0.9", "tls", 2)
    assert refusals.refused("10.0.0.8", "proof", 2)
    assert (refusals.by_reason["proof"], refusals.by_reason["tls"]) == (6, 1)
    assert refusals.by_source == {"10.0.0.9": 6, "10.0.0.8": 1}
    assert set(refusals.by_reason) == set(REASONS)
    with pytest.raises(KeyError):
        refusals.refused("10.0.0.9", "whatever", 0)
    assert set(refusals.by_reason) == set(REASONS)


def test_many_sources_fill_no_memory() -> None:
    """Limits: beyond 256 addresses all others are one."""
    refusals = Refusals()
    told = [refusals.refused(f"10.0.{n >> 8}.{n & 255}", "source", 0) for n in range(1000)]
    assert sum(told) == SOURCES_MAX + 1
    assert len(refusals.by_source) == SOURCES_MAX + 1
    assert refusals.by_source[OTHERS] == 1000 - SOURCES_MAX
    assert refusals.by_reason["source"] == 1000
    assert len(refusals._told) == SOURCES_MAX + 1
