# SPDX-License-Identifier: Apache-2.0
"""qx get, qx set: settings, through the daemon, or on the store itself where none runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..control import client
from ..errors import NoDaemon, WrongUsage
from ..paths import Paths
from . import output
from .arguments import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..settings.store import Store

WHO = "command line"
SET_WAIT = 30.0  # seconds; flash may be slow
START_WAIT = 5.0  # seconds for a daemon that is starting: it has the store and not yet its socket

T = TypeVar("T")


def run_get(argv: list[str]) -> int:
    arguments = read(argv, count=(0, None))
    wanted = arguments.positional
    found: list[dict[str, Any]] = _either(
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
    arguments = read(argv, count=(1, None))
    changes: dict[str, str] = {}
    for word in arguments.positional:
        path, equals, value = word.partition("=")
        if not equals or not path:
            raise WrongUsage(f"{word!r}: expected PATH=VALUE")
        if path in changes:
            raise WrongUsage(f"{path}: given twice")
        changes[path] = value
    answer: dict[str, Any] = _either(
        arguments.paths,
        lambda: client.call(arguments.paths, "set", {"changes": changes, "who": WHO}, SET_WAIT),
        lambda operations, store: operations.write_settings(store, changes, WHO),
    )
    if arguments.json:
        output.json(answer)
    else:
        output.text(f"durable: {answer['durable']}")
    return 0


def _either(paths: Paths, ask: Callable[[], T], do: Callable[[Any, Store], T]) -> T:
    """Asks the daemon; where none runs, opens the store. A daemon between its start and its socket holds the
    store already, so both are tried in turn for a while."""
    try:
        return ask()
    except NoDaemon:
        pass
    # Imported here: with a daemon there is no need for SQLite, the schema and its checks.
    from ..control import store_operations as operations  # noqa: PLC0415
    from ..identity import read_identity  # noqa: PLC0415
    from ..settings.database import StoreBusy  # noqa: PLC0415
    from ..settings.store import Store  # noqa: PLC0415

    identity = read_identity(paths)
    until = time.monotonic() + START_WAIT
    while True:
        try:
            with Store(paths.settings_db, identity.model, wait=0.2) as store:
                return do(operations, store)
        except StoreBusy:
            if time.monotonic() > until:
                raise
        try:
            return ask()
        except NoDaemon:
            continue
