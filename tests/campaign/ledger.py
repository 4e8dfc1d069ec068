# SPDX-License-Identifier: Apache-2.0
"""ledger: what was written and how it was acknowledged, against what both units have in the end. Pure.

A write that answered `durable: both` is the value from then on; one that answered `durable: this`, or
nothing, may be it or not (R8, SPEC's "acknowledged"), and so may what stood there before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal

Answer = Literal["both", "this", "refused", "none"]
SLOTS = 40  # settings that are written in turn


class Ledger:
    def __init__(self) -> None:
        self.answers: Counter[Answer] = Counter()
        self._number = 0
        self._may_be: dict[str, set[str]] = {}

    def next(self) -> tuple[str, str]:
        """(path, value) of the next write; no value comes twice."""
        self._number += 1
        return f"extensions.{800 + self._number % SLOTS}.name", f"w{self._number}"

    def answered(self, path: str, value: str, answer: Answer) -> None:
        self.answers[answer] += 1
        if answer == "both":
            self._may_be[path] = {value}
        elif answer != "refused":
            self._may_be.setdefault(path, {""}).add(value)

    def known(self) -> dict[str, set[str]]:
        """What may be, by path, for `restored`."""
        return {path: set(values) for path, values in self._may_be.items()}

    def restored(self, before: Mapping[str, set[str]]) -> None:
        """What was written since then may have come before the restore, which took it back, or after it."""
        for path, values in self._may_be.items():
            if values != before.get(path):
                values |= before.get(path, {""})

    def lost(self, found: Mapping[str, str]) -> list[str]:
        """In words, what of `found` (by path) cannot be. An absent path is an empty value."""
        return [
            f"{path} is {found.get(path, '')!r}; expected {' or '.join(map(repr, sorted(values)))}"
            for path, values in sorted(self._may_be.items())
            if found.get(path, "") not in values
        ]
