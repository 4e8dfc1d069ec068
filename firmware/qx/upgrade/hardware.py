# SPDX-License-Identifier: Apache-2.0
"""hardware: what board.toml says for upgrades: `revision` of the hardware, which an image must name, and in a
table `upgrade` how long a slot on trial has to be healthy (`healthy`, seconds) and within which time
(`trial`).
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from .trial import HEALTHY_FOR, TRIAL

if TYPE_CHECKING:
    from ..paths import Paths

FIRST = "1.0"


def _table(paths: Paths) -> dict[str, Any]:
    try:
        return tomllib.loads(paths.board_toml.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}


def revision_of(paths: Paths) -> str:
    """Of the board; the first one where it names none."""
    found = _table(paths).get("revision")
    return found if isinstance(found, str) and found else FIRST


def times(paths: Paths) -> tuple[float, float]:
    """Seconds that a slot on trial has to be healthy, and within which."""
    table = _table(paths).get("upgrade")
    told = table if isinstance(table, dict) else {}

    def seconds(name: str, usual: float) -> float:
        found = told.get(name)
        return found if isinstance(found, int | float) and 1 <= found <= 3600 else usual

    return seconds("healthy", HEALTHY_FOR), seconds("trial", TRIAL)
