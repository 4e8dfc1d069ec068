# SPDX-License-Identifier: Apache-2.0
"""unit: what the daemon offers to the operations, as a protocol that the controller implements.

Only types: the operations know a unit by this and nothing else, so tests hand them a real store and a real
event log behind a unit without an engine. All methods are called on the daemon's asyncio loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from ..board import Board
from ..events.desk import Desk
from ..events.log import EventLog
from ..paths import Paths
from ..pbx.phones import Phones
from ..redundancy.writing import Commit
from ..settings.store import Store
from ..settings.values import Plain
from ..sync.conflicts import Conflicts
from ..sync.live import LiveState
from ..trust.keyring import Keyring

if TYPE_CHECKING:
    from ..upgrade.upgrade import Upgrade

How = Literal["", "hold", "swap", "now"]  # what becomes of the role while a Master restarts (R41)
T = TypeVar("T")


class Unit(Protocol):
    """Hashed by identity (a plain class is): the operations keep a lock for each unit."""

    @property
    def upgrade(self) -> Upgrade | None:
        """The unit's firmware; None while it starts."""
        ...

    @property
    def events(self) -> EventLog:
        """The unit's event log."""
        ...

    @property
    def desk(self) -> Desk:
        """What is done about events."""
        ...

    @property
    def store(self) -> Store:
        """For what it holds in memory; whatever waits for flash goes through `run_in_store`."""
        ...

    @property
    def paths(self) -> Paths:
        """The unit's files."""
        ...

    def status(self) -> dict[str, Any]:
        """The state of this moment, of plain JSON types; never waits. The keys of the contract in DESIGN
        (model serial firmware role mode since group_id virtual_ip service_addresses vrrp peer sync
        applications licence mismatches) and `why`: in fault one line that names the reason, else null.
        `since` is the wall-clock time of the last role change (seconds since 1970)."""
        ...

    async def run_in_store(self, work: Callable[[Store], T]) -> T:
        """Runs `work(store)` in the one thread that owns the store; what it raises is raised here."""
        ...

    async def write(
        self, changes: Mapping[str, Plain], commit: Commit, forced: bool = False
    ) -> dict[str, Any]:
        """Commits and takes into use. `changes` is what would differ (values in plain form, None for back to
        the default; empty: nothing). `commit(store, apart)` does it in the store's thread and answers as
        `committed` does, opening a history where `apart`: what is forced onto one unit of a pair must never
        be taken for something that both had. The answer comes back with its `durable` as it is then. Raises
        Refusal where this unit may not make these changes now: a Backup's settings are read-only (R19), pair
        parameters change through the Master and while the peer is there, unless `forced` (R13). A refusal to
        take into use is an answer to the user (the commit stands); it says what is stored and not in use, and
        why."""
        ...

    @property
    def board(self) -> Board:
        """What it runs on."""
        ...

    async def run_in_keyring(self, work: Callable[[Keyring], T]) -> T:
        """As `run_in_store`, in the thread of keys and of what else is signed."""
        ...

    def speaks(self, language: str) -> None:
        """Tells the other unit which language pack this one has; empty for none."""
        ...

    async def confirm_certificate(self) -> bool:
        """Somebody on this unit confirms a changed certificate (R17); false where none waits."""
        ...

    @property
    def conflicts(self) -> Conflicts:
        """What this unit had to give up for the other's settings; read and dropped in the store's thread."""
        ...

    @property
    def live(self) -> LiveState:
        """Registrations and calls."""
        ...

    @property
    def phones(self) -> Phones:
        """The phone run."""
        ...

    def reconcile(self) -> None:
        """Starts a full comparison with the other unit; never waits. Refusal where there is none."""
        ...

    def allow_deletion(self) -> None:
        """Lets a held deletion of voice files cross (R14). Refusal where none is held."""
        ...

    async def swap(self) -> str:
        """Swaps Master and Backup; returns the line for the user. Refusal says why it could not."""
        ...

    async def reboot(self, how: How, word: str) -> str:
        """Restarts the unit: see `redundancy.rebooting.reboot`."""
        ...

    async def set_mode(self, mode: str) -> None:
        """`active` or `passive` (checked by the caller). Refusal where this unit has no such mode now."""
        ...

    def licence(self) -> dict[str, Any]:
        """`Keyring.plain()`; never waits."""
        ...

    async def install_licence(self, text: str, how: How) -> dict[str, Any]:
        """`Keyring.install(text).plain()`, done in a worker thread; reboot: does the unit reboot now to take
        the key into use (R37)? said: the line for the user, where it is swapped first. Refusal when the key
        is not taken, by name; AskFirst as of `reboot`. `text` is secret."""
        ...
