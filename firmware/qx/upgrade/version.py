# SPDX-License-Identifier: Apache-2.0
"""version: which release is newer, and the oldest that may take this one's place. Pure."""

from __future__ import annotations

import re

# Settings and formats of this release cannot be read by releases before it: they are refused (issue 7,
# "version floor"). A release that changes a format which older ones cannot follow raises it.
FLOOR = "1.0.0"


def numbers(text: str) -> tuple[int, ...] | None:
    """A version as four numbers, the missing ones 0; None where it has another form."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}", text):
        return None
    found = [int(number) for number in text.split(".")]
    return (*found, *[0] * (4 - len(found)))


def too_old(text: str, floor: str = FLOOR) -> bool:
    """Is this version older than the floor? Raises ValueError where it is no version."""
    one, two = numbers(text), numbers(floor)
    if one is None or two is None:
        raise ValueError(f"{text[:40]!r} is no version; expected numbers with dots, like 1.2.0")
    return one < two
