# SPDX-License-Identifier: Apache-2.0
"""One event done to a ready pair, and what it cost: silence as the PC sees it, and when the other was Master.

Both count from the event. They differ where a dead daemon leaves its addresses on the interface: the kernel
goes on answering the PC's pings, and the telephone system behind them has no Master.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from board.lab.namespace import LabError
from board.lab.probe import Probe

from .figures import Sample, spoilt_by_probe
from .pair import Pair, other
from .processes import stop_at_once
from .setting import SERVICE

_PATIENCE = 15.0  # seconds for the other unit to become Master
_AFTER = 0.3  # seconds looked at after that: a takeover may stutter
_LEFT_BEHIND = 0.1  # seconds after which the unit that went must hold nothing
TWO_HOLDERS_LOOKED = 5.0  # seconds after the event for which two holders are waited out

Event = Callable[[Pair, str], float]  # does it to the Master; returns the instant of it


def power_cut(pair: Pair, master: str) -> float:
    moment = pair.lab.power_off(master)
    if moment is None:
        raise LabError(f"unit {master} was off")
    return moment


def kill(pair: Pair, master: str) -> float:
    return pair.contestant.kill(master)


def kill_all(pair: Pair, master: str) -> float:
    return pair.contestant.kill_all(master)


def release(pair: Pair, master: str) -> float:
    return pair.contestant.release(master)


def hang(pair: Pair, master: str) -> float:
    """The process that advertises is there and does nothing; `happen` ends it afterwards."""
    return stop_at_once(pair.contestant.processes(master)["engine"])


@dataclass(frozen=True)
class Seen:
    """What followed an event."""

    silence_ms: float
    takeover_ms: float
    two_holders_ms: float  # from the event on, until one unit held the address; 0 unless asked for
    spoilt: str
    detail: dict[str, Any]

    def sample(self, of: str) -> Sample:
        """`of` names the figure: silence, takeover or two_holders. What a probe sees only it can spoil."""
        value = {
            "silence": self.silence_ms,
            "takeover": self.takeover_ms,
            "two_holders": self.two_holders_ms,
        }[of]
        return Sample(value, self.spoilt if of == "silence" else "", detail=self.detail)


def happen(pair: Pair, probe: Probe, event: Event, chance: random.Random, wait_for_one: bool = False) -> Seen:
    """Makes the pair ready, waits a random part of an interval, does the event and watches what follows.

    A unit that hung is switched off at the end: nothing would end a stopped process, and continued it would
    be a second Master. LabError where the contestant fails: no ready pair, nobody took over, no answer
    afterwards.
    """
    master = pair.ready()
    time.sleep(0.6 + chance.random() * max(pair.setting.seconds, 0.1))
    moment = event(pair, master)
    try:
        return _watched(pair, probe, master, moment, wait_for_one)
    finally:
        if event is hang:
            pair.lab.power_off(master)


def _watched(pair: Pair, probe: Probe, master: str, moment: float, wait_for_one: bool) -> Seen:
    survivor = other(master)
    left_behind = None
    if pair.lab.network.powered(master):
        time.sleep(max(moment + _LEFT_BEHIND - time.monotonic(), 0))
        left_behind = pair.holds(master)
    at = _took_over(pair, survivor, moment)
    if not answered(probe, max(at, moment)):
        raise LabError(f"unit {survivor} became Master and nobody answers at {SERVICE}")
    time.sleep(_AFTER)
    end = time.monotonic()
    silence = probe.longest_silence(moment, end)
    gap = probe.longest_send_gap(moment - 0.02, end)
    before = probe.longest_silence(moment - 0.3, moment - 0.02)
    two = _two_holders(pair, moment) if wait_for_one else 0.0
    detail = {
        "master": master,
        "silence_ms": round(silence, 3),
        "takeover_ms": round(1e3 * (at - moment), 3),
        "left_behind_after_100_ms": left_behind,
        "holders_at_end": pair.holders(),
        "probe_gap_ms": round(gap, 3),
        "silent_before_ms": round(before, 3),
    }
    return Seen(silence, 1e3 * (at - moment), two, spoilt_by_probe(silence, gap, before), detail)


def _took_over(pair: Pair, survivor: str, moment: float) -> float:
    while time.monotonic() < moment + _PATIENCE:
        at = pair.adverts.first(survivor, moment)
        if at is not None:
            return at
        time.sleep(0.005)
    raise LabError(f"unit {survivor} was no Master within {_PATIENCE:g} s")


def _two_holders(pair: Pair, moment: float) -> float:
    """Milliseconds from the event until one unit is left with the address, at most what is looked at."""
    while len(pair.holders()) > 1 and time.monotonic() < moment + TWO_HOLDERS_LOOKED:
        time.sleep(0.02)
    return 1e3 * (time.monotonic() - moment)


def answered(probe: Probe, moment: float, seconds: float = _PATIENCE) -> bool:
    """Whether a reply came after the instant; waits for it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        times = probe.replies()[-1:]
        if times and times[0] > moment * 1e9:
            return True
        time.sleep(0.01)
    return False


def probed(pair: Pair) -> Probe:
    """A running probe of the service address, once the pair answers there; the caller stops it."""
    pair.ready()
    probe = Probe(pair.lab.network.name("pc"), SERVICE)
    probe.start()
    if not answered(probe, 0.0):
        probe.stop()
        raise LabError(f"{pair.contestant.name}: nobody answers at {SERVICE}")
    return probe
