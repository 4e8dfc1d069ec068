# SPDX-License-Identifier: Apache-2.0
"""wiring: which line or LED device each light is on: the table `leds` of board.toml.

    [leds]
    chip = "/dev/gpiochip0"
    status = { green = 0, red = { line = 1, active_low = true } }
    alert = { yellow = "qx:yellow:alert" }

A number is a line of the chip, a text is the name of a LED class device (a folder of /sys/class/leds). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .table import LIGHTS

LINES_MAX = 8  # QX_GPIO_LINES
CHIP_MAX = 63  # octets of the path
OFFSET_MAX = 1023


class BadWiring(ValueError):
    """Says which entry and what was expected."""


@dataclass(frozen=True, slots=True)
class Line:
    offset: int
    active_low: bool = False


@dataclass(frozen=True, slots=True)
class Wiring:
    """By (LED, light)."""

    chip: str = ""
    lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    devices: dict[tuple[str, str], str] = field(default_factory=dict)


def wiring(table: Any, leds: tuple[str, ...]) -> Wiring:
    """Reads the table `leds`; `leds` are those that the model has. Raises BadWiring."""
    if not isinstance(table, dict):
        raise BadWiring("leds: expected a table")
    chip = table.get("chip", "")
    if not isinstance(chip, str) or len(chip.encode()) > CHIP_MAX:
        raise BadWiring(f"leds.chip: expected a path of up to {CHIP_MAX} octets")
    found = Wiring(chip)
    for led, lights in table.items():
        if led == "chip":
            continue
        if led not in leds:
            raise BadWiring(f"leds.{led}: expected one of chip, {', '.join(leds)}")
        if not isinstance(lights, dict):
            raise BadWiring(f"leds.{led}: expected a table of its lights")
        for light, where in lights.items():
            name = f"leds.{led}.{light}"
            if light not in LIGHTS[led]:
                raise BadWiring(f"{name}: expected {' or '.join(LIGHTS[led])}")
            if isinstance(where, str):
                found.devices[led, light] = _device(name, where)
            else:
                found.lines[led, light] = _line(name, where)
    offsets = [line.offset for line in found.lines.values()]
    if len(set(offsets)) < len(offsets):
        raise BadWiring("leds: two lights on one line; expected a line of its own for each")
    if found.lines and not chip:
        raise BadWiring("leds.chip: missing; expected the path of the GPIO chip that has the lines")
    if len(offsets) > LINES_MAX:
        raise BadWiring(f"leds: {len(offsets)} lines; expected at most {LINES_MAX}")
    return found


def _device(name: str, text: str) -> str:
    if not text or "/" in text or text.startswith("."):
        raise BadWiring(f"{name}: {text!r}; expected the name of a LED device")
    return text


def _line(name: str, where: Any) -> Line:
    low = False
    if isinstance(where, dict):
        where, low = where.get("line"), where.get("active_low", False)
    if not isinstance(where, int) or isinstance(where, bool) or not 0 <= where <= OFFSET_MAX:
        raise BadWiring(f"{name}: {where!r}; expected a line from 0 to {OFFSET_MAX}")
    if not isinstance(low, bool):
        raise BadWiring(f"{name}.active_low: {low!r}; expected true or false")
    return Line(where, low)
