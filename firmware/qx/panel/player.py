# SPDX-License-Identifier: Apache-2.0
"""player: plays patterns on lights that are switched one by one: `machine.Signal`, or what behaves like it.

For a panel controller under MicroPython, and for LEDs whose kernel driver cannot blink by itself; where lines
of a GPIO chip are at hand, cext/gpio.c does it without Python. Steps are reckoned from when a pattern began,
so that a late one delays none after it. Runs under MicroPython.
"""

import asyncio
import time

from .pattern import OFF, level

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Protocol

    from machine import Signal  # pyright: ignore[reportMissingModuleSource]

    class Switch(Protocol):
        """What is used of machine.Signal, for lights of other kinds."""

        def value(self, x: bool) -> object: ...

    Light = Signal | Switch
    Key = tuple[str, str]


if hasattr(time, "ticks_ms"):
    ticks, ticks_add, ticks_diff = time.ticks_ms, time.ticks_add, time.ticks_diff  # type: ignore[attr-defined]
else:

    def ticks() -> int:
        return time.monotonic_ns() // 1000000

    def ticks_add(at: int, more: int) -> int:
        return at + more

    def ticks_diff(later: int, earlier: int) -> int:
        return later - earlier


async def pause(milliseconds: int) -> None:
    await asyncio.sleep(milliseconds / 1000)


class Player:
    """`show()` says what is to be seen, `run()` makes it so until it is cancelled. `now` counts milliseconds
    and may wrap around as MicroPython's does; a wish of `show()` is seen within `LOOK` milliseconds."""

    LOOK = 100

    def __init__(
        self,
        lights: "Mapping[Key, Light]",
        now: "Callable[[], int]" = ticks,
        sleep: "Callable[[int], Awaitable[None]]" = pause,
    ) -> None:
        self._lights = lights
        self._now = now
        self._sleep = sleep
        self._patterns: dict[Key, tuple[int, ...]] = dict.fromkeys(lights, OFF)
        self._began = dict.fromkeys(lights, now())
        self._levels: dict[Key, bool] = {}

    def show(self, shown: "dict[Key, tuple[int, ...]]") -> None:
        """Patterns by light; those that stay as they are go on, the others begin together now."""
        now = self._now()
        for key, pattern in shown.items():
            if key in self._lights and self._patterns[key] != pattern:
                self._patterns[key] = pattern
                self._began[key] = now

    def step(self) -> int:
        """Sets the lights as they are to be now. Returns the milliseconds until something changes, at most
        LOOK."""
        now, wait = self._now(), self.LOOK
        for key, light in self._lights.items():
            pattern = self._patterns[key]
            elapsed = ticks_diff(now, self._began[key])
            period = sum(pattern)
            if period and elapsed >= period:  # so that the clock may wrap around
                self._began[key] = ticks_add(self._began[key], elapsed // period * period)
            on, left = level(pattern, elapsed)
            if self._levels.get(key) is not on:
                light.value(on)
                self._levels[key] = on
            if left is not None and left < wait:
                wait = left
        return wait

    async def run(self) -> None:
        while True:
            await self._sleep(self.step())
