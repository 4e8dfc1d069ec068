# SPDX-License-Identifier: Apache-2.0
"""child: how the daemon starts another process of this program.

For what would need memory or imports that the daemon must not have: the child runs an applet and ends. Its
input is written to standard input, so nothing secret stands in the list of processes. Knows no applet.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress

from .errors import Refusal

SELF = "/proc/self/exe"  # holds when the file is replaced under a running daemon


def command(*argv: str) -> list[str]:
    """What to execute for `qx ARGV`."""
    if __file__.startswith(SELF):
        return [SELF, *argv]
    return [sys.executable, "-m", __package__ or "qx", *argv]  # from the source tree, as unit tests do


def environment() -> dict[str, str]:
    """The environment of `command`: this process's, and where the source tree is."""
    if __file__.startswith(SELF):
        return dict(os.environ)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


async def ask(applet: str, octets: bytes, seconds: float) -> bytes:
    """Standard output of the applet for this standard input. Raises Refusal where it fails or takes longer;
    it is ended then, and when the caller is cancelled."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command(applet), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=environment(), start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Refusal(f"{applet}: not started: {error.strerror}") from None
    try:
        async with asyncio.timeout(seconds):
            answer, _ = await process.communicate(octets)
    except TimeoutError:
        raise Refusal(f"{applet}: no answer within {seconds:g} s") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
    if process.returncode != 0:
        raise Refusal(f"{applet}: ended with {process.returncode}")
    return answer
