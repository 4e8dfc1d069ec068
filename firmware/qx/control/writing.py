# SPDX-License-Identifier: Apache-2.0
"""writing: the one way in which operations change settings: one after the other, in use when it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from ..settings.store import Store
from ..settings.values import Plain
from . import asked
from .store_operations import Changes, committed, differing
from .unit import Unit

# One `set` after the other, commit and use alike, so that the last commit is the one in use.
_turns: WeakKeyDictionary[Any, asyncio.Lock] = WeakKeyDictionary()


async def write(
    unit: Unit, changes: Callable[[Store], Changes], arguments: dict[str, Any], what: str,
    *, new_history: bool = False, few: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """`changes(store)` are committed, as far as they are any. `few`: working them out costs no time and takes
    no turn of the store's thread."""
    who, forced = asked.who(arguments), bool(arguments.get("force"))

    async def written() -> dict[str, Any]:
        async with turn(unit):

            def work_out(store: Store) -> dict[str, Plain]:
                return differing(store, changes(store))

            wanted = work_out(unit.store) if few else await unit.run_in_store(work_out)

            def commit(store: Store, apart: bool) -> dict[str, Any]:
                return committed(store, wanted, who, what, new_history=new_history or apart)

            return await unit.write(wanted, commit, forced)

    # Shielded: a client that goes away must not leave a commit that is not in use.
    return await asyncio.shield(written())


def turn(unit: Unit) -> asyncio.Lock:
    return _turns.setdefault(unit, asyncio.Lock())
