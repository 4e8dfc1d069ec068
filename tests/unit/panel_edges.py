# SPDX-License-Identifier: Apache-2.0
"""Every state of the front panel played for 20 s of a made-up clock; prints `state alert ms lights` an edge.

Runs on CPython and on MicroPython alike: `panel_edges.py FOLDER [WRAP]`, where the package `panel` is in
FOLDER and WRAP is the first value of the clock. The lights are `machine.Signal`s of pins that write down what
they are told; on CPython, which has no module `machine`, a class that does the same with its pin.
"""

import asyncio
import sys

sys.path.insert(0, sys.argv[1])

from panel import pattern, table
from panel.player import Player

try:
    from machine import PinBase, Signal
except ImportError:

    class PinBase:
        pass

    class Signal:
        def __init__(self, pin, invert=False):
            self._pin, self._invert = pin, invert

        def value(self, x):
            self._pin.value(bool(x) != self._invert)


UNTIL = 20000


class Over(Exception):
    pass


class Clock:
    def __init__(self):
        self.at = 0

    def now(self):
        try:
            from time import ticks_add

            return ticks_add(FIRST, self.at)
        except ImportError:
            return FIRST + self.at

    async def sleep(self, milliseconds):
        if self.at + milliseconds >= UNTIL:
            raise Over
        self.at += milliseconds


class Pin(PinBase):
    def __init__(self, key, levels):
        self.key, self.levels = key, levels

    def value(self, x=None):
        self.levels[self.key] = not x  # wired to the supply: low is lit
        return x


def play(state, alert):
    clock, levels = Clock(), {}
    leds = (table.STATUS, table.ALERT)
    keys = sorted((led, light) for led in leds for light in table.LIGHTS[led])
    lights = {key: Signal(Pin(key, levels), invert=True) for key in keys}
    player = Player(lights, clock.now, clock.sleep)
    player.show(table.shown(state, alert, leds))
    before = None

    step = player.step

    def watched():
        nonlocal before
        wait = step()
        now = "".join("01"[levels[key]] for key in keys)
        if now != before:
            print(state.name, "+" if alert else "-", clock.at, now)
        before = now
        return wait

    player.step = watched
    try:
        asyncio.run(player.run())
    except Over:
        return


FIRST = int(sys.argv[2]) if len(sys.argv) > 2 else 0
for one in table.STATES:
    play(one, False)
    play(one, True)
    print(one.name, pattern.words(one.pattern), pattern.level(one.pattern, 12345))
