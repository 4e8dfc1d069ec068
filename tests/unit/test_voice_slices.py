# SPDX-License-Identifier: Apache-2.0
"""How long voice data holds the store's one thread, in which every setting is written as well (R14, R15)."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voice_bench import Unit, connect, disconnect, in_step, pair, run

from counts import bound, count

MOST = bound(0.02, 0.05)  # seconds of the thread's own work


def test_no_step_in_the_stores_thread_is_long(tmp_path: Path, record_figures: Callable[..., None]) -> None:
    """Issue 3, must show: a setting is durable in milliseconds, also during a first copy, after a change of
    many, a move of all and a comparison."""
    steps: list[tuple[float, str]] = []

    def timed(unit: Unit, name: str) -> None:
        plain = unit.in_store

        async def in_store(work: Callable[[Any], Any]) -> Any:
            def measured(store: Any) -> Any:
                began = time.thread_time()
                try:
                    return work(store)
                finally:
                    steps.append((time.thread_time() - began, f"{name} {work.__code__.co_name} {phase}"))

            return await plain(lambda _: measured(unit.store))

        unit.part._stock._run_in_store = in_store

    files, phase = count(600, 20_000), ""

    async def check() -> None:
        nonlocal phase
        async with pair(tmp_path) as (a, b, one, two):
            for unit in (a, b):
                timed(unit, unit.serial)
            phase = "first copy"
            for number in range(files):
                a.write(f"d{number % (files // 10)}/{number}.wav", b"%d" % number)
            await in_step(a, b, 200)
            phase = "changes"
            for number in range(files // 2):
                a.write(f"d{number % (files // 10)}/{number}.wav", b"x%d" % number)
            await in_step(a, b, 200)
            phase = "move"
            (a.voice / "all").mkdir()
            for number in range(files // 10):
                (a.voice / f"d{number}").rename(a.voice / f"all/{number}")
            await in_step(a, b, 200)
            await disconnect(one, two)
            phase = "compare"
            a.write("late.wav", b"late")
            await connect(a, b)
            await in_step(a, b, 200)

    gc.freeze()  # a look through all that the tests before left behind is none of the store's work
    try:
        run(check(), 900)
    finally:
        gc.unfreeze()
    steps.sort(reverse=True)
    longest, where = steps[0]
    print(f"{len(steps)} steps, the longest: {[(round(1000 * s, 1), name) for s, name in steps[:5]]} ms")
    record_figures(steps=len(steps), longest_ms=round(1000 * longest, 2))
    assert len(steps) > files // 256
    assert longest < MOST, where
