# SPDX-License-Identifier: Apache-2.0
"""qx voicemail: takes a message for a box; what a recorder calls when it has one."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import WrongUsage
from ..identity import read_identity
from ..pbx.voicemail import deposit
from . import output
from .arguments import read


def run(argv: list[str]) -> int:
    arguments = read(argv, {"from": True}, count=(3, 3))
    word, box, name = arguments.positional
    if word != "deposit":
        raise WrongUsage(f"{word!r}; expected deposit")
    paths = arguments.paths
    serial = read_identity(paths).serial
    caller = arguments.option("from", "unknown")
    if name == "-":
        file = deposit(paths, serial, box, caller, sys.stdin.buffer)
    else:
        with Path(name).open("rb") as message:
            file = deposit(paths, serial, box, caller, message)
    output.text(str(file))
    return 0
