# SPDX-License-Identifier: Apache-2.0
"""operations: what can be done with a unit, once for every face (R31).

Each is an async function of a Unit and arguments of plain types; it checks the arguments, since they come
from a socket. Raises Refusal for everything a user can cause.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import Refusal
from ..events.log import Event
from ..settings.store import Store
from . import conflict_operations
from .store_operations import (
    Changes,
    backed_up,
    committed,
    difference,
    differing,
    read_settings,
    restoring,
    reverting,
    revisions,
    setting,
    unsetting,
)
from .unit import Unit

FOLLOW_MAX = 256  # events that wait for one slow follower before it is dropped

# One `set` after the other, commit and use alike, so that the last commit is the one in use.
_turns: WeakKeyDictionary[Any, asyncio.Lock] = WeakKeyDictionary()


async def run(unit: Unit, operation: str, arguments: dict[str, Any]) -> Any:
    """Runs the operation of that name. An async generator as a result is a stream."""
    found = OPERATIONS.get(operation)
    if found is None:
        raise Refusal(f"operation: {operation[:40]!r}; expected one of {', '.join(OPERATIONS)}")
    return await found(unit, arguments)


async def status(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    return unit.status()


async def get(unit: Unit, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """args: paths, a list of paths or groups, empty for all. Result: see `read_settings`."""
    paths = _texts(arguments, "paths")
    return await unit.run_in_store(lambda store: read_settings(store.settings, paths))


async def set_(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: changes, a map of path to text; who; force. Result: see `committed`."""
    texts = _changes(arguments)
    return await _write(unit, lambda store: setting(store, texts), arguments, "set")


