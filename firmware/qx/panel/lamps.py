# SPDX-License-Identifier: Apache-2.0
"""lamps: the lights of this board, whatever they are on: lines, LED devices, or (in the lab) a file.

`open_lamps` knows the kinds; what it returns only knows how to show.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .device import LEDS, Device
from .player import Player
from .wiring import Wiring

if TYPE_CHECKING:
    from .gpio import Gpio
    from .table import Shown


class Lamps(Protocol):
    def show(self, shown: Shown) -> None:
        """Patterns by (LED, light), from now on. Raises OSError. Does not wait."""
        ...

    def close(self) -> None: ...


class Wired:
    """Lines of a GPIO chip and LED devices; `show` is called on the loop. OSError where one is missing."""

    def __init__(self, wired: Wiring, folder: Path = LEDS) -> None:
        devices = {key: Device(name, folder) for key, name in wired.devices.items()}
        self._devices = tuple(devices.values())
        self._blinking = {key: device for key, device in devices.items() if device.blinks}
        played = {key: device for key, device in devices.items() if not device.blinks}
        self._player = Player(played) if played else None
        self._playing: asyncio.Task[None] | None = None
        self._shown: Shown = {}
        self._gpio: Gpio | None = None
        if wired.lines:
            from .gpio import Gpio  # noqa: PLC0415 - a board without lines needs none of it

            self._gpio = Gpio(wired.chip, wired.lines)

    def show(self, shown: Shown) -> None:
        if self._gpio:
            self._gpio.show(shown)
        for key, device in self._blinking.items():
            if shown.get(key, ()) != self._shown.get(key):
                device.show(shown.get(key, ()))
        if self._player:
            self._player.show(shown)
            if self._playing is None:
                self._playing = asyncio.get_running_loop().create_task(self._player.run())
        self._shown = dict(shown)

    def close(self) -> None:
        if self._playing:
            self._playing.cancel()
        if self._gpio:
            self._gpio.close()
        for device in self._devices:
            with suppress(OSError):
                device.show(())


class Drawn:
    """The lab's front panel: a file with what each light does, as JSON, for whoever draws it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def show(self, shown: Shown) -> None:
        fresh = self._file.with_name(self._file.name + ".new")
        told = [{"led": led, "light": light, "pattern": list(p)} for (led, light), p in shown.items()]
        fresh.write_text(json.dumps(told) + "\n")
        fresh.replace(self._file)

    def close(self) -> None:
        self._file.unlink(missing_ok=True)


class Dark:
    """A board whose lights are not wired, or not there."""

    def show(self, shown: Shown) -> None:
        pass

    def close(self) -> None:
        pass
