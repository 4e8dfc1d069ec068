# SPDX-License-Identifier: Apache-2.0
"""Waiting on a loop for what has to come true, with patience for a busy machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

WAIT = 15.0  # seconds at most for what should take milliseconds
PAUSE = 0.005


async def until(
    look: Callable[[], Found], seconds: float = WAIT, what: str | Callable[[], object] = ""
) -> Found:
    """The first true answer of `look`. AssertionError saying `what`, which may be asked only then."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not (found := look()):
        assert loop.time() < end, f"not within {seconds:g} s: {what if isinstance(what, str) else what()}"
        await asyncio.sleep(PAUSE)
    return found
