# SPDX-License-Identifier: Apache-2.0
"""qx log, qx diff, qx revert: what was set when and by whom, what lies between, and back again."""

from __future__ import annotations

from typing import Any

from ..control import client
from ..errors import WrongUsage
from . import output
from .arguments import read
from .either import FORCE, SET_WAIT, by, commit, either
from .settings import told


def run_log(argv: list[str]) -> int:
    arguments = read(argv, {"last": True, "before": True})
    last, before = (_number(f"--{name}", arguments.option(name)) for name in ("last", "before"))
    found: list[dict[str, Any]] = either(
        arguments.paths,
        lambda: client.call(arguments.paths, "log", {"last": last, "before": before}),
        lambda operations, store: operations.revisions(store, last, before),
    )
    if arguments.json:
        output.json(found)
    elif found:
        from ..control.render import revision_text  # noqa: PLC0415 - not needed for JSON

        output.text("\n".join(map(revision_text, found)))
    return 0


def run_diff(argv: list[str]) -> int:
    arguments = read(argv, count=(1, 1))
    text = arguments.positional[0]
    low, dots, high = text.partition("..")
    since, to = _number(text, low), _number(text, high) if high else None
    if since is None or (dots and text.count("..") > 1):
        raise WrongUsage(f"{text!r}: expected REV..REV")
    found: list[dict[str, Any]] = either(
        arguments.paths,
        lambda: client.call(arguments.paths, "diff", {"since": since, "to": to}),
        lambda operations, store: operations.difference(store, since, to),
    )
    if arguments.json:
        output.json(found)
    elif found:
        from ..control.render import change_text  # noqa: PLC0415 - not needed for JSON

        output.text("\n".join(map(change_text, found)))
    return 0


def run_revert(argv: list[str]) -> int:
    arguments = read(argv, FORCE, count=(1, 1))
    rev = _number(arguments.positional[0], arguments.positional[0])
    answer: dict[str, Any] = either(
        arguments.paths,
        lambda: client.call(arguments.paths, "revert", {"revision": rev, **by(arguments)}, SET_WAIT),
        lambda operations, store: commit(arguments, store, operations.reverting(store, rev), f"revert {rev}"),
    )
    return told(answer, arguments.json)


def _number(name: str, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise WrongUsage(f"{name}: {text!r}; expected the number of a revision")
    return int(text)
