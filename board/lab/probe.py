"""How long an address was silent, as the PC sees it: the owner's side of the prober (prober.py).

The prober asks 1,000 times a second and writes into shared memory; here silences are computed from it. A
silence is only worth as much as the questions asked in it, so every report says how steadily it asked.
"""

import itertools
import mmap
import os
import subprocess
import sys
import time
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import asdict, dataclass
from types import TracebackType

from . import prober as cell
from .namespace import PROJECT, LabError


@dataclass(frozen=True)
class Outage:
    """A silence longer than the threshold. `at` is the last reply before it, in CLOCK_MONOTONIC seconds."""

    at: float
    ms: float
    over: bool


@dataclass(frozen=True)
class Report:
    """What was seen in a window, and how honest that is (rate and longest gap of the prober itself)."""

    silence_ms: float
    sent: int
    replies: int
    duplicates: int
    rate_hz: float
    longest_send_gap_ms: float
    real_time: bool

    def as_dict(self) -> dict[str, float | int | bool]:
        return {
            key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(self).items()
        }


class Probe:
    """A running prober. Times given and returned are CLOCK_MONOTONIC seconds, durations milliseconds."""

    def __init__(self, netns: str, address: str) -> None:
        self.netns = netns
        self.address = address
        self._process: subprocess.Popen[bytes] | None = None
        self._cells = memoryview(b"")
        self._scanned = 0
        self._outage: Outage | None = None

    def __enter__(self) -> "Probe":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, patience: float = 5.0) -> None:
        """Start the process and wait until it sends."""
        descriptor = os.memfd_create("qx-probe")
        try:
            os.ftruncate(descriptor, 8 * cell.CELLS)
            self._cells = memoryview(mmap.mmap(descriptor, 8 * cell.CELLS)).cast("q")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "board.lab.prober", str(descriptor), self.netns, self.address],
                cwd=PROJECT,
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )  # Ctrl-C is the owner's to deal with
        finally:
            os.close(descriptor)
        deadline = time.monotonic() + patience
        while not self._cells[cell.SENT]:
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = b""
                if self._process.poll() is not None and self._process.stderr:
                    said = self._process.stderr.read()
                self.stop()
                raise LabError((said.decode().strip() or "the probe did not start").splitlines()[-1])
            time.sleep(0.002)

    def stop(self) -> None:
        """End the process; what it saw can still be asked for."""
        if self._process is None:
            return
        self._cells[cell.STOP] = 1
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()
        self._process = None

    def _until_now(self) -> int:
        """The latest instant of which the probe knows anything, in ns."""
        if self._process is not None:
            if self._process.poll() is None:
                return time.monotonic_ns()
            raise LabError(f"the probe of {self.address} ended by itself")
        return self._cells[cell.ENDED] or self._cells[cell.LAST_SENT]

    def replies(self) -> "array[int]":
        """When replies arrived: CLOCK_MONOTONIC nanoseconds, in order, the last million."""
        count = self._cells[cell.REPLIES]
        ring = self._cells[cell.REPLY_AT : cell.REPLY_AT + cell.KEPT]
        times: array[int] = array("q")
        if count > cell.KEPT:
            times.frombytes(ring[count % cell.KEPT :].tobytes())
        times.frombytes(ring[: count % cell.KEPT if count > cell.KEPT else count].tobytes())
        return times

    def longest_silence(self, since: float | None = None, until: float | None = None) -> float:
        """The longest time without a reply that touches the window: last reply before, to first reply after.

        Without a first reply after, a silence lasts until now (or until the probe was stopped).
        """
        now = self._until_now()
        start = self._cells[cell.STARTED] if since is None else int(since * 1e9)
        end = now if until is None else min(int(until * 1e9), now)
        times = self.replies()
        first, last = bisect_left(times, start) - 1, bisect_right(times, end)
        window = list(times[max(first, 0) : last + 1])
        if first < 0:
            window.insert(0, self._cells[cell.STARTED])
        if last >= len(times):
            window.append(now)
        return max((after - before for before, after in itertools.pairwise(window)), default=0) / 1e6

    def longest_send_gap(self, since: float | None = None, until: float | None = None) -> float:
        """The longest pause of the prober itself in the window (0 when all were below 2 ms)."""
        start = 0 if since is None else int(since * 1e9)
        end = 1 << 62 if until is None else int(until * 1e9)
        count = min(self._cells[cell.STALL_COUNT], cell.STALLS)
        stalls = self._cells[cell.STALL_AT : cell.STALL_AT + 2 * count].tolist()
        return (
            max(
                (
                    length
                    for ended, length in zip(stalls[::2], stalls[1::2], strict=True)
                    if ended > start and ended - length < end
                ),
                default=0,
            )
            / 1e6
        )

    def last_outage(self, threshold_ms: float = 20.0) -> Outage | None:
        """The latest silence longer than the threshold, running ones included. Reads what is new only."""
        count = self._cells[cell.REPLIES]
        self._scanned = max(self._scanned, count - cell.KEPT + 1)
        limit = int(threshold_ms * 1e6)
        for index in range(max(self._scanned, 1), count):
            before = self._cells[cell.REPLY_AT + (index - 1) % cell.KEPT]
            length = self._cells[cell.REPLY_AT + index % cell.KEPT] - before
            if length > limit:
                self._outage = Outage(before / 1e9, length / 1e6, over=True)
        self._scanned = count
        latest = self._cells[cell.REPLY_AT + (count - 1) % cell.KEPT] if count else self._cells[cell.STARTED]
        running = self._until_now() - latest
        return Outage(latest / 1e9, running / 1e6, over=False) if running > limit else self._outage

    def report(self, since: float | None = None, until: float | None = None) -> Report:
        """Silence of the window; counts and rate of the whole run."""
        cells = self._cells
        lasted = (cells[cell.LAST_SENT] - cells[cell.STARTED]) / 1e9
        return Report(
            self.longest_silence(since, until),
            cells[cell.SENT],
            cells[cell.REPLIES],
            cells[cell.DUPLICATES],
            (cells[cell.SENT] - 1) / lasted if lasted else 0.0,
            self.longest_send_gap(since, until),
            bool(cells[cell.REAL_TIME]),
        )
