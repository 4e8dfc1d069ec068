# SPDX-License-Identifier: Apache-2.0
"""operations: what can be done with a unit, once for every face (R31).

Each is an async function of a Unit and arguments of plain types; it checks the arguments, since they come
from a socket. Raises Refusal for everything a user can cause.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from ..errors import Refusal
from ..events.log import Event
from ..settings.store import Store
from . import (
    access_operations,
    asked,
    conflict_operations,
    event_operations,
    langpack_operations,
    pbx_operations,
    phone_operations,
    procedure_operations,
    table_operations,
    upgrade_operations,
)
from .store_operations import (
    Changes,
    backed_up,
    difference,
    read_settings,
    restoring,
    reverting,
    revisions,
    setting,
    unsetting,
)
from .unit import Unit
from .writing import turn, write

FEW = 32  # settings that are read and compared on the loop: 0.4 ms; a way through the store's thread is more
FOLLOW_MAX = 256  # events that wait for one slow follower before it is dropped


async def run(unit: Unit, operation: str, arguments: dict[str, Any]) -> Any:
    """Runs the operation of that name. An async generator as a result is a stream."""
    found = OPERATIONS.get(operation)
    if found is None:
        raise Refusal(f"operation: {operation[:40]!r}; expected one of {', '.join(OPERATIONS)}")
    return await found(unit, arguments)


async def status(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    return {**unit.status(), "pending": unit.events.unread()}


async def get(unit: Unit, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """args: paths, a list of paths or groups, empty for all. Result: see `read_settings`."""
    paths = asked.texts(arguments, "paths")
    return await unit.run_in_store(lambda store: read_settings(store.settings, paths))


async def rows(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: table; offset; count; find; fields. Result: see `table_operations.rows`."""
    table, find, fields = (
        asked.text(arguments, "table"),
        asked.text(arguments, "find"),
        asked.texts(arguments, "fields"),
    )
    offset, count = asked.count(arguments, "offset") or 0, asked.count(arguments, "count") or 0
    return await unit.run_in_store(
        lambda store: table_operations.rows(store.settings, table, offset, count, find, fields)
    )


