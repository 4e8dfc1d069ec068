# SPDX-License-Identifier: Apache-2.0
"""qx led: what the LEDs of the front panel say now, and with --table all that they may say."""

from __future__ import annotations

from ..control import client
from ..errors import Refusal
from . import output
from .arguments import read

TABLE = {"table": False}


def run(argv: list[str]) -> int:
    arguments = read(argv, TABLE)
    if "table" in arguments:
        from ..panel import table  # noqa: PLC0415 - not needed for what they say now

        rows = [*table.STATES, table.UNREAD]
        if arguments.json:
            output.json([row._asdict() for row in rows])
        else:
            output.text("\n".join(map(row_text, rows)))
        return 0
    leds = client.call(arguments.paths, "status").get("leds")
    if leds is None:
        raise Refusal("led: the front panel has not been looked at yet; try again in a second")
    if arguments.json:
        output.json(leds)
    else:
        output.text(leds_text(leds))
    return 0


def row_text(row: tuple[str, str, str, tuple[int, ...], str]) -> str:
    from ..panel.pattern import words  # noqa: PLC0415 - see above

    name, led, colour, pattern, meaning = row
    return f"{name:<12} {led:<7} {colour:<7} {words(pattern):<36} {meaning}"


def leds_text(leds: dict[str, object]) -> str:
    """The state with its meaning, and the alert where it blinks."""
    lines = [f"{leds['colour']}, {leds['words']}: {leds['meaning']}"]
    if leds.get("alert"):
        lines.append("yellow, blinks once a second: an event waits to be read (qx events)")
    return "\n".join(lines)
