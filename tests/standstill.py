# SPDX-License-Identifier: Apache-2.0
"""Did the machine itself stand still? A guest whose host takes its processors away measures nothing.

One process on each processor, at the highest real-time priority, looks at the clock every 5 ms: nothing that
runs here keeps it from that, so a look that comes late says that the processor was away (on the machine of
CI for up to 84 ms, at 10 ms an interval long enough for a takeover). A test that fails while it was is run
again (`--only-rerun` in pyproject.toml); one that fails on a machine that ran has failed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import subprocess
import sys
import time
from typing import Self

LOOK = 0.005
LEAST = 0.02  # seconds: less than any wait of the product
_ALL_MEMORY = 3  # MCL_CURRENT | MCL_FUTURE


class MachineStoodStillError(Exception):
    """Raised from what a test failed with."""


class Watch:
    """Looks from the `with` on; `since` may be asked any time."""

    def __enter__(self) -> Self:
        self._looks = [
            subprocess.Popen(
                [sys.executable, "-S", __file__, str(processor)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            )
            for processor in sorted(os.sched_getaffinity(0))
        ]  # fmt: skip
        self._found: list[tuple[float, float]] = []
        for look in self._looks:
            assert look.stdout
            look.stdout.readline()  # it looks
            os.set_blocking(look.stdout.fileno(), False)
        return self

    def __exit__(self, *_: object) -> None:
        for look in self._looks:
            look.communicate()  # its input ends, so it does

    @property
    def pids(self) -> list[int]:
        return [look.pid for look in self._looks]

    def since(self, moment: float) -> list[float]:
        """The stand-stills that ended after that moment of CLOCK_MONOTONIC, in seconds of each."""
        for look in self._looks:
            assert look.stdout
            with contextlib.suppress(BlockingIOError):  # each line is written at once, so none is cut
                for line in os.read(look.stdout.fileno(), 1 << 16).splitlines():
                    end, length = line.split()
                    self._found.append((float(end), float(length)))
        return [length for end, length in self._found if end >= moment]


def _look(processor: int) -> None:
    """Lines of end and length, both in seconds, until the input ends."""
    gc.disable()
    ctypes.CDLL(None).mlockall(_ALL_MEMORY)
    os.sched_setaffinity(0, {processor})
    least = LEAST
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_max(os.SCHED_FIFO)))
    except PermissionError:
        least = float("inf")  # without the priority it would see its own waits
    os.set_blocking(0, False)
    print("looking", flush=True)
    last = time.monotonic()
    while True:
        time.sleep(LOOK)
        now = time.monotonic()
        if now - last - LOOK >= least:
            print(now, now - last, flush=True)
        last = now
        try:
            if not os.read(0, 1):
                return
        except BlockingIOError:
            pass


if __name__ == "__main__":
    _look(int(sys.argv[1]))
