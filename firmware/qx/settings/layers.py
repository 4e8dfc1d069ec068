# SPDX-License-Identifier: Apache-2.0
"""layers: a mapping of paths to values of which each revision is kept apart, and of which most is shared.

Immutable. A change lies over what was there before; once MOST of them do, they are laid down into a new base.
A copy of 5,000 settings for each commit touches every one of them twice, when it is made and when it goes: a
fifth of what a commit cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .values import Plain

MOST = 128  # changes over the base: few to copy, and seldom to be laid down


class Layers:
    """The caller hands `base` over and does not change it afterwards. None is no value: it takes one away."""

    __slots__ = ("_base", "_over")

    def __init__(self, base: dict[str, Plain] | None = None) -> None:
        self._base: dict[str, Plain] = {} if base is None else base
        self._over: dict[str, Plain] = {}

    def get(self, path: str) -> Plain:
        """None where there is none."""
        if path in self._over:
            return self._over[path]
        return self._base.get(path)

    def __contains__(self, path: str) -> bool:
        return self.get(path) is not None

    def __iter__(self) -> Iterator[str]:
        over = self._over
        yield from (path for path in self._base if path not in over)
        yield from (path for path, value in over.items() if value is not None)

    def replaced(self, changes: Mapping[str, Plain]) -> Layers:
        """These with `changes` over them."""
        after = Layers(self._base)
        after._over = {**self._over, **changes}
        if len(after._over) > MOST:
            whole = {**self._base, **after._over}
            after._base = {path: value for path, value in whole.items() if value is not None}
            after._over = {}
        return after
