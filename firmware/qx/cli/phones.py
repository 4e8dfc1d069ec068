# SPDX-License-Identifier: Apache-2.0
"""qx phones: how far the phone run is, and what needs a hand (R24); begins and ends one."""

from __future__ import annotations

import sys

from ..control import client
from ..errors import WrongUsage
from . import output
from .arguments import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WORDS = ("status", "reboot", "stop", "run")


def run(argv: list[str]) -> int:
    arguments = read(argv, {"follow": False, "policy": True}, count=(0, 2))
    word, policy = (*arguments.positional, "", "")[:2]
    if (word or "status") not in WORDS:
        raise WrongUsage(f"{word!r}; expected one of {', '.join(WORDS)}")
    paths = arguments.paths
    if word == "run":  # the daemon starts it
        from ..pbx.phonerun import run as carry_out  # noqa: PLC0415 - heavier than all the rest

        carry_out(paths, policy)
    elif word == "reboot":
        client.call(paths, "phones_start", {"policy": arguments.option("policy", "all")})
        output.text("begun; `qx phones --follow` shows how far it is")
    elif word == "stop":
        client.call(paths, "phones_stop")
    elif "follow" in arguments:
        for told in client.follow(paths, "phones", {"follow": True}):
            _show(told, arguments.json)
            sys.stdout.flush()
    else:
        _show(client.call(paths, "phones"), arguments.json)
    return 0


def _show(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        output.json(told)
        return
    counts = ", ".join(f"{count} {state}" for state, count in sorted(told["counts"].items()))
    lines = [f"{told['done']} of {told['total']} phones done" + (f": {counts}" if counts else "")]
    if not told["running"]:
        lines[0] = f"no run is under way; {lines[0]}"
    if told["manual"]:
        lines.append("by hand: " + ", ".join(told["manual"]))
    output.text("\n".join(lines))
