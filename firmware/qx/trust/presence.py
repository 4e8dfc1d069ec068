# SPDX-License-Identifier: Apache-2.0
"""presence: does somebody stand before the unit? Its button was pressed a moment ago.

Whatever watches the button writes the uptime in seconds to run/qx/presence. It is gone with power, and the
clock of the wall has no part in it. Reads that one file.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..errors import Refusal

if TYPE_CHECKING:
    from ..paths import Paths

LASTS = 120.0  # seconds after the button was pressed


class NotPresent(Refusal):
    reason = "presence"


def uptime() -> float:
    """Seconds since the machine started, as /proc/uptime has them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def left(text: str, now: float) -> float:
    """Seconds for which that press counts on; 0 for an old one, one of the future, or no number. Pure."""
    try:
        pressed = float(text)
    except ValueError:
        return 0.0
    # A press of this moment may have been rounded up.
    return min(LASTS, max(0.0, pressed + LASTS - now)) if pressed <= now + 1 else 0.0


def seconds_left(paths: Paths) -> float:
    try:
        with paths.presence.open(encoding="ascii") as file:
            text = file.read(32)
    except (OSError, UnicodeDecodeError):
        return 0.0
    return left(text.strip(), uptime())


def demand(paths: Paths, what: str) -> None:
    """Raises NotPresent where nobody was at the unit's button."""
    if seconds_left(paths) <= 0:
        raise NotPresent(
            f"{what}: expected the button on the unit to be pressed within the last {LASTS:g} seconds"
        )


def press(paths: Paths) -> None:
    """What the button does: for boards on which it is none of metal."""
    paths.presence.write_text(f"{uptime():.2f}\n", encoding="ascii")
