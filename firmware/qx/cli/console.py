# SPDX-License-Identifier: Apache-2.0
"""qx console: the menu on a serial line, getty style: init starts it again when it ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from ..errors import Refusal, WrongUsage
from .arguments import read

if TYPE_CHECKING:
    from ..console.line import Line

AGAIN = 5.0  # seconds before the end where the line cannot be opened: init starts the next one at once
ENDS = (signal.SIGHUP, signal.SIGTERM)


def run(argv: list[str]) -> int:
    # Imported here: `qx console --help` needs none of it.
    from ..console.line import SPEEDS, HungUp, Line  # noqa: PLC0415
    from ..console.news import News  # noqa: PLC0415
    from ..console.screen import Screen  # noqa: PLC0415
    from ..console.session import run as run_session  # noqa: PLC0415

    arguments = read(argv, {"line": True, "speed": True, "term": True})
    speed = arguments.option("speed", "0")
    if speed not in ("0", *map(str, SPEEDS)):
        raise WrongUsage(f"--speed: {speed!r}; expected one of {', '.join(map(str, SPEEDS))}")

    try:
        line = Line(arguments.option("line"), int(speed))
    except Refusal:
        if "line" in arguments and os.getppid() == 1:
            time.sleep(AGAIN)
        raise
    ending = threading.Lock()  # whoever has it leaves the line as it was, and ends
    try:
        _end_on_signal(line, ending)
        terminal = arguments.option("term") or os.environ.get("TERM", "")
        run_session(arguments.paths, Screen(line, News(arguments.paths), terminal))
    except (HungUp, KeyboardInterrupt):
        pass
    finally:
        ending.acquire()
        line.close()
    return 0


def _end_on_signal(line: Line, ending: threading.Lock) -> None:
    """Leaves the line as it was and ends, whatever the session is at. A thread waits for the signal, since a
    handler of Python's runs between two of its instructions: a signal that came just before the session waits
    for a key would be looked at with the next key."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # here, and so in every thread that is started from now on

    def wait() -> None:
        signal.sigwait(ENDS)
        ending.acquire()
        line.close()
        os._exit(0)

    threading.Thread(target=wait, name="end", daemon=True).start()
