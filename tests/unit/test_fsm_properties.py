# SPDX-License-Identifier: Apache-2.0
"""R3, R11: the state machine under any sequence of events, beside a model written from the RFCs' text.

After each event state, timer and actions agree with the model's; there is never a second timer, an address is
held by a Master and by nobody else, and a Master that is given its time advertises once an interval.
"""

from __future__ import annotations

from fractions import Fraction
from ipaddress import IPv4Address
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machine import ADVERT, DOWN, MASTER, MS, SECOND, UP, Machine
from vrrp_model import NANO, Router

from counts import SOAK

STATES = ("Initialize", "Backup", "Master")
CENTISECOND = 10 * MS

priorities = st.one_of(st.sampled_from([0, 1, 99, 100, 101, 253, 254, 255]), st.integers(0, 255))
addresses = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3", "127.255.255.255", "128.0.0.0", "200.0.0.1"])
intervals = st.one_of(st.sampled_from([1, 10, 100, 4095]), st.integers(1, 4095)).map(
    lambda cs: cs * CENTISECOND
)
seconds = st.integers(1, 255).map(lambda s: s * SECOND)
# How long until the next event: none, to the timer (exactly, just short of it, past it), or anything.
delays = st.one_of(
    st.just(0),
    st.sampled_from(["timer", "before", "after"]),
    st.integers(0, 5 * SECOND),
    st.just(3600 * SECOND),
)
events = st.one_of(
    st.tuples(st.just("startup")),
    st.tuples(st.just("shutdown")),
    st.tuples(st.just("time")),
    st.tuples(st.just("promote")),
    st.tuples(st.just("give way")),
    st.tuples(st.just("priority"), priorities.filter(bool)),
    st.tuples(st.just("advert"), priorities, addresses, intervals),
)
schedules = st.lists(st.tuples(delays, events), max_size=40)


@st.composite
def routers(draw: st.DrawFn) -> tuple[Machine, Router]:
    version = draw(st.sampled_from([2, 3]))
    fields: dict[str, Any] = {
        "version": version,
        "priority": draw(priorities.filter(bool)),
        "interval": draw(seconds if version == 2 else intervals),
        "preempt": draw(st.booleans()),
        "answer_lower": draw(st.booleans()),
        "primary": draw(addresses),
    }
    model = Router(
        version=version,
        priority=fields["priority"],
        preempt_mode=fields["preempt"],
        answers_lower=fields["answer_lower"],
        primary=IPv4Address(fields["primary"]).packed,
        advertisement_interval=Fraction(fields["interval"], NANO),
    )
    return Machine(**fields), model


def let_pass(machine: Machine, delay: int | str) -> None:
    if isinstance(delay, int):
        machine.wait(delay)
    elif machine.waits is not None:
        machine.wait(max(0, machine.waits + {"before": -1, "timer": 0, "after": 1}[delay]))


def happen(machine: Machine, model: Router, event: tuple[Any, ...]) -> tuple[list[str], list[str]]:
    """The same event in both: what the machine does, what the model does."""
    kind, *arguments = event
    if kind == "startup":
        return machine.startup(), model.startup(machine.now)
    if kind == "shutdown":
        return machine.shutdown(), model.shutdown()
    if kind == "time":
        return machine.timer(), model.time(machine.now)
    if kind == "promote":
        return machine.promote(), model.promote(machine.now)
    if kind == "give way":
        return machine.give_way(), model.give_way(machine.now)
    if kind == "priority":
        machine.c.priority = model.priority = arguments[0]
        return [], []
    priority, source, interval = arguments
    if model.version == 2:
        interval = machine.c.interval
    sender = IPv4Address(source).packed
    return (
        machine.advert(priority, source, interval),
        model.receive(machine.now, priority, sender, Fraction(interval, NANO)),
    )


many = settings(
    max_examples=20_000 if SOAK else 250,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)


@many
@given(routers(), schedules)
def test_the_machine_is_the_model(pair: tuple[Machine, Router], schedule: list[Any]) -> None:
    """R3: same actions, same state, same timer, to the nanosecond, after each of any events."""
    machine, model = pair
    for delay, event in schedule:
        let_pass(machine, delay)
        did, expected = happen(machine, model, event)
        assert did == expected, event
        assert STATES[machine.state] == model.state, event
        timers = [each for each in (model.adver_timer, model.master_down_timer) if each is not None]
        assert [machine.c.deadline] * bool(machine.c.deadline) == timers, event
        assert len(timers) == (model.state != "Initialize"), "one timer, and none in Initialize"


@many
@given(routers(), schedules)
def test_only_a_master_holds_the_address(pair: tuple[Machine, Router], schedule: list[Any]) -> None:
    """R6, R11: the actions, carried out one after the other, leave the address with a Master only; an
    announcement or advertisement of it never comes from anyone else."""
    machine, model = pair
    holds = False
    for delay, event in schedule:
        let_pass(machine, delay)
        was = machine.state
        for action in happen(machine, model, event)[0]:
            if action in (UP, DOWN):
                assert holds == (action == DOWN), "not put up twice, not taken away twice"
                holds = action == UP
            elif action == "announce":
                assert holds, "an address is announced only where it is"
            elif action == "release":
                assert not holds, "it is gone before it is said to be free"
            else:
                assert MASTER in (was, machine.state)
        assert holds == (machine.state == MASTER), event


@many
@given(routers(), schedules)
def test_no_deadline_is_left_in_the_past(pair: tuple[Machine, Router], schedule: list[Any]) -> None:
    """R3: once the timer was looked at, what is due next lies ahead: who sleeps until then cannot spin."""
    machine, model = pair
    for delay, event in schedule:
        let_pass(machine, delay)
        happen(machine, model, event)
        happen(machine, model, ("time",))
        assert machine.waits is None or machine.waits > 0


@many
@given(routers(), schedules)
def test_every_master_advertises(pair: tuple[Machine, Router], schedule: list[Any]) -> None:
    """R3: woken whenever its timer fires, a Master is never silent for longer than its interval."""
    machine, model = pair
    sent = None
    for delay, event in schedule:
        target = machine.now + (delay if isinstance(delay, int) else SECOND)
        target = min(target, machine.now + 20 * machine.c.interval)
        woken = True
        while woken:
            woken = 0 < machine.c.deadline <= target
            machine.now = machine.c.deadline if woken else target
            did, _ = happen(machine, model, ("time",) if woken else event)
            if ADVERT in did:
                sent = machine.now
            if machine.state == MASTER:
                assert sent is not None
                assert machine.now - sent <= machine.c.interval
