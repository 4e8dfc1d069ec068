# SPDX-License-Identifier: Apache-2.0
"""A daemon that dies in any way: its guardian says so to the Backup at once and starts it anew (R9, R11)."""

import os
import signal
import time
from collections.abc import Callable
from statistics import median

import pytest
from board.lab.pair import Lab

from counts import bound, count
from holders import Holders
from labtools import other
from pairs import Log, held_now, outage, probing, ready
from tracing import leave


def die(lab: Lab, end: Callable[[int], object]) -> float:
    """End the Master's daemon so; checks what follows. Returns the outage in ms."""
    master = ready(lab)
    backup = other(master)
    pid, log = lab.units[master].daemon_pid(), Log(lab, master)
    with Holders(lab) as holders, probing(lab) as probe:
        moment = time.monotonic()
        end(pid)
        ended = time.monotonic()
        time.sleep(bound(0.1, 0.5))
        held = held_now(lab)
        assert held[backup], "the Backup holds the addresses"
        assert not held[master], "and the unit whose daemon died holds none"
        assert holders.at(ended + bound(0.1, 0.5)) == [backup]
        silence = outage(probe, moment)
        assert silence < bound(60, 400)
        assert ready(lab) == backup, "the unit with the new daemon is Backup"
        assert holders.overlap() == 0
    assert lab.units[master].daemon_pid() != pid
    assert "qx guardian: the daemon " in log.text()
    return silence


def test_killed_with_sigkill(default_pair: Lab, record_figures: Callable[..., None]) -> None:
    """R9, R11: outage below 30 ms (median), one holder 100 ms after each kill, the old Master is Backup."""
    outages = [die(default_pair, lambda pid: os.kill(pid, signal.SIGKILL)) for _ in range(count(5, 20))]
    record_figures(outages_ms=[round(value, 1) for value in outages])
    print(f"median {median(outages):.1f} ms, longest {max(outages):.1f} ms")
    assert median(outages) < bound(30, 150)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT], ids=lambda number: number.name)
def test_crashed(default_pair: Lab, number: signal.Signals) -> None:
    """R9: any signal ends in a takeover, and the log names it."""
    log = Log(default_pair, ready(default_pair))
    die(default_pair, lambda pid: os.kill(pid, number))
    assert f"signal {number.value} (" in log.text()


def test_ended_by_itself(default_pair: Lab) -> None:
    """R9: an end that was not meant is as good as a crash, and the log names its exit code."""
    log = Log(default_pair, ready(default_pair))
    die(default_pair, lambda pid: leave(pid, 5))
    assert "exit code 5" in log.text()


def test_a_backup_whose_daemon_dies_changes_nothing(default_pair: Lab) -> None:
    """R9: the Master goes on, and the Backup is back."""
    master = ready(default_pair)
    with Holders(default_pair) as holders, probing(default_pair) as probe:
        moment = time.monotonic()
        default_pair.kill(other(master))
        time.sleep(0.5)
        assert ready(default_pair) == master
        assert outage(probe, moment) < bound(60, 400)
        assert holders.overlap() == 0 and holders.held_throughout(master, moment)
