# SPDX-License-Identifier: Apache-2.0
"""pattern: how a light blinks: milliseconds on, off, on, off …, over and over, beginning with on. Pure.

() is off and a single number is on for good. cext/blink.c does the same in C; tests hold the two together.
Runs under MicroPython.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Pattern = tuple[int, ...]

OFF = ()
ON = (1000,)
STEPS_MAX = 16  # of a pattern, as in cext/blink.h
STEP_MAX = 60000  # milliseconds


def check(pattern: "Pattern") -> "Pattern":
    """The pattern if it is one. Raises ValueError that says what was expected."""
    if len(pattern) > STEPS_MAX or (len(pattern) > 1 and len(pattern) % 2):
        raise ValueError(f"pattern: {len(pattern)} steps; expected 0, 1 or an even number up to {STEPS_MAX}")
    if any(not 0 < step <= STEP_MAX for step in pattern):
        raise ValueError(f"pattern: {pattern}; expected steps of 1 to {STEP_MAX} milliseconds")
    return pattern


def level(pattern: "Pattern", elapsed: int) -> "tuple[bool, int | None]":
    """Is the light on, `elapsed` milliseconds after the pattern began, and how many milliseconds more is it
    as it is (None: for good)?"""
    if len(pattern) < 2:
        return bool(pattern), None
    place = elapsed % sum(pattern)
    for number, step in enumerate(pattern):
        if place < step:
            return number % 2 == 0, step - place
        place -= step
    raise AssertionError("unreachable: the place is less than the sum")


def edges(patterns: "Sequence[Pattern]", until: int) -> "Iterator[tuple[int, tuple[bool, ...]]]":
    """(milliseconds, levels of all of them): the start, and each instant before `until` at which a light
    changes. All begin at 0."""
    at, before = 0, None
    while at < until:
        looked = [level(pattern, at) for pattern in patterns]
        levels = tuple(on for on, _ in looked)
        if levels != before:
            yield at, levels
        before = levels
        left = [more for _, more in looked if more is not None]
        if not left:
            return
        at += min(left)


def words(pattern: "Pattern") -> str:
    """As a person says it: off, steady, blinks twice a second, flashes once every 2 s."""
    if len(pattern) < 2:
        return "steady" if pattern else "off"
    blinks, period = len(pattern) // 2, sum(pattern)
    if blinks == 1 and pattern[0] > 4 * pattern[1]:
        return f"steady, a short pause every {period / 1000:g} s"
    verb = "flashes" if blinks == 1 and 4 * pattern[0] <= pattern[1] else "blinks"
    if blinks == 1 and 1000 % period == 0:
        return f"{verb} {_times(1000 // period)} a second"
    return f"{verb} {_times(blinks)} every {period / 1000:g} s"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
