# SPDX-License-Identifier: Apache-2.0
"""qx reboot, qx factory-reset, qx password-reset: what restarts a unit, and what takes it back.

A Master with an active Backup asks what becomes of the role (R41); where nobody can be asked, hold.
"""

from __future__ import annotations

import sys
from typing import Any

from ..control import client
from ..errors import Refusal, WrongUsage
from . import output
from .arguments import Arguments, read
from .either import SET_WAIT, WHO

HOWS = ("hold", "swap", "now")
WAIT = 90.0  # seconds; a swap lets cross what has not
CHOICES = {
    "hold": "it waits until this device is back, at most 10 minutes",
    "swap": "it becomes Master first",
    "now": "it takes over when this device is gone",
}


def run(argv: list[str]) -> int:
    arguments = read(argv, dict.fromkeys(HOWS, False))
    return _told(asking(arguments, "reboot", {}, HOWS, "hold"), "reboot", arguments)


def run_factory_reset(argv: list[str]) -> int:
    arguments = read(argv, {"swap": False, "now": False}, count=(1, 1))
    values = {"serial": arguments.positional[0], "who": WHO}
    return _told(asking(arguments, "factory-reset", values, HOWS[1:], ""), "factory-reset", arguments)


def run_password_reset(argv: list[str]) -> int:
    arguments = read(argv)
    answer: dict[str, Any] = client.call(arguments.paths, "password-reset", {"who": WHO}, SET_WAIT)
    if arguments.json:
        output.json(answer)
    else:
        output.text(f"admin has the factory's password again; durable: {answer['durable']}")
    return 0


def asking(
    arguments: Arguments, operation: str, values: dict[str, Any], hows: tuple[str, ...], default: str
) -> Any:
    """The operation's answer; asks on a terminal where it has to be asked."""
    given = [how for how in hows if how in arguments]
    if len(given) > 1:
        raise WrongUsage(f"--{given[1]}: expected one of {', '.join(f'--{how}' for how in hows)}")
    how = given[0] if given else ""
    try:
        return client.call(arguments.paths, operation, {**values, "how": how}, WAIT)
    except Refusal as error:
        if error.reason != "ask":
            raise
        how = _answer(hows) if sys.stdin.isatty() and sys.stderr.isatty() else default
        if not how:
            raise
    return client.call(arguments.paths, operation, {**values, "how": how}, WAIT)


def _answer(hows: tuple[str, ...]) -> str:
    lines = [f"  {how:<7} {CHOICES[how]}" for how in hows]
    sys.stderr.write("\n".join(["The Backup device would take over.", *lines, "  cancel\n"]))
    sys.stderr.write(f"Which ({hows[0]})? ")
    sys.stderr.flush()
    said = sys.stdin.readline()
    word = said.strip().lower() or hows[0]
    chosen = [how for how in hows if how.startswith(word)] if said else []
    if len(chosen) != 1:
        raise Refusal("cancelled; nothing was done")
    return chosen[0]


def _told(said: str, name: str, arguments: Arguments) -> int:
    output.json({name: said}) if arguments.json else output.text(said)
    return 0
