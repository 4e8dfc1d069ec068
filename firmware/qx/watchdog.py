# SPDX-License-Identifier: Apache-2.0
"""watchdog: the hardware's, fed by the control plane's loop, so only while that turns (R45).

The scripts of the image arm it before the daemon starts; nobody ever disarms it. When the daemon dies the
guardian starts another one, which feeds on; when none comes up, or the loop hangs with everything that looks
after it, the hardware starts the unit anew. A write here never waits: it sets a timer of the hardware.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import struct

SET_TIMEOUT = 0xC0045706  # WDIOC_SETTIMEOUT, linux/watchdog.h; seconds as an int, both ways
BEAT = 1.0  # seconds

log = logging.getLogger("qx.watchdog")


class Watchdog:
    """`device` as of board.toml; raises OSError that names it. `seconds`: what the hardware is set to."""

    def __init__(self, device: str, seconds: int) -> None:
        self._handle = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
        try:
            told = fcntl.ioctl(self._handle, SET_TIMEOUT, struct.pack("i", seconds))
            (self.seconds,) = struct.unpack("i", told)
        except OSError:
            self.seconds = 0  # its time is fixed; it is fed all the same

    def feed(self) -> None:
        os.write(self._handle, b"\0")

    def close(self) -> None:
        """Closed without the magic character, it runs on: an end that hangs is ended by it."""
        os.close(self._handle)


async def feed(device: str, seconds: int) -> None:
    """Feeds it until cancelled; without one it says so once and ends."""
    try:
        watchdog = Watchdog(device, seconds)
    except OSError as error:
        log.error("%s: %s: nobody restarts this unit when it hangs", device, error.strerror)
        return
    log.info("%s: %d s", device, watchdog.seconds)
    try:
        while True:
            watchdog.feed()
            await asyncio.sleep(BEAT)
    finally:
        watchdog.close()
