# SPDX-License-Identifier: Apache-2.0
"""either: does something with the settings through the daemon, or on the store itself where none runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import NoDaemon
from ..paths import Paths
from .arguments import WHO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..settings.store import Store
    from ..settings.values import Plain
    from .arguments import Arguments

FORCE = {"force": False}  # the option of every command that commits
SET_WAIT = 30.0  # seconds; flash may be slow
START_WAIT = 5.0  # seconds for a daemon that is starting: it has the store and not yet its socket

T = TypeVar("T")


def either(paths: Paths, ask: Callable[[], T], do: Callable[[Any, Store], T]) -> T:
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


def commit(
    arguments: Arguments, store: Store, changes: Mapping[str, Plain], what: str, *, new_history: bool = False
) -> dict[str, Any]:
    """The commit of a `do`: see `offline.committed`."""
    from .offline import committed  # noqa: PLC0415 - see above

    return committed(arguments, store, changes, what, new_history=new_history)


def by(arguments: Arguments) -> dict[str, Any]:
    """What the operation of every command that commits is told: who it is, and whether it is forced."""
    return {"who": WHO, "force": "force" in arguments}
