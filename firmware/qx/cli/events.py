# SPDX-License-Identifier: Apache-2.0
"""qx events: what happened, and what happens."""

from __future__ import annotations

import sys

from ..control import client
from ..errors import WrongUsage
from . import output
from .arguments import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLLOW_LAST = 10  # told before following, unless asked otherwise


def run(argv: list[str]) -> int:
    arguments = read(argv, {"follow": False, "last": True, "after": True})
    wanted: dict[str, Any] = {"follow": "follow" in arguments}
    for name in ("last", "after"):
        text = arguments.option(name)
        if text and not (text.isascii() and text.isdigit() and len(text) < 16):
            raise WrongUsage(f"--{name}: {text!r}; expected a whole number from 0")
        wanted[name] = int(text) if text else None
    if wanted["follow"]:
        if wanted["last"] is None and wanted["after"] is None:
            wanted["last"] = FOLLOW_LAST
        for event in client.follow(arguments.paths, "events", wanted):
            _print(event, arguments.json)
            sys.stdout.flush()
    else:
        events = client.call(arguments.paths, "events", wanted)
        if arguments.json:
            output.json(events)
        else:
            for event in events:
                _print(event, False)
    return 0


def _print(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        output.json(event)
    else:
        from ..control.render import event_text  # noqa: PLC0415 - not needed for JSON

        output.text(event_text(event))
