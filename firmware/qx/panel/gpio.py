# SPDX-License-Identifier: Apache-2.0
"""gpio: lights on lines of a GPIO chip, blinking in C (cext/gpio.h). Holds no decision."""

# pyright: reportMissingModuleSource=false

from __future__ import annotations

from typing import Any

from _qx import ffi, lib

from .wiring import Line

ERROR = 512  # QX_ERROR
NANOSECONDS = 1_000_000


class Gpio:
    """The lines, taken and off. Raises OSError that names chip and reason."""

    def __init__(self, chip: str, lines: dict[tuple[str, str], Line]) -> None:
        self._keys = tuple(lines)
        wanted: Any = ffi.new("struct qx_gpio_lines *", {"chip": chip.encode(), "count": len(lines)})
        for number, line in enumerate(lines.values()):
            wanted.offset[number] = line.offset
            wanted.active_low[number] = line.active_low
        error = ffi.new("char[]", ERROR)
        if lib.qx_gpio_open(wanted, error):
            raise OSError(ffi.string(error).decode(errors="replace"))
        self._blinks: Any = ffi.new("struct qx_blink[]", len(lines))

    def show(self, shown: dict[tuple[str, str], tuple[int, ...]]) -> None:
        """Patterns by light. Those that stay as they are go on, the others begin together now."""
        now = lib.qx_engine_now()
        for blink, key in zip(self._blinks, self._keys, strict=True):
            pattern = shown.get(key, ())
            if tuple(blink.ms[0 : blink.count]) != pattern or not blink.began:
                blink.began, blink.count = now, len(pattern)
                blink.ms = pattern
        code = lib.qx_gpio_show(self._blinks, len(self._keys))
        if code:
            raise OSError(-code, "the lines of the front panel do not take a pattern")

    def trouble(self) -> tuple[int, float]:
        """Writes that the kernel refused, and the worst lateness of a step in ms."""
        refused, latest = ffi.new("uint32_t *"), ffi.new("int64_t *")
        lib.qx_gpio_trouble(refused, latest)
        return refused[0], latest[0] / NANOSECONDS

    def close(self) -> None:
        lib.qx_gpio_close()
