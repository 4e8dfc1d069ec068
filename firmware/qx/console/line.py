# SPDX-License-Identifier: Apache-2.0
"""line: the serial line, as a getty opens it: raw, its own session's, as it was when it is closed.

Everything that is typed comes as an octet, Ctrl-C as well, so nothing that is typed ends this process.
"""

from __future__ import annotations

import fcntl
import os
import termios
from contextlib import suppress

from ..errors import Refusal

SPEEDS = (9600, 19200, 38400, 57600, 115200)
READ = 4096


class HungUp(Exception):
    """Nobody is at the other end any more."""


class Line:
    """A terminal. `device`: its path, empty for standard input. `speed`: bits per second, 0: as it is."""

    def __init__(self, device: str = "", speed: int = 0) -> None:
        self._own = bool(device)
        self.input = self.output = -1
        try:
            if device:
                with suppress(OSError):  # already the leader, as a child of init is
                    os.setsid()
                # Not blocking: a line without carrier would keep the open waiting.
                self.input = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
                os.set_blocking(self.input, True)
                with suppress(OSError):
                    fcntl.ioctl(self.input, termios.TIOCSCTTY, 0)
                self.output = self.input
            else:
                self.input, self.output = 0, 1
            self._before = termios.tcgetattr(self.input)
            self._set(speed)
        except OSError as error:
            self._close()
            raise Refusal(f"{device}: {error.strerror}; expected a serial line") from None
        except termios.error:
            self._close()
            raise Refusal(f"{device or 'standard input'}: expected a terminal") from None

    def _set(self, speed: int) -> None:
        """As `stty raw` with eight bits, and no carrier asked for: a console's cable has three wires."""
        iflag, oflag, cflag, lflag, ispeed, ospeed, cc = termios.tcgetattr(self.input)
        iflag &= ~(
            termios.BRKINT | termios.ICRNL | termios.INLCR | termios.IGNCR | termios.INPCK | termios.ISTRIP
            | termios.IXON | termios.IXOFF | termios.PARMRK
        )  # fmt: skip
        iflag |= termios.IGNBRK | termios.IGNPAR
        oflag &= ~termios.OPOST
        cflag = (cflag & ~(termios.CSIZE | termios.PARENB | termios.CSTOPB)) | termios.CS8 | termios.CREAD
        cflag |= termios.CLOCAL | termios.HUPCL
        lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        cc[termios.VMIN], cc[termios.VTIME] = 1, 0
        if speed:
            ispeed = ospeed = getattr(termios, f"B{speed}")
        new = [iflag, oflag, cflag, lflag, ispeed, ospeed, cc]
        termios.tcsetattr(self.input, termios.TCSANOW, new)

    def read(self) -> bytes:
        """What was typed. Raises HungUp."""
        try:
            octets = os.read(self.input, READ)
        except OSError:
            raise HungUp from None
        if not octets:
            raise HungUp
        return octets

    def write(self, text: str) -> None:
        """Waits as long as the line takes. Raises HungUp."""
        octets = text.replace("\n", "\r\n").encode("ascii", "replace")
        try:
            while octets:
                octets = octets[os.write(self.output, octets) :]
        except OSError:
            raise HungUp from None

    def close(self) -> None:
        with suppress(OSError, termios.error):
            termios.tcsetattr(
                self.input, termios.TCSADRAIN if not self._own else termios.TCSANOW, self._before
            )
        self._close()

    def _close(self) -> None:
        if self._own and self.input >= 0:
            os.close(self.input)
