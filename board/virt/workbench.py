# SPDX-License-Identifier: Apache-2.0
"""workbench: a shell in the guest, over a port of the emulator that only its user reaches (S98workbench).

No terminal is in between: nothing is echoed, and what the guest says waits until it is read. A virtual
console was tried before: QEMU drops what is not read at once there (hw/char/virtio-console.c, flush_buf),
and the end of a long answer was lost on a busy computer.
"""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

PORT = "qx.workbench"  # the port's name in the guest
GRACE = 30.0  # seconds for the guest to say that its own time limit ended a command


class WorkbenchError(Exception):
    """The shell did not answer; the text says what it said last."""


class Workbench:
    """The emulator's socket `path`. One command at a time; what is sent before the guest is up waits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._line: socket.socket | None = None

    def run(self, command: str, seconds: float) -> tuple[int, str]:
        """A shell command in the guest: its exit code and output (both streams); standard input is empty. One
        that takes longer is ended. Raises WorkbenchError."""
        mark = f"QX{time.monotonic_ns()}"
        self._send(
            f"echo {mark} begin; timeout {max(1, round(seconds))} sh -c "
            f"\"$(cat <<'{mark}'\n{command}\n{mark}\n)\" "
            f"</dev/null 2>&1; code=$?; echo; echo {mark} end $code\n"
        )
        end = re.compile(rf"{mark} end (\d+)\n".encode())
        try:
            said = read_until(self._connected(), end, seconds + GRACE)
        except TimeoutError as late:
            self.hang_up()
            raise WorkbenchError(f"{command}: no end within {seconds + GRACE:g} s; it said {late}") from None
        except OSError as error:
            self.hang_up()
            raise WorkbenchError(f"{command}: {error}") from None
        text = said.decode(errors="replace").partition(f"{mark} begin\n")[2]
        body, _, code = text.rpartition(f"\n{mark} end ")
        return int(code), body

    def begin(self, command: str) -> None:
        """Sends a command whose end nobody sees."""
        self._send(f"{command}\n")

    def hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _send(self, text: str) -> None:
        try:
            self._connected().sendall(text.encode())
        except OSError as error:
            self.hang_up()
            raise WorkbenchError(f"{self._path}: {error}") from None

    def _connected(self) -> socket.socket:
        if self._line is None:
            line = socket.socket(socket.AF_UNIX)
            try:
                line.connect(str(self._path))
            except OSError:
                line.close()
                raise
            self._line = line
        return self._line


def read_until(line: socket.socket, end: re.Pattern[bytes], seconds: float) -> bytes:
    """What comes over the line, up to `end` at least. Raises TimeoutError with the last of it,
    ConnectionError where the other side has gone."""
    said = bytearray()
    deadline = time.monotonic() + seconds
    while not end.search(said, max(0, len(said) - 4096)):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(repr(bytes(said[-200:])))
        line.settimeout(left)
        try:
            part = line.recv(4096)
        except TimeoutError:
            raise TimeoutError(repr(bytes(said[-200:]))) from None
        if not part:
            raise ConnectionError(f"the line was closed; it said {bytes(said[-200:])!r}")
        said += part
    return bytes(said)
