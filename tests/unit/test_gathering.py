# SPDX-License-Identifier: Apache-2.0
"""Work that gathers: once for many, again after a failure, and never in the way of whoever asks."""

from __future__ import annotations

import threading
import time

import pytest

from qx.gathering import Gathering


class Work:
    """Counts, and answers what it is told to."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.done = 0
        self.at: list[float] = []

    def __call__(self) -> bool:
        self.done += 1
        self.at.append(time.monotonic())
        return self.answers.pop(0) if self.answers else True


def test_what_comes_within_the_delay_is_done_once() -> None:
    work = Work()
    gathering = Gathering("test", work, 0.1)
    for _ in range(500):
        gathering.ask()
    assert gathering.settled(5)
    assert work.done == 1
    gathering.ask()
    assert gathering.settled(5)
    gathering.close()
    assert work.done == 2


def test_closing_does_what_is_left_at_once_and_nothing_that_is_not() -> None:
    work = Work()
    gathering = Gathering("test", work, 60.0)
    gathering.ask()
    began = time.monotonic()
    gathering.close()
    assert time.monotonic() - began < 5
    assert work.done == 1
    unused = Gathering("test", work, 60.0)
    unused.close()
    assert work.done == 1


@pytest.mark.parametrize(("again", "done"), [(0.01, 3), (None, 1)])
def test_a_failure_is_tried_again_where_that_was_asked_for(again: float | None, done: int) -> None:
    work = Work(False, False)
    gathering = Gathering("test", work, 0.0, again)
    gathering.ask()
    assert gathering.settled(5)
    assert work.done == done
    gathering.ask()
    assert gathering.settled(5)
    gathering.close()
    assert work.done == done + 1


def test_asking_never_waits_for_the_work() -> None:
    """R9: a slow disk holds up nothing; what is asked for meanwhile is done afterwards."""
    release, begun = threading.Event(), threading.Event()
    count = 0

    def slow() -> bool:
        nonlocal count
        count += 1
        begun.set()
        return release.wait(5)

    gathering = Gathering("test", slow, 0.0)
    gathering.ask()
    assert begun.wait(5)
    began = time.monotonic()
    for _ in range(1000):
        gathering.ask()
    assert time.monotonic() - began < 1
    assert not gathering.settled(0.01)
    release.set()
    assert gathering.settled(5)
    gathering.close()
    assert count == 2
