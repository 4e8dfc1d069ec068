# SPDX-License-Identifier: Apache-2.0
"""A contestant's processes by their pid files, checked to be the unit's, and their sudden end."""

import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from board.lab import namespace


def members(netns: str, files: Mapping[str, Path]) -> dict[str, int]:
    """Role to process id, of those that run in the namespace."""
    running = namespace.processes(netns)
    found: dict[str, int] = {}
    for role, file in files.items():
        try:
            pid = int(file.read_text())
        except (FileNotFoundError, ValueError):
            continue
        if pid in running:
            found[role] = pid
    return found


def kill_at_once(pids: Iterable[int]) -> float:
    """SIGKILL in the order given; returns CLOCK_MONOTONIC seconds just before the first."""
    pids = list(pids)
    moment = time.monotonic()
    namespace.signal_all(pids, signal.SIGKILL)
    return moment
