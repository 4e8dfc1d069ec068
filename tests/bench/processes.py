# SPDX-License-Identifier: Apache-2.0
"""A contestant's processes by their pid files, checked to be the unit's, and their sudden end or halt."""

import re
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


def serves(pid: int, port: int) -> bool:
    """Whether anybody in the process's namespace listens to that port of TCP."""
    lines = "".join(Path(f"/proc/{pid}/net/{kind}").read_text() for kind in ("tcp", "tcp6"))
    return re.search(rf":{port:04X} [0-9A-F:]+ 0A ", lines) is not None


def kill_at_once(pids: Iterable[int]) -> float:
    """SIGKILL in the order given; returns CLOCK_MONOTONIC seconds just before the first."""
    return _signal(list(pids), signal.SIGKILL)


def stop_at_once(pid: int) -> float:
    """SIGSTOP; returns CLOCK_MONOTONIC seconds just before it."""
    return _signal([pid], signal.SIGSTOP)


def _signal(pids: list[int], number: signal.Signals) -> float:
    moment = time.monotonic()
    namespace.signal_all(pids, number)
    return moment
