# SPDX-License-Identifier: Apache-2.0
"""What processes cost: processor time by their own clocks, memory as the kernel accounts it.

A process's clock (clock_getcpuclockid) counts nanoseconds of all its threads, ended ones too; ticks in
/proc/PID/stat would miss an engine that wakes for 50 microseconds a hundred times a second.
"""

import re
import time
from collections.abc import Iterable
from pathlib import Path

_CPUCLOCK_SCHED = 2  # include/linux/posix-timers.h


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time of the processes since each began. ProcessLookupError where one is gone."""
    total = 0
    for pid in pids:
        try:
            total += time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED)
        except OSError:
            raise ProcessLookupError(f"process {pid} is gone") from None
    return total / 1e9


def threads(pid: int) -> dict[str, float]:
    """Processor seconds by thread name; the main thread and those without a name of their own share one."""
    found: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        found[name] = found.get(name, 0.0) + int((task / "schedstat").read_text().split()[0]) / 1e9
    return found


def memory(pid: int) -> dict[str, float]:
    """MiB: `rss`, `pss` (shared pages divided among their users) and `anon` (private to the process)."""
    rolled = Path(f"/proc/{pid}/smaps_rollup").read_text()
    status = Path(f"/proc/{pid}/status").read_text()
    return {
        "rss": _kib(rolled, "Rss") / 1024,
        "pss": _kib(rolled, "Pss") / 1024,
        "anon": _kib(status, "RssAnon") / 1024,
    }


def _kib(text: str, name: str) -> int:
    found = re.search(rf"^{name}:\s*(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) if found else 0
