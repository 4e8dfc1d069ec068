# SPDX-License-Identifier: Apache-2.0
"""Which delivery is due, and that none waits for another (R34)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qx.events.queue import EXPIRY, LEAST, MOST, REFUSED_MAX, Job, Outcome, Queue

A, B, SMS, NOC = "mail:a@x", "mail:b@x", "sms:1", "snmp:noc"


def test_lanes_do_not_wait_for_each_other() -> None:
    """R34: one delivery a lane at a time; a mail server that hangs holds up no short message and no trap."""
    queue = Queue()
    queue.owe("1", (A, B, SMS, NOC, "vrrp:noc"), 0.0)
    assert {job.way for job in queue.due(0.0)} == {A, SMS, NOC}
    assert queue.due(1.0) == []
    assert queue.done(Job("1", NOC), Outcome.DONE, "", 1.0)
    assert queue.due(1.0) == [Job("1", "vrrp:noc")]


def test_a_way_that_fails_for_ever_blocks_no_other() -> None:
    """R34: within one lane as well: the other recipients of the same server have their turns."""
    queue = Queue()
    for number in range(20):
        queue.owe(str(number), (A, B), 0.0)
    now, made = 0.0, 0
    for _ in range(200):
        for job in queue.due(now):
            outcome = Outcome.LATER if job.way == A else Outcome.DONE
            made += queue.done(job, outcome, "535 no", now)
        now += 0.1
    assert made == 20
    assert queue.ways[A].trouble == "535 no"
    assert len(queue.ways[A].waiting) == 20


def test_back_off_doubles_to_its_limit_and_ends_with_the_first_success() -> None:
    """R34: LEAST, twice, …, never more than MOST; at the limit and just below it."""
    queue = Queue()
    queue.owe("1", (A,), 0.0)
    now, pauses = 0.0, []
    for _ in range(12):
        (job,) = queue.due(now)
        assert not queue.done(job, Outcome.LATER, "down", now)
        pause = queue.ways[A].next - now
        assert queue.due(now + pause - 0.001) == []
        pauses.append(pause)
        now += pause
    assert pauses == [min(MOST, LEAST * 2**n) for n in range(12)]
    (job,) = queue.due(now)
    assert queue.done(job, Outcome.DONE, "", now)
    assert queue.plain(now)[0] == {
        "way": A, "state": "working", "trouble": None, "waiting": 0, "delivered": 1, "given_up": 0,
        "failing_s": None, "next_s": None,
    }  # fmt: skip


def test_what_is_refused_goes_to_the_end_and_is_given_up() -> None:
    """R34: a mail that a server does not take holds up none behind it."""
    queue = Queue()
    queue.owe("bad", (A,), 0.0)
    queue.owe("good", (A,), 0.0)
    (job,) = queue.due(0.0)
    assert not queue.done(job, Outcome.REFUSED, "550 content", 0.0)
    assert queue.due(0.0) == [Job("good", A)]
    assert queue.done(Job("good", A), Outcome.DONE, "", 0.0)
    for left in range(REFUSED_MAX - 1, 0, -1):
        (job,) = queue.due(1e6)
        assert queue.done(job, Outcome.REFUSED, "550 content", 1e6) == (left == 1)
        queue.ways[A].next = 0.0
    assert (queue.ways[A].given_up, queue.ways[A].trouble) == (1, "550 content")
    assert queue.due(1e9) == []


def test_what_has_waited_too_long_is_given_up() -> None:
    """R34: expiry, at its limit and above."""
    queue = Queue()
    queue.owe("1", (A,), 0.0)
    assert queue.expired(EXPIRY) == []
    assert queue.expired(EXPIRY + 1) == [Job("1", A)]
    assert queue.ways[A].given_up == 1
    assert queue.due(EXPIRY + 2) == []


def test_what_the_other_unit_delivered_is_owed_no_more() -> None:
    """R34: what is under way is told when it is done."""
    queue = Queue()
    queue.owe("1", (A, SMS), 0.0)
    queue.owe("2", (A, SMS), 0.0)
    assert set(queue.due(0.0)) == {Job("1", A), Job("1", SMS)}
    queue.owe("1", (), 0.0)
    queue.owe("2", (SMS,), 0.0)
    assert queue.done(Job("1", A), Outcome.DONE, "", 0.0)
    assert queue.due(0.0) == []
    assert queue.done(Job("1", SMS), Outcome.DONE, "", 0.0)
    assert queue.due(0.0) == [Job("2", SMS)]


@given(st.lists(st.tuples(st.sampled_from((A, B, SMS, NOC)), st.sampled_from(tuple(Outcome))), max_size=40))
def test_every_delivery_ends(answers: list[tuple[str, Outcome]]) -> None:
    """R34: whatever the receivers say for however long, each is delivered or given up in the end, once."""
    queue = Queue()
    for number in range(3):
        queue.owe(str(number), (A, B, SMS, NOC), 0.0)
    ended: list[Job] = []
    now = 0.0
    script = list(answers)
    while any(way.waiting for way in queue.ways.values()):
        for job in queue.due(now):
            outcome = Outcome.DONE
            if script and script[0][0] == job.way:
                outcome = script.pop(0)[1]
            elif script:
                outcome = Outcome.LATER
                script.pop()
            if queue.done(job, outcome, "", now):
                ended.append(job)
        now += LEAST
        ended += queue.expired(now)
    assert len(ended) == len(set(ended)) == 12
