# SPDX-License-Identifier: Apache-2.0
"""pair: this unit and the other one, as the procedures that both take part in see them. Only types.

The controller is the one `Own`, the partner the one `Other`. Everything is called on the daemon's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from ..board import Board
from ..events.log import EventLog
from ..identity import Identity
from ..paths import Paths
from ..settings.position import Position
from ..settings.store import Store
from ..trust.keyring import Keyring
from .agreement import Answer
from .engine import Engine
from .peer.hello import PeerHello
from .role import Role
from .storage import Storage

T = TypeVar("T")


class Other(Protocol):
    """The other unit, through the session."""

    @property
    def peer(self) -> PeerHello | None:
        """What it says of itself; None without a session."""
        ...

    @property
    def in_step(self) -> bool:
        """Has it the same settings?"""
        ...

    @property
    def ahead(self) -> bool:
        """Has it, as Master, nothing but its own settings, and waits for this unit to lead with its?"""
        ...

    async def ask(self, name: str, arguments: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Its answer. Refusal where it refuses, or says nothing in that time."""
        ...

    def durable(self, position: Position, seconds: float) -> asyncio.Future[bool]:
        """Has it this on its flash, within that time?"""
        ...

    async def flush(self, seconds: float) -> None:
        """All that this unit has is on its flash. Refusal saying what is not."""
        ...

    def how_old(self) -> str:
        """The age of this unit's own state, in words."""
        ...

    def keys_changed(self) -> None:
        """This unit has other keys: the session begins anew with them."""
        ...

    def offer(self, answers: Mapping[str, Answer]) -> None:
        """More that this unit does when the other one asks, by the question's name."""
        ...


class Own(Protocol):
    """This unit."""

    paths: Paths
    board: Board
    identity: Identity
    store: Store
    events: EventLog
    keyring: Keyring
    engine: Engine
    storage: Storage

    @property
    def partner(self) -> Other: ...

    # --- what it is ---------------------------------------------------------------------------------
    @property
    def role(self) -> Role: ...

    @property
    def why(self) -> str:
        """In fault the reason; on a Backup why it would not take over."""
        ...

    @property
    def passive(self) -> bool: ...

    @property
    def serving(self) -> bool:
        """Do the applications run here?"""
        ...

    @property
    def member(self) -> bool:
        """Is this unit in a redundancy group?"""
        ...

    @property
    def paired(self) -> bool:
        """Has this unit met its peer, and been the one whose state both have, or had the other's whole?"""
        ...

    @property
    def followed(self) -> bool:
        """Is there a Backup in session with this unit?"""
        ...

    @property
    def met(self) -> str | None:
        """The serial number of the peer with which this unit was paired."""
        ...

    @property
    def term(self) -> int: ...

    @property
    def interval(self) -> float:
        """Seconds between two advertisements."""
        ...

    def status(self) -> dict[str, Any]:
        """The state of this moment, of plain JSON types; never waits."""
        ...

    # --- what it does -------------------------------------------------------------------------------
    async def run_in_store(self, work: Callable[[Store], T]) -> T: ...

    async def run_in_keyring(self, work: Callable[[Keyring], T]) -> T: ...

    async def apply(self, changed: set[str]) -> None:
        """Takes settings and keys into use (no `changed`: whatever they are). Refusal where the interfaces do
        not take them."""
        ...

    async def set_mode(self, mode: str) -> None:
        """Somebody wants this Backup active or passive. Refusal where this unit is none."""
        ...

    async def keep_mode(self, mode: str) -> None:
        """Makes the mode of a Backup durable and takes it into use."""
        ...

    def came(self, changed: frozenset[str]) -> None:
        """Settings of the Master came in, or (none named) something else that the plan is made of."""
        ...

    def said(self) -> None:
        """The other unit says something else of itself than before."""
        ...

    def look(self) -> None:
        """Takes the engine's view, and lets follow what has to."""
        ...

    def lease(self) -> None:
        """Tells the engine anew that the loop turns, and whether this unit is fit to take over."""
        ...

    def unhold(self) -> None:
        """Nobody waits for the Master's restart any more."""
        ...

    async def swap(self) -> str:
        """The other unit becomes Master and this one restarts; the line for the user. Raises Refusal."""
        ...

    def reboot_soon(self, word: str) -> None:
        """A cold start, when the answer to whoever asked is out; `word` ends the session."""
        ...

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Does it in the background; what it raises is logged."""
        ...
