# SPDX-License-Identifier: Apache-2.0
"""record: who was asked for the service address when, and which units answered. Pure."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from dataclasses import dataclass, field


@dataclass
class Question:
    at: float
    by: set[str] = field(default_factory=set[str])  # units that answered before the next question


class Record:
    """Questions in their order and who answered."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def ask(self, at: float) -> None:
        self.asked.append(Question(at))

    def answer(self, unit: str) -> None:
        if self.asked:
            self.asked[-1].by.add(unit)

    def _window(self, since: float, until: float) -> list[Question]:
        """The last answered one before is the begin of a silence, so it belongs to it."""
        first = bisect_left(self.asked, since, key=lambda one: one.at)
        while first > 0 and (first >= len(self.asked) or not self.asked[first].by):
            first -= 1
        last = bisect_left(self.asked, until, key=lambda one: one.at)
        return self.asked[first:last]

    def silence(self, since: float, until: float) -> float:
        """The longest time in seconds from one answered question to the next. The asker's own pauses are
        none: at least two questions in a row went unanswered."""
        longest, start, unanswered = 0.0, since, 0
        window = self._window(since, until)
        for one in window:
            if one.by:
                longest = max(longest, one.at - start if unanswered > 1 else 0.0)
                start, unanswered = one.at, 0
            else:
                unanswered += 1
        return max(longest, until - start if unanswered > 1 else 0.0)

    def two(self, since: float, until: float) -> float:
        """The longest time in seconds in which every question was answered by two units."""
        inside = [one for one in self.asked if since <= one.at < until]
        longest = 0.0
        for both, run in itertools.groupby(inside, key=lambda one: len(one.by) > 1):
            found = list(run)
            if both and len(found) > 1:
                longest = max(longest, found[-1].at - found[0].at)
        return longest

    def by(self, since: float, until: float) -> set[str]:
        return set().union(*(one.by for one in self.asked if since <= one.at < until))

    def forget(self, before: float) -> None:
        del self.asked[: bisect_left(self.asked, before, key=lambda one: one.at)]
