# SPDX-License-Identifier: Apache-2.0
"""remains: what a step left behind on a unit: descriptors, threads, memory, addresses, routes, settings of
the kernel, events.

A shape has, of `daemon` and `guardian`, the number of `threads` and `descriptors` and the KiB `resident`; and
lists of `addresses`, `routes` and `sysctls`, which must be the same whenever the unit is in the same role.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from board.lab.network import UNITS

# KiB: the promise is 32 MiB in a settled daemon. A restore leaves 2 MiB of heap, once; faults their peaks.
RESIDENT = 36 << 10
THREADS = 15  # docs/architecture.md names them
GROWTH = 4  # descriptors that a daemon may have more of than at first


def resident(pid: int) -> int:
    """KiB, 0 where the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), 0)


def leaked(first: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In words, what is more now than it was at first in this role."""
    said: list[str] = []
    for name in ("addresses", "routes", "sysctls", "guardian threads", "guardian descriptors"):
        if now[name] != first[name]:
            said.append(f"{name}: {now[name]}; expected {first[name]}")
    limits = {"daemon threads": THREADS, "daemon descriptors": first["daemon descriptors"] + GROWTH}
    for name, limit in limits.items():
        if now[name] > limit:
            said.append(f"{name}: {now[name]}; expected at most {limit}")
    if now["daemon resident"] > RESIDENT:
        said.append(f"daemon resident: {now['daemon resident']} KiB; expected at most {RESIDENT}")
    return said


def repeated(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Events that stand twice in one log, in words: with one uid, or the same told twice within a moment."""
    uids = Counter(event["uid"] for event in events)
    told = Counter((e["unit"], e["name"], e["description"], round(e["time"], 1)) for e in events)
    return [f"event {uid} stands {n} times" for uid, n in uids.items() if n > 1] + [
        f"{name!r} of {unit} was told {n} times" for (unit, name, _, _), n in told.items() if n > 1
    ]


def differing(logs: Mapping[str, Sequence[Mapping[str, Any]]], newest: int = 200) -> list[str]:
    """Events of one log that the other has not, in words. A log keeps 500: the newest are compared."""
    said: list[str] = []
    for unit in UNITS:
        other = UNITS[1 - UNITS.index(unit)]
        known = {event["uid"] for event in logs[other]}
        said += [
            f"{other} does not have the event {event['name']!r} of {event['unit']}"
            for event in logs[unit][-newest:]
            if event["uid"] not in known
        ]
    return said
