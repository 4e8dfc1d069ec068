# SPDX-License-Identifier: Apache-2.0
"""boot: the machine's start and restart, as the daemon sees them.

What the start scripts found wrong stands in run/qx/trouble and becomes events. A restart of a unit is one of
the machine; in the lab it is the guardian's, which starts the daemon as after power-on.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from .events.event import SEVERITIES

if TYPE_CHECKING:
    from .board import Board
    from .events.event import Severity
    from .events.log import EventLog
    from .paths import Paths

RESTART = 3  # the daemon's exit code for it (guardian.h)


def tell_trouble(paths: Paths, events: EventLog) -> None:
    """Makes events of the lines `severity<tab>name<tab>description`, once a start: the file is renamed."""
    file = paths.run_qx / "trouble"
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        file.replace(file.with_suffix(".told"))
    except FileNotFoundError:
        return
    for line in lines:
        severity, _, rest = line.partition("\t")
        name, _, description = rest.partition("\t")
        known = severity if severity in SEVERITIES else "warning"
        events.add(cast("Severity", known), name, description, "Boot")


def restart(board: Board) -> int:
    """Called when everything of the daemon is closed. On a unit the machine restarts, and this process waits
    for that; elsewhere the exit code for the guardian."""
    if not board.lab:
        os.execv("/bin/sh", ["sh", "-c", "/sbin/reboot; exec sleep 60"])
    return RESTART
