# SPDX-License-Identifier: Apache-2.0
"""qx get, qx set, qx unset: settings, through the daemon, or on the store itself where none runs."""

from __future__ import annotations

from typing import Any

from ..control import client
from ..errors import WrongUsage
from . import output
from .arguments import read
from .either import FORCE, SET_WAIT, by, commit, either


def run_get(argv: list[str]) -> int:
    arguments = read(argv, count=(0, None))
    wanted = arguments.positional
    found: list[dict[str, Any]] = either(
        arguments.paths,
        lambda: client.call(arguments.paths, "get", {"paths": wanted}),
        lambda operations, store: operations.read_settings(store.settings, wanted),
    )
    if arguments.json:
        output.json({setting["path"]: setting["json"] for setting in found})
    elif len(wanted) == 1 and [setting["path"] for setting in found] == wanted:
        output.text(found[0]["text"])
    else:
        output.text("\n".join(f"{setting['path']}={setting['text']}" for setting in found))
    return 0


def run_set(argv: list[str]) -> int:
    arguments = read(argv, FORCE, count=(1, None))
    changes: dict[str, str] = {}
    for word in arguments.positional:
        path, equals, value = word.partition("=")
        if not equals or not path:
            raise WrongUsage(f"{word!r}: expected PATH=VALUE")
        if path in changes:
            raise WrongUsage(f"{path}: given twice")
        changes[path] = value
    answer: dict[str, Any] = either(
        arguments.paths,
        lambda: client.call(arguments.paths, "set", {"changes": changes, **by(arguments)}, SET_WAIT),
        lambda operations, store: commit(arguments, store, operations.setting(store, changes), "set"),
    )
    return told(answer, arguments.json)


def run_unset(argv: list[str]) -> int:
    arguments = read(argv, FORCE, count=(1, None))
    paths = arguments.positional
    answer: dict[str, Any] = either(
        arguments.paths,
        lambda: client.call(arguments.paths, "unset", {"paths": paths, **by(arguments)}, SET_WAIT),
        lambda operations, store: commit(arguments, store, operations.unsetting(store, paths), "unset"),
    )
    return told(answer, arguments.json)


def told(answer: dict[str, Any], as_json: bool) -> int:
    """Prints what a commit answered."""
    if as_json:
        output.json(answer)
    else:
        output.text(f"durable: {answer['durable']}")
    return 0