async def unset(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: paths, a list of paths, rows or groups; who; force. Result: see `committed`."""
    paths = _texts(arguments, "paths")
    return await _write(unit, lambda store: unsetting(store, paths), arguments, "unset")


async def revert(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: revision; who; force. Result: see `committed`."""
    rev = _count(arguments, "revision") or 0
    return await _write(unit, lambda store: reverting(store, rev), arguments, f"revert {rev}")


async def restore(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: archive, octets; passphrase; who. Result: see `committed`, and kept and missing: paths of secrets
    that the file does not have and this unit keeps or has not either."""
    octets, passphrase = arguments.get("archive"), _text(arguments, "passphrase")
    if not isinstance(octets, bytes):
        raise Refusal("archive: expected octets")
    found = await unit.run_in_store(lambda store: restoring(store, octets, passphrase))
    answer = await _write(unit, lambda _: found.changes, arguments, "restore", new_history=True)
    return {**answer, "kept": found.kept, "missing": found.missing}


async def backup(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: passphrase. Result: see `backed_up`."""
    passphrase = _text(arguments, "passphrase")
    return await unit.run_in_store(lambda store: backed_up(store, passphrase))


async def log(unit: Unit, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """args: last, how many revisions; before, a revision (null: any). Result: see `undo.plain`."""
    last, before = _count(arguments, "last"), _count(arguments, "before")
    return await unit.run_in_store(lambda store: revisions(store, last, before))


async def diff(unit: Unit, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """args: since, a revision; to, another (null: the last). Result: {path, before, after} each, by path."""
    since, to = _count(arguments, "since") or 0, _count(arguments, "to")
    return await unit.run_in_store(lambda store: difference(store, since, to))


async def _write(
    unit: Unit, changes: Callable[[Store], Changes], arguments: dict[str, Any], what: str,
    *, new_history: bool = False,
) -> dict[str, Any]:  # fmt: skip
    who, forced = _who(arguments), bool(arguments.get("force"))

    async def written() -> dict[str, Any]:
        async with _turn(unit):
            wanted = await unit.run_in_store(lambda store: differing(store, changes(store)))

            def commit(store: Store, apart: bool) -> dict[str, Any]:
                return committed(store, wanted, who, what, new_history=new_history or apart)

            return await unit.write(wanted, commit, forced)

    # Shielded: a client that goes away must not leave a commit that is not in use.
    return await asyncio.shield(written())


def _turn(unit: Unit) -> asyncio.Lock:
    return _turns.setdefault(unit, asyncio.Lock())


async def swap(unit: Unit, _arguments: dict[str, Any]) -> str:
    """Writes wait until it has ended, one way or the other (R8)."""

    async def swapped() -> str:
        async with _turn(unit):
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
    """args: key, as it was pasted. Result: `Installed.plain()`, and `reboot`: does the unit reboot now?"""
    key = arguments.get("key")
    if not isinstance(key, str):
        raise Refusal("key: expected a text")
    return await asyncio.shield(unit.install_licence(key))


async def licence_confirm(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Somebody on this unit confirms a changed certificate. Result: confirmed: did one wait? and `pin`."""
    confirmed = await asyncio.shield(unit.confirm_certificate())
    return {"confirmed": confirmed, "pin": unit.licence()["pin"]}


async def conflict_list(unit: Unit, _arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """Result: see `conflict_operations.listed`."""
    return await unit.run_in_store(lambda _: conflict_operations.listed(unit.conflicts))


async def conflict_show(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: number. Result: see `conflict_operations.shown`."""
    number = _count(arguments, "number") or 0
    return await unit.run_in_store(lambda store: conflict_operations.shown(store, unit.conflicts, number))


async def conflict_diff(unit: Unit, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """args: number. Result: see `conflict_operations.difference`."""
    number = _count(arguments, "number") or 0
    return await unit.run_in_store(
        lambda store: conflict_operations.difference(store, unit.conflicts, number)
    )


async def conflict_export(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: number; passphrase. Result: see `conflict_operations.exported`."""
    number, passphrase = _count(arguments, "number") or 0, _text(arguments, "passphrase")
    return await unit.run_in_store(
        lambda store: conflict_operations.exported(store, unit.conflicts, number, passphrase)
    )


async def conflict_merge(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: number; paths; who; force. Result: see `committed`."""
    number, paths = _count(arguments, "number") or 0, _texts(arguments, "paths")

    def changes(store: Store) -> Changes:
        return conflict_operations.merging(store, unit.conflicts.read(number), paths)

    return await _write(unit, changes, arguments, f"merge conflict {number}")


async def conflict_drop(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: number. Result: {dropped}."""
    number = _count(arguments, "number") or 0
    return await unit.run_in_store(lambda _: conflict_operations.dropped(unit.conflicts, number))


async def events(
    unit: Unit, arguments: dict[str, Any]
) -> list[dict[str, Any]] | AsyncGenerator[dict[str, Any], None]:
    """args: last, how many (null: all); after, an id (null: any); follow. Result: events, oldest first, or
    a stream of these and of what comes."""
    last, after = _count(arguments, "last"), _count(arguments, "after")
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
}


def _texts(arguments: dict[str, Any], name: str) -> list[str]:
    value = arguments.get(name, ())
    if not isinstance(value, tuple | list) or not all(isinstance(item, str) for item in value):
        raise Refusal(f"{name}: expected a list of texts")
    return list(value)


def _text(arguments: dict[str, Any], name: str) -> str:
    value = arguments.get(name, "")
    if not isinstance(value, str):
        raise Refusal(f"{name}: expected a text")
    return value


def _who(arguments: dict[str, Any]) -> str:
    return _text(arguments, "who")


def _changes(arguments: dict[str, Any]) -> dict[str, str]:
    value = arguments.get("changes")
    if (
        not isinstance(value, dict)
        or not value
        or not all(isinstance(i, str) for pair in value.items() for i in pair)
    ):
        raise Refusal("changes: expected a map of setting paths to texts")
    return value


def _count(arguments: dict[str, Any], name: str) -> int | None:
    value = arguments.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise Refusal(f"{name}: expected a whole number from 0")
    return value
