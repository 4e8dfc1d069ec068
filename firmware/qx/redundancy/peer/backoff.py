# SPDX-License-Identifier: Apache-2.0
"""backoff: how long to wait before the next attempt: 0.2 to 5 s, longer each time, with jitter. Pure.

Decorrelated jitter: each wait is somewhere between the least and three times the one before, so that two
units that lost each other at one instant do not go on meeting in step.
"""

from __future__ import annotations

import random
from collections.abc import Callable

LEAST, MOST = 0.2, 5.0  # seconds


class Backoff:
    """`uniform(a, b)` gives a number between."""

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._uniform = uniform
        self._last = LEAST

    def wait(self) -> float:
        """The seconds to wait now."""
        self._last = min(MOST, self._uniform(LEAST, 3 * self._last))
        return self._last

    def reset(self) -> None:
        """It went well: the next wait is short again."""
        self._last = LEAST
