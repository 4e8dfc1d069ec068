# SPDX-License-Identifier: Apache-2.0
"""qx swap, qx mode: what changes who is Master and whether the Backup takes over by itself."""

from __future__ import annotations

from ..control import client
from ..errors import WrongUsage
from . import output
from .arguments import read

SWAP_WAIT = 60.0  # seconds


def run_swap(argv: list[str]) -> int:
    arguments = read(argv)
    said = client.call(arguments.paths, "swap", wait=SWAP_WAIT)
    output.json({"swap": said}) if arguments.json else output.text(str(said))
    return 0


def run_mode(argv: list[str]) -> int:
    arguments = read(argv, count=(0, 1))
    if arguments.positional:
        wanted = arguments.positional[0]
        if wanted not in ("active", "passive"):
            raise WrongUsage(f"{wanted!r}: expected active or passive")
        mode = client.call(arguments.paths, "mode", {"mode": wanted}, SWAP_WAIT)
    else:
        mode = client.call(arguments.paths, "status").get("mode")
    output.json({"mode": mode}) if arguments.json else output.text(str(mode or "no mode: not a Backup"))
    return 0
