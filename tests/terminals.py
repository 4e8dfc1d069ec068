# SPDX-License-Identifier: Apache-2.0
"""A scripted terminal: somebody at a serial line of a certain speed, typing and reading.

A pseudo-terminal has no speed, so what the console writes is read no faster than the line would carry it.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

import pytest

SLICE = 0.01  # seconds of the line that are read at once


class Terminal:
    """Runs `argv` plus `--line DEVICE --speed BITS --term NAME` as init does. `bits` 0: as fast as can be."""

    def __init__(self, argv: Sequence[str], *, bits: int = 0, name: str = "vt100", **popen: object) -> None:
        self._master, slave = pty.openpty()
        device = os.ttyname(slave)
        given = ["--speed", str(bits)] if bits else []
        self.process = subprocess.Popen(
            [*argv, "--line", device, *given, "--term", name],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, **popen,  # type: ignore[call-overload]
        )  # fmt: skip
        self._slave = slave  # kept, so that the line has no carrier to lose before the console opens it
        self._bits = bits
        self._heard = bytearray()
        self._taken = 0
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hang_up()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()

    # ── what the person does ──

    def type(self, text: str | bytes) -> None:
        os.write(self._master, text.encode() if isinstance(text, str) else text)

    def enter(self, text: str) -> None:
        self.type(f"{text}\r")

    def sees(self, words: str, seconds: float = 15.0) -> str:
        """Waits until the words come; what came since the last call, up to them."""
        deadline = time.monotonic() + seconds
        with self._news:
            while True:
                unread = bytes(self._heard[self._taken :]).decode("ascii", "replace")
                at = unread.find(words)
                if at >= 0:
                    self._taken += at + len(words)
                    return unread[: at + len(words)]
                if not self._news.wait(max(deadline - time.monotonic(), 0)) or self._ended:
                    break
        pytest.fail(f"not within {seconds:g} s: {words!r}; last seen: {self.all()[-1500:]}")

    def hang_up(self) -> None:
        """The cable is pulled, or the modem lost its carrier."""
        if not self._ended:
            self._ended = True
            self._reader.join(2)
            os.close(self._slave)
            os.close(self._master)

    # ── what a test asks ──

    def all(self) -> str:
        """Everything that came so far."""
        with self._news:
            return bytes(self._heard).decode("ascii", "replace")

    def shown(self) -> str:
        """The same as lines: each place that a VT100's cursor is moved to begins one."""
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", re.sub(r"\x1b\[[0-9]+;1H", "\n", self.all()))

    def unread(self) -> str:
        with self._news:
            return bytes(self._heard[self._taken :]).decode("ascii", "replace")

    def ends(self, seconds: float = 5.0) -> int:
        return self.process.wait(seconds)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def _read(self) -> None:
        most = max(1, int(self._bits / 10 * SLICE)) if self._bits else 65536  # eight bits, start and stop
        due = time.monotonic()
        while not self._ended:
            if not select.select([self._master], [], [], 0.05)[0]:
                due = time.monotonic()
                continue
            try:
                octets = os.read(self._master, most)
            except OSError:
                break
            with self._news:
                self._heard += octets
                self._news.notify_all()
            if self._bits:
                due += len(octets) * 10 / self._bits
                time.sleep(max(due - time.monotonic(), 0))
