# SPDX-License-Identifier: Apache-2.0
"""qx console: the menu on a serial line, getty style: init starts it again when it ends."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

from ..errors import Refusal, WrongUsage
from .arguments import read

AGAIN = 5.0  # seconds before the end where the line cannot be opened: init starts the next one at once


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

    def hung_up(_number: int, _frame: FrameType | None) -> None:
        raise HungUp

    try:
        line = Line(arguments.option("line"), int(speed))
    except Refusal:
        if "line" in arguments and os.getppid() == 1:
            time.sleep(AGAIN)
        raise
    try:
        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, hung_up)
        terminal = arguments.option("term") or os.environ.get("TERM", "")
        run_session(arguments.paths, Screen(line, News(arguments.paths), terminal))
    except (HungUp, KeyboardInterrupt):
        pass
    finally:
        line.close()
    return 0
