# SPDX-License-Identifier: Apache-2.0
"""The witness of a machine that stood still: sees it, and nothing where a processor only was busy."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from board.lab.namespace import PROJECT

from standstill import LEAST, Watch


def test_sees_that_a_processor_was_away() -> None:
    """As seen by the one that looks: it is stopped itself."""
    with Watch() as watch:
        began = time.monotonic()
        for pid in watch.pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(3 * LEAST)
        for pid in watch.pids:
            os.kill(pid, signal.SIGCONT)
        time.sleep(3 * LEAST)
        found = watch.since(began)
        assert len(found) >= len(watch.pids) and max(found) >= 2 * LEAST
        assert watch.since(began) == found, "what was seen is not forgotten"
        assert watch.since(time.monotonic()) == []


def test_a_busy_processor_is_not_away() -> None:
    with Watch() as watch:
        began = time.monotonic()
        busy = [
            subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
            for _ in range(2 * len(watch.pids))
        ]
        time.sleep(0.5)
        for one in busy:
            one.kill()
            one.wait()
        # A machine that does stand still meanwhile is what this is for: then it says so of little time only.
        assert sum(watch.since(began)) < 0.25


FAILS_FIRST = """
import os, signal, time
from pathlib import Path
from conftest import WATCH

def test_one(request):
    if Path("seen").exists():
        return
    Path("seen").touch()
    for pid in request.config.stash[WATCH].pids if {stands} else []:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.06)
        os.kill(pid, signal.SIGCONT)
    time.sleep(0.06)
    assert False, "as if a role had changed"
"""


@pytest.mark.parametrize(("stands", "exit_code"), [(True, 0), (False, 1)])
def test_only_a_test_that_failed_meanwhile_is_run_again(stands: bool, exit_code: int, tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(FAILS_FIRST.format(stands=stands))
    arguments = ["-c", PROJECT / "pyproject.toml", "--rootdir", tmp_path, "-p", "conftest", "test_one.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=tmp_path, check=False, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}"},
    )  # fmt: skip
    assert done.returncode == exit_code, done.stdout
    assert ("1 rerun" in done.stdout) == stands
