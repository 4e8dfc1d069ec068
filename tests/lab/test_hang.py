# SPDX-License-Identifier: Apache-2.0
"""A daemon that hangs: seen by its guardian or by its engine's lease, and ended in time (R9)."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from board.lab.pair import Lab

from counts import bound, count
from holders import Holders
from labtools import other, stays, wait_for
from pairs import Log, outage, probing, ready, restarted
from tracing import Frozen

LEASE = 10.0


def stop(lab: Lab) -> tuple[float, float]:
    """SIGSTOP to the Master's daemon. Returns detection and outage from then on, in ms."""
    master = ready(lab)
    pid, log = lab.units[master].daemon_pid(), Log(lab, master)
    with Holders(lab) as holders, probing(lab) as probe:
        moment = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        detected = log.says("the engine hangs", 3.0)
        wait_for(lambda: holders.now() == [other(master)], 3.0, "the Backup holds the address", 0.01)
        silence = outage(probe, detected)
        assert holders.at(detected + 0.1) == [other(master)]
        assert ready(lab) == other(master), "the stopped daemon does not come back as Master"
        assert holders.overlap() == 0
    return (detected - moment) * 1000, silence


def test_a_daemon_that_is_stopped(default_pair: Lab, record_figures: Callable[..., None]) -> None:
    """R9: detected within 100 ms without a beat, silent for less than 30 ms from then on."""
    rounds = [stop(default_pair) for _ in range(count(3, 20))]
    detections, outages = [one for one, _ in rounds], [one for _, one in rounds]
    record_figures(
        detected_ms=[round(one) for one in detections], outages_ms=[round(one, 1) for one in outages]
    )
    print(f"detected after {median(detections):.0f} ms (longest {max(detections):.0f}), ")
    print(f"silence from then on {median(outages):.1f} ms (longest {max(outages):.1f})")
    assert median(detections) < bound(400, 600) and max(detections) < bound(
        400, 1000
    )  # 300 ms without a beat at 1 s, seen every 25 ms
    assert median(outages) < bound(30, 150) and max(outages) < bound(100, 400)


def test_a_short_pause_is_no_hang(default_pair: Lab) -> None:
    """R9: a daemon that stood still for less than its limit stays Master."""
    master = ready(default_pair)
    pid = default_pair.units[master].daemon_pid()
    with Holders(default_pair) as holders:
        moment = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.04)
        os.kill(pid, signal.SIGCONT)
        stays(lambda: default_pair.units[master].daemon_pid() == pid, 1.0, "the same daemon")
        assert ready(default_pair) == master
        assert holders.held_throughout(master, moment)


def test_a_pause_before_the_engine_has_its_limit(default_pair: Lab) -> None:
    """R9: a daemon that has just begun to beat and has no plan yet is not ended for a pause: on a slow board
    a start was given up over and over, because a limit of nothing had passed at once."""
    backup = other(ready(default_pair))
    log = Log(default_pair, backup)
    for _ in range(3):
        before = default_pair.units[backup].daemon_pid()
        default_pair.power_off(backup)  # a new guardian as well: the old one would know the last limit
        default_pair.power_on(backup)
        pid = wait_for(lambda before=before: beats(default_pair, backup, before), 5.0, "an engine", 0)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.08)  # less than any limit that a plan gives
        os.kill(pid, signal.SIGCONT)
        assert other(ready(default_pair)) == backup
        assert default_pair.units[backup].daemon_pid() == pid
    assert "the engine hangs" not in log.text()


def test_a_hang_that_is_seen_after_the_takeover(default_pair: Lab) -> None:
    """R9, R10: a board gives its engine more time than a Backup waits. When the guardian ends the daemon, the
    last word of the Backup is as old as the hang; all the same the next daemon is no Master."""
    slow = other(ready(default_pair))
    text = (default_pair.units[slow].root / "etc" / "qx" / "board.toml").read_text()
    try:
        with_board(default_pair, slow, f"hang_ms = 5000\n{text}")
        pid = default_pair.units[other(slow)].daemon_pid()
        default_pair.qx(other(slow), "swap", timeout=60).check_returncode()
        assert restarted(default_pair, other(slow), pid) == slow
        pid, log = default_pair.units[slow].daemon_pid(), Log(default_pair, slow)
        with Holders(default_pair) as holders:
            os.kill(pid, signal.SIGSTOP)
            log.says("the engine hangs", 10.0)
            ended = time.monotonic()
            assert ready(default_pair) == other(slow)
            assert holders.held_throughout(other(slow), ended)
    finally:
        with_board(default_pair, slow, text)


def with_board(lab: Lab, unit: str, text: str) -> None:
    """The unit starts with that board.toml, as Backup."""
    lab.power_off(unit)
    (lab.units[unit].root / "etc" / "qx" / "board.toml").write_text(text)
    lab.power_on(unit)
    assert ready(lab) == other(unit)


def beats(lab: Lab, unit: str, before: int) -> int:
    """The unit's next daemon as soon as its engine runs, else 0."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((lab.units[unit].root / "run/qx/daemon.pid").read_text())
        names = {(task / "comm").read_text() for task in Path(f"/proc/{pid}/task").iterdir()}
        return pid if pid != before and "qx-engine\n" in names else 0
    return 0


def test_a_python_thread_that_never_yields(default_pair: Lab) -> None:
    """R9: the lease runs out, the engine lets go by itself, and a new daemon comes up as Backup."""
    master = ready(default_pair)
    pid, log = default_pair.units[master].daemon_pid(), Log(default_pair, master)
    with Holders(default_pair) as holders, probing(default_pair) as probe, Frozen(pid):
        moment = time.monotonic()
        time.sleep(LEASE - 2.5)
        assert holders.held_throughout(master, moment), "until then the engine serves alone"
        detected = log.says("the control plane hangs", 6.0)
        assert LEASE - 2.0 < detected - moment < LEASE + 1.0
        wait_for(lambda: holders.now() == [other(master)], 3.0, "the Backup holds the address", 0.01)
        silence = outage(probe, moment)
        assert silence < bound(100, 400)
        assert holders.at(detected + 0.1) == [other(master)]
        assert ready(default_pair) == other(master)
        assert holders.overlap() == 0
    print(f"let go after {detected - moment:.2f} s, outage {silence:.1f} ms")


def test_a_unit_that_stood_still_altogether(default_pair: Lab) -> None:
    """R9: daemon and guardian stopped, as in a machine that hangs: taken over, and no Master afterwards."""
    master = ready(default_pair)
    backup = other(master)
    pids = [default_pair.units[master].daemon_pid()]
    pids.append(int((default_pair.units[master].root / "run/qx/guardian.pid").read_text()))
    with Holders(default_pair) as holders, probing(default_pair) as probe:
        moment = time.monotonic()
        for pid in reversed(pids):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(5.0)
        assert holders.at(time.monotonic() - 0.5) == [backup]
        woken = time.monotonic()
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        time.sleep(1.0)
        assert holders.overlap(since=woken) == 0
        assert outage(probe, moment) < 3600
        assert ready(default_pair) == backup