async def set_(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: changes, a map of path to text; who; force; since, a revision after which none of these paths may
    have been changed (null: any may). Result: see `committed`."""
    texts, since = asked.changes(arguments), asked.count(arguments, "since")
    few = len(texts) <= FEW and since is None
    return await write(unit, lambda store: setting(store, texts, since), arguments, "set", few=few)


async def unset(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: paths, a list of paths, rows or groups; who; force. Result: see `committed`."""
    paths = asked.texts(arguments, "paths")
    return await write(unit, lambda store: unsetting(store, paths), arguments, "unset")


async def revert(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: revision; who; force. Result: see `committed`."""
    rev = asked.count(arguments, "revision") or 0
    return await write(unit, lambda store: reverting(store, rev), arguments, f"revert {rev}")


async def restore(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: archive, octets; passphrase; who. Result: see `committed`, and kept and missing: paths of secrets
    that the file does not have and this unit keeps or has not either."""
    octets, passphrase = arguments.get("archive"), asked.text(arguments, "passphrase")
    if not isinstance(octets, bytes):
        raise Refusal("archive: expected octets")
    found = await unit.run_in_store(lambda store: restoring(store, octets, passphrase))
    answer = await write(unit, lambda _: found.changes, arguments, "restore", new_history=True)
    return {**answer, "kept": found.kept, "missing": found.missing}


async def backup(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: passphrase. Result: see `backed_up`."""
    passphrase = asked.text(arguments, "passphrase")
    return await unit.run_in_store(lambda store: backed_up(store, passphrase))


async def log(unit: Unit, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """args: last, how many revisions; before, a revision (null: any); changes, how many of each (null: all).
    Result: see `undo.plain`."""
    last, before = asked.count(arguments, "last"), asked.count(arguments, "before")
    changes = asked.count(arguments, "changes")
    return await unit.run_in_store(lambda store: revisions(store, last, before, changes))


async def diff(unit: Unit, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """args: since, a revision; to, another (null: the last). Result: {path, before, after} each, by path."""
    since, to = asked.count(arguments, "since") or 0, asked.count(arguments, "to")
    return await unit.run_in_store(lambda store: difference(store, since, to))


async def swap(unit: Unit, _arguments: dict[str, Any]) -> str:
    """Writes wait until it has ended, one way or the other (R8)."""

    async def swapped() -> str:
        async with turn(unit):
            return await unit.swap()

    return await asyncio.shield(swapped())


async def mode(unit: Unit, arguments: dict[str, Any]) -> str:
    wanted = arguments.get("mode")
    if wanted not in ("active", "passive"):
        raise Refusal(f"mode: {wanted!r}; expected active or passive")
    await asyncio.shield(unit.set_mode(wanted))
    return wanted


async def sync(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: the `sync` of `status`."""
    return unit.status()["sync"]


async def sync_now(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Starts a full comparison with the other unit. Result: as `sync`."""
    unit.reconcile()
    return unit.status()["sync"]


async def sync_allow_deletion(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Lets a deletion of many voice files that was held cross (R14). Result: as `sync`."""
    unit.allow_deletion()
    return unit.status()["sync"]


async def licence(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: `Keyring.plain()`; nothing in it is secret."""
    return unit.licence()


async def licence_install(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: key, as it was pasted; how, as of `reboot`. Result: `Installed.plain()`; reboot: does
    the unit reboot now? said: how, where it does."""
    key = arguments.get("key")
    if not isinstance(key, str):
        raise Refusal("key: expected a text")
    return await asyncio.shield(unit.install_licence(key, procedure_operations.how_of(arguments)))


async def licence_confirm(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Somebody on this unit confirms a changed certificate. Result: confirmed: did one wait? and `pin`."""
    confirmed = await asyncio.shield(unit.confirm_certificate())
    return {"confirmed": confirmed, "pin": unit.licence()["pin"]}


async def conflict_list(unit: Unit, _arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """Result: see `conflict_operations.listed`."""
    return await unit.run_in_store(lambda _: conflict_operations.listed(unit.conflicts))


async def conflict_show(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: number. Result: see `conflict_operations.shown`."""
    number = asked.count(arguments, "number") or 0
    return await unit.run_in_store(lambda store: conflict_operations.shown(store, unit.conflicts, number))


async def conflict_diff(unit: Unit, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """args: number. Result: see `conflict_operations.difference`."""
    number = asked.count(arguments, "number") or 0
    return await unit.run_in_store(
        lambda store: conflict_operations.difference(store, unit.conflicts, number)
    )


async def conflict_export(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: number; passphrase. Result: see `conflict_operations.exported`."""
    number, passphrase = asked.count(arguments, "number") or 0, asked.text(arguments, "passphrase")
    return await unit.run_in_store(
        lambda store: conflict_operations.exported(store, unit.conflicts, number, passphrase)
    )


async def conflict_merge(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: number; paths; who; force. Result: see `committed`."""
    number, paths = asked.count(arguments, "number") or 0, asked.texts(arguments, "paths")

    def changes(store: Store) -> Changes:
        return conflict_operations.merging(store, unit.conflicts.read(number), paths)

    return await write(unit, changes, arguments, f"merge conflict {number}")


async def conflict_drop(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: number. Result: {dropped}."""
    number = asked.count(arguments, "number") or 0
    return await unit.run_in_store(lambda _: conflict_operations.dropped(unit.conflicts, number))


async def events(
    unit: Unit, arguments: dict[str, Any]
) -> list[dict[str, Any]] | AsyncGenerator[dict[str, Any], None]:
    """args: last, how many (null: all); after, an id (null: any); follow. Result: events, oldest first, or
    a stream of these and of what comes."""
    last, after = asked.count(arguments, "last"), asked.count(arguments, "after")
    if arguments.get("follow"):
        return _follow(unit, last, after)
    return [event.plain() for event in _kept(unit, last, after)]


def _kept(unit: Unit, last: int | None, after: int | None) -> list[Event]:
    kept = unit.events.after(after or 0)
    return kept if last is None else kept[len(kept) - min(last, len(kept)) :]


async def _follow(unit: Unit, last: int | None, after: int | None) -> AsyncGenerator[dict[str, Any], None]:
    queue: asyncio.Queue[Event] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def queued(event: Event) -> None:
        if queue.qsize() <= FOLLOW_MAX:
            queue.put_nowait(event)

    def tell(event: Event) -> None:
        loop.call_soon_threadsafe(queued, event)

    end = unit.events.subscribe(tell)
    try:
        told = 0
        for event in _kept(unit, last, after):
            told = event.id
            yield event.plain()
        while True:
            if queue.qsize() > FOLLOW_MAX:
                raise Refusal(f"more than {FOLLOW_MAX} events waited to be read; follow again")
            event = await queue.get()
            if event.id > told:  # it came while the kept ones were told
                yield event.plain()
    finally:
        end()


OPERATIONS: dict[str, Callable[[Unit, dict[str, Any]], Awaitable[Any]]] = {
    "status": status,
    "get": get,
    "rows": rows,
    "set": set_,
    "unset": unset,
    "log": log,
    "diff": diff,
    "revert": revert,
    "backup": backup,
    "restore": restore,
    "swap": swap,
    "mode": mode,
    "licence": licence,
    "licence_install": licence_install,
    "licence_confirm": licence_confirm,
    "sync": sync,
    "sync_now": sync_now,
    "sync_allow_deletion": sync_allow_deletion,
    "conflict_list": conflict_list,
    "conflict_show": conflict_show,
    "conflict_diff": conflict_diff,
    "conflict_export": conflict_export,
    "conflict_merge": conflict_merge,
    "conflict_drop": conflict_drop,
    "events": events,
    **event_operations.OPERATIONS,
    **access_operations.OPERATIONS,
    **procedure_operations.OPERATIONS,
    **pbx_operations.OPERATIONS,
    **upgrade_operations.OPERATIONS,
    **phone_operations.OPERATIONS,
    **langpack_operations.OPERATIONS,
}
