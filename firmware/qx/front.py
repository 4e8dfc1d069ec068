# SPDX-License-Identifier: Apache-2.0
"""front: keeps the front panel true: looks at the unit's status and unread events, and shows what they say.

Joins the unit and `panel`; decides nothing (panel.table does). A light that is not there never keeps a PBX
from working: what is wrong with the wiring is one event.
"""

from __future__ import annotations

import asyncio
import logging
import tomllib
from typing import TYPE_CHECKING, Any

from .events.rules import pending
from .panel import pattern, table
from .panel.lamps import Dark, Drawn, Lamps, Wired
from .panel.wiring import BadWiring, wiring

if TYPE_CHECKING:
    from .board import Board
    from .model import Model
    from .paths import Paths
    from .redundancy.pair import Own
    from .settings.view import Settings

LOOK = 1.0  # seconds between two looks; each makes a whole status, which an idle Backup feels

log = logging.getLogger("qx.panel")


def leds_of(model: Model) -> tuple[str, ...]:
    """The LEDs of a model's front panel."""
    return (table.STATUS, table.ALERT) if model.flash_led else (table.STATUS,)


def open_lamps(paths: Paths, board: Board, model: Model) -> Lamps:
    """The lights of this board. Raises BadWiring or OSError that name what is wrong."""
    wired = tomllib.loads(paths.board_toml.read_text(encoding="utf-8")).get("leds")
    if wired is not None:
        return Wired(wiring(wired, leds_of(model)))
    return Drawn(paths.run_qx / "led") if board.lab else Dark()


class Front:
    """`run()` on the loop until it is cancelled."""

    def __init__(self, unit: Own) -> None:
        self._unit = unit
        self._leds = leds_of(unit.identity.model)
        self._lamps: Lamps = Dark()
        self._shown: table.Shown = {}
        self._now: dict[str, Any] | None = None

    async def run(self) -> None:
        unit = self._unit
        try:
            self._lamps = open_lamps(unit.paths, unit.board, unit.identity.model)
        except (BadWiring, OSError) as error:
            unit.events.add("warning", "Front panel cannot be used", str(error), "Hardware")
        try:
            while True:
                self._look()
                await asyncio.sleep(LOOK)
        finally:
            self._lamps.close()

    def plain(self) -> dict[str, Any] | None:
        """{state, meaning, alert, leds: [{led, light, pattern, words}]}; None before the first look."""
        return self._now

    def _look(self) -> None:
        unit = self._unit
        interval = unit.store.settings.number("redundancy.sync_interval")
        state = table.choose(table.situation(unit.status(), interval))
        alert = table.ALERT in self._leds and self._waits(unit.store.settings)
        shown = table.shown(state, alert, self._leds)
        if shown == self._shown and self._now is not None and self._now["state"] == state.name:
            return
        self._shown = shown
        self._now = {
            "state": state.name,
            "colour": state.colour,
            "words": pattern.words(state.pattern),
            "meaning": state.meaning,
            "alert": alert,
            "leds": [
                {"led": led, "light": light, "pattern": list(steps), "words": pattern.words(steps)}
                for (led, light), steps in shown.items()
            ],
        }
        try:
            self._lamps.show(shown)
        except OSError as error:
            log.error("front panel: %s", error)
            self._shown = {}  # tried again at the next look

    def _waits(self, settings: Settings) -> bool:
        """Does an event with the action Flash LED wait to be read?"""
        return pending(settings, self._unit.events.recent()).led
