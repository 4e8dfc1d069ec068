# SPDX-License-Identifier: Apache-2.0
"""offline: a commit on the store itself where no daemon runs, within what this unit may change (R13, R19).

What the unit is, it reads from flash: the role that it had, and whether it has met its peer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..control import store_operations as operations
from ..errors import Refusal
from ..redundancy.permit import Seat, refusal
from ..settings.schema import Scope
from ..trust import kept
from .arguments import WHO, Arguments

if TYPE_CHECKING:
    from ..settings.store import Store
    from ..settings.values import Plain


def committed(
    arguments: Arguments, store: Store, changes: Mapping[str, Plain], what: str, *, new_history: bool = False
) -> dict[str, Any]:
    """`store_operations.committed`. Raises Refusal for what only the pair together may change. What is forced
    onto a unit of a pair opens a history, so that it is never taken for something that both units had."""
    wanted = operations.differing(store, changes)
    peer = kept.read_peer(arguments.paths.trust)
    paired = bool(peer and peer.pin.certificate and store.unit_state_get("copied") == peer.serial)
    forced = "force" in arguments
    if paired and not forced:
        scopes: list[tuple[str, Scope]] = [
            (path, found.scope) for path in wanted if (found := store.schema.find(path))
        ]
        member = store.settings.flag("redundancy.enabled")
        seat = Seat(str(store.unit_state_get("role", "starting")), member, paired, peer_follows=False)
        why = refusal(scopes, seat)
        if why:
            raise Refusal(why)
    return operations.committed(store, wanted, WHO, what, new_history=new_history or (paired and forced))
