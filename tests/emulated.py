# SPDX-License-Identifier: Apache-2.0
"""What tests of the emulated pair share: asking a guest, waiting, and what was heard on the LAN outside."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from board.virt.machine import Machine, MachineError
from board.virt.vm import UNITS, Pair

BOOT = 600.0  # seconds: another person's work may be on this computer
VRRP = 112
Found = TypeVar("Found")


@dataclass
class Ear:
    """The VRRP advertisements on the LAN: (CLOCK_MONOTONIC seconds, source address, priority)."""

    heard: list[tuple[float, str, int]] = field(default_factory=list)

    def __call__(self, at: float, frame: bytes, _port: int) -> None:
        if frame[12:14] == b"\x08\x00" and frame[23] == VRRP:
            message = frame[14 + 4 * (frame[14] & 15) :]
            self.heard.append((at, ".".join(str(octet) for octet in frame[26:30]), message[2]))

    def first(self, source: str, after: float) -> float | None:
        """When `source` said that it is Master for the first time after that."""
        return next(
            (at for at, who, priority in self.heard if who == source and at > after and priority), None
        )

    def masters(self, since: float) -> set[str]:
        return {who for at, who, priority in self.heard if at > since and priority}


def wait_for(look: Callable[[], Found], seconds: float, what: str, every: float = 0.5) -> Found:
    """`every`: seconds between two looks; what is asked of a guest costs it time."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}; last seen: {found!r}")
        time.sleep(every)


def status(machine: Machine) -> dict[str, Any]:
    """`qx status` in the guest, {} while it does not answer."""
    try:
        code, said = machine.run("qx status --json", 60)
        return json.loads(said) if code == 0 else {}
    except (MachineError, OSError, ValueError):
        return {}


def started(machine: Machine, seconds: float = BOOT, times: int = 1) -> float:
    """Waits until init has done its scripts, for the `times`th time; seconds since power-on."""
    machine.wait_started(seconds, times)
    return time.monotonic() - machine.powered_at


def started_anew(machine: Machine, starts: int, seconds: float = BOOT) -> None:
    """Waits until the guest has started once more by itself; `starts` is `machine.starts()` from before."""
    wait_for(lambda: machine.starts() > starts, seconds, f"{machine.name} starts again")
    machine.hang_up()
    machine.wait_started(seconds, starts + 1)


def becomes(machine: Machine, role: str, seconds: float = BOOT) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        told = status(machine)
        return told if told.get("role") == role else {}

    what = f"{machine.name} {role}; the serial line said {machine.said()[-400:]!r}"
    return wait_for(look, seconds, what, every=2)


def page_of(name: str) -> str:
    """The page of that unit that somebody gets who is not logged in, as soon as it is served."""

    def page() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{UNITS[name].pages}/", timeout=30) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    return wait_for(page, 240, f"the login page of {name}")


def lit(machine: Machine, line: int, seconds: float) -> list[tuple[float, int]]:
    """What a GPIO line did from now on, outside of the guest: (seconds since now, level), the level of now
    first."""
    levels = machine.leds()
    began = time.time()
    time.sleep(seconds)
    edges = [(e.at - began, e.level) for e in machine.led_edges() if e.line == line and e.at >= began]
    return [(0.0, levels.get(line, 0)), *edges]


def blinks(machine: Machine, line: int, pattern: tuple[int, ...], seconds: float) -> bool:
    """Does the line blink like that (milliseconds on, off)? Judged by how long it is lit and how often it
    changes; a busy computer moves each edge."""
    seen = lit(machine, line, seconds)
    ends = [at for at, _ in seen[1:]] + [seconds]
    on = sum(end - at for (at, level), end in zip(seen, ends, strict=True) if level) / seconds
    changes, wanted, share = len(seen) - 1, 0.0, float(bool(pattern))
    if len(pattern) > 1:
        wanted = seconds * 1000 / sum(pattern) * len(pattern)
        share = sum(pattern[::2]) / sum(pattern)
    print(f"line {line}: {changes} changes ({wanted:g} expected), lit {on:.2f} of the time ({share:.2f})")
    return abs(changes - wanted) <= (2 + 0.1 * wanted if wanted else 0) and abs(on - share) < 0.15


def needs_image(pair: Pair) -> None:
    if not Path(pair.image).exists():
        pytest.skip(f"there is no {pair.image}: make image BOARD=virt")
