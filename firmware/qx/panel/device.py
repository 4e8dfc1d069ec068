# SPDX-License-Identifier: Apache-2.0
"""device: lights that the kernel knows as LED class devices: its own `pattern` trigger makes them blink.

Documentation/leds/leds-class and ledtrig-pattern: a pattern is pairs of brightness and milliseconds, and a
step without a ramp is a pair of the same brightness followed by one of no time. A kernel without the trigger
leaves `brightness`, which player.Player switches. Touches the folder of the device and nothing else.
"""

from __future__ import annotations

from pathlib import Path

LEDS = Path("/sys/class/leds")


class Device:
    """A LED device. Raises OSError where there is none of that name."""

    def __init__(self, name: str, folder: Path = LEDS) -> None:
        self._folder = folder / name
        self._most = int((self._folder / "max_brightness").read_text())
        triggers = (self._folder / "trigger").read_text().split()
        self.blinks = any(trigger.strip("[]") == "pattern" for trigger in triggers)  # [the one in use]
        self._triggered = False

    def value(self, x: bool) -> None:
        """As machine.Signal's: on or off, now."""
        self._write("brightness", str(self._most if x else 0))

    def show(self, pattern: tuple[int, ...]) -> None:
        """Blinks so from now on."""
        if len(pattern) < 2:
            self._write("trigger", "none")
            self._triggered = False
            self.value(bool(pattern))
            return
        if not self._triggered:
            self._write("trigger", "pattern")
            self._triggered = True
        self._write("pattern", kernel_pattern(pattern, self._most))

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text + "\n")


def kernel_pattern(pattern: tuple[int, ...], most: int) -> str:
    """What the kernel's `pattern` file takes. Pure."""
    steps = []
    for number, milliseconds in enumerate(pattern):
        level = most if number % 2 == 0 else 0
        steps += [f"{level} {milliseconds}", f"{level} 0"]
    return " ".join(steps)
