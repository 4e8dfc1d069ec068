# SPDX-License-Identifier: Apache-2.0
"""64 busy loops on the machine: no role change, with real-time priority at 10 ms, without it at 1 s (R9)."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from board.lab.demo import Demo
from board.lab.namespace import PROJECT
from board.lab.network import UNITS

from counts import SOAK
from holders import Holders
from labtools import Capture, qx
from pairs import DEFAULT, pair, ready

LOOPS = 64
SECONDS = 30.0 if SOAK else 8.0
ORDINARY = """#!/bin/sh
# A unit that is not permitted real-time priority.
exec setpriv --bounding-set -sys_nice --inh-caps -sys_nice {qx} "$@"
"""


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Loops that do nothing else than use the processors."""
    loops = [
        subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"], start_new_session=True)
        for _ in range(LOOPS)
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


@pytest.mark.parametrize("realtime", [True, False], ids=["realtime", "ordinary"])
def test_no_role_changes_on_a_busy_machine(realtime: bool, tmp_path: Path) -> None:
    """R9: the Master stays, says so in time, and status and log tell whether real-time priority is there."""
    wrapper = tmp_path / "qx"
    wrapper.write_text(ORDINARY.format(qx=PROJECT / "out" / "host" / "qx"))
    wrapper.chmod(0o755)
    demo = Demo(plan="other", version=3, interval="0.01") if realtime else DEFAULT
    with pair("bm", tmp_path, demo, None if realtime else wrapper) as lab:
        master = ready(lab)
        assert [qx(lab, unit)["vrrp"]["realtime"] for unit in UNITS] == [realtime, realtime]
        with Holders(lab) as holders, Capture(lab, "pc", match="ip proto 112") as capture:
            since = time.monotonic()
            pids = [lab.units[unit].daemon_pid() for unit in UNITS]
            with busy():
                time.sleep(SECONDS)
            until = time.monotonic()
            assert holders.held_throughout(master, since, until)
            assert holders.overlap() == 0
            assert [lab.units[unit].daemon_pid() for unit in UNITS] == pids, "nobody was held for dead"
            assert ready(lab) == master
        assert len({advert.sender for advert in capture.adverts()}) == 1
        for unit in UNITS:
            said = lab.units[unit].log.read_text().count("real-time scheduling is not permitted")
            assert said == (0 if realtime else 1), "said once where it is not, and never where it is"
