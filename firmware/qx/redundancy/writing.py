# SPDX-License-Identifier: Apache-2.0
"""writing: one change of settings on this unit: may it be made, how does it cross, is it on both units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import Refusal
from ..settings.schema import Scope
from ..settings.store import Store
from ..settings.values import Plain
from . import switch
from .permit import Seat, refusal
from .role import Role
from .storage import REFUSALS

if TYPE_CHECKING:
    from .pair import Own

# Commits in the store's thread: of the store, and whether the change opens a history of its own.
Commit = Callable[[Store, bool], dict[str, Any]]

DURABLE = 0.2  # seconds for which a commit waits until the Backup has it on flash


async def write(unit: Own, changes: Mapping[str, Plain], commit: Commit, forced: bool) -> dict[str, Any]:
    """As control.unit.Unit.write says. A flash that refuses is an event as well."""
    try:
        answer = await _write(unit, changes, commit, forced)
    except REFUSALS as error:
        unit.storage.refused(error)
        raise
    if answer["changed"]:
        unit.storage.taken()
    return answer


async def _write(unit: Own, changes: Mapping[str, Plain], commit: Commit, forced: bool) -> dict[str, Any]:
    scopes = _scopes(unit, changes)
    seat = Seat(unit.role, unit.member, unit.paired, unit.followed)
    why = refusal(scopes.items(), seat, forced)
    if why:
        raise Refusal(why)
    if "pair" in scopes.values() and unit.role == Role.MASTER and unit.followed:
        return await switch.lead(unit, changes, lambda store: commit(store, False))
    apart = forced and unit.paired and unit.role != Role.MASTER
    answer = await unit.run_in_store(lambda store: commit(store, apart))
    crosses = "unit" not in scopes.values() and unit.role == Role.MASTER
    durable = unit.partner.durable(unit.store.position, DURABLE) if crosses else None
    if answer["changed"]:
        await unit.apply(set(answer["changed"]))
    return {**answer, "durable": "both" if durable and await durable else "this"}


def _scopes(unit: Own, paths: Iterable[str]) -> dict[str, Scope]:
    found = ((path, unit.store.schema.find(path)) for path in paths)
    return {path: setting.scope for path, setting in found if setting}
