# SPDX-License-Identifier: Apache-2.0
"""qx pbx: registrations and calls; and what the daemon has done in a process of its own: render, collect,
join."""

from __future__ import annotations

import sys
from typing import Any

from ..control import client
from ..errors import WrongUsage
from . import output
from .arguments import Arguments, read

WORDS = ("status", "registrations", "calls", "render", "collect", "join")


def run(argv: list[str]) -> int:
    arguments = read(argv, count=(0, 1))
    word = arguments.positional[0] if arguments.positional else "status"
    if word not in WORDS:
        raise WrongUsage(f"{word!r}; expected one of {', '.join(WORDS)}")
    if word == "render":
        from ..pbx.render import render  # noqa: PLC0415 - needs the settings' schema

        output.text(" ".join(render(arguments.paths)))
    elif word == "collect":
        from ..pbx.collect import collect  # noqa: PLC0415 - not needed otherwise

        output.text(str(collect(arguments.paths)))
    elif word == "join":
        from ..pbx.joining import join  # noqa: PLC0415 - not needed otherwise

        output.text(str(join(arguments.paths, sys.stdin.buffer.read())))
    else:
        _show(arguments, word)
    return 0


def _show(arguments: Arguments, word: str) -> None:
    told: dict[str, Any] = client.call(arguments.paths, "pbx_live")
    registrations, calls = told["registrations"], told["calls"]
    if arguments.json:
        output.json({"registrations": registrations, "calls": calls} if word == "status" else told[word])
    elif word == "status":
        output.text(f"{len(registrations)} registered, {len(calls)} calls")
    elif word == "registrations":
        lines = [
            f"{aor:<10}{contact['uri']}  {contact['user_agent']}"
            for aor, contacts in registrations.items() for contact in contacts
        ]  # fmt: skip
        output.text("\n".join(lines) or "nobody is registered")
    else:
        lines = [f"{call['caller']} with {call['callee']}  {call['call_id']}" for call in calls]
        output.text("\n".join(lines) or "no call is up")
