# SPDX-License-Identifier: Apache-2.0
"""part: voice data as the daemon has it: a Part of the session, over the tree data/qx/voice.

Between role and session: as long as there is a session and this unit is Master, `leader` does the work, and
where it is Backup, `follower`; both begin anew whenever the role changes. The tree is looked at as long as
the part is open (looking.py). All methods are of the loop and none waits for a disk: rows are read and
written in the store's thread, files in threads of `stock`. A message that fits the other role is dropped,
because roles change while messages are on their way.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ... import __version__
from ...errors import Refusal
from ...paths import Paths
from ...redundancy.peer.hello import newer
from ...redundancy.peer.message import VOICE, BadMessage
from ...redundancy.peer.part import Channel
from ...settings.database import NoSpace
from ..means import RunInStore, Tell
from . import messages, naming
from .follower import Follower
from .leader import Leader
from .looking import Looking
from .manifest import Manifest
from .messages import Entry
from .session import Means
from .stock import Stock
from .tree import Lost, Tree

RETRY = 5.0  # seconds until a start that had no space is tried again
NAMED_MAX = 1000  # files of its own that a conflict snapshot names


class VoiceSync:
    """`told(severity, name, description)` raises an event; it may be called from any thread."""

    kinds = VOICE

    def __init__(
        self, paths: Paths, run_in_store: RunInStore, told: Tell, *, serial: str,
        firmware: str = __version__, tree: Tree | None = None,
    ) -> None:  # fmt: skip
        self._firmware = firmware
        self._stock = Stock(tree or Tree(paths.voice), run_in_store, told)
        self._looking = Looking(self, self._stock, self._publish, told)
        self._scanner = self._looking.scanner
        self._means = Means(self._stock, self._looking, self.failed, serial)
        self.leading: bool | None = None
        self._channel: Channel | None = None
        self._session: Leader | Follower | None = None
        self._turned = False  # the role changed within this session
        self._closing = False

    # --- beginning and end ----------------------------------------------------------------------------
    async def open(self) -> None:
        """Finishes what a cut left and begins to look at the tree. What is wrong with the tree is told and
        stands in the status; raises Refusal only where the store cannot be read. Where flash has no space for
        the mark of this start, all of that is done when it has, and the unit is what it is without (R9)."""
        try:
            await self._stock.load()
        except NoSpace as error:
            self.failed(error)
            self._stock.begin(self._open_again())
            return
        try:
            await self._stock.adopt()
            await self._stock.committer.recover()
        except (OSError, Refusal) as error:
            self.failed(error)
        self._looking.open()
        self._begin_session()

    async def _open_again(self) -> None:
        await asyncio.sleep(RETRY)
        await self.open()

    async def close(self) -> None:
        """A clean end; what is under way is stopped where it stands."""
        self._closing = True
        self.ended()
        self._stock.tree.stop = True
        await self._looking.close()
        await self._stock.close()

    @property
    def _rows(self) -> Manifest:
        return self._stock.rows

    # --- what the rest of the daemon says ---------------------------------------------------------------
    def role(self, leading: bool | None) -> None:
        """True: this unit is Master, the source. False: Backup. None: neither; nothing is looked at then."""
        if leading == self.leading:
            return
        self.leading = leading
        self._scanner.leading = bool(leading)
        self._turned |= self._session is not None
        self._end_session()
        self._begin_session()
        self.reconcile()

    def reconcile(self) -> None:
        """A full comparison: every Synchronization Interval, and when an administrator asks for it."""
        if self.leading is not None:
            self._looking.everything()

    def closed(self, path: str | bytes) -> None:
        """The PBX's own writer has finished this file (relative to the tree): it is pushed at once."""
        self._looking.closed(_octets(path))

    def deleted(self, path: str | bytes) -> None:
        """The PBX itself deleted this file: no accident."""
        self._looking.deleted(_octets(path))

    def allow_deletion(self) -> None:
        """An administrator confirms the deletion that is held."""
        if self._scanner.held:
            self._scanner.allowed = True
            self._looking.everything()

    def unshared(self) -> tuple[str, ...]:
        """Files that the other unit may not have, as text, at most NAMED_MAX: for a conflict snapshot. In the
        store's thread."""
        manifest = self._stock.manifest
        paths = manifest.unshared(NAMED_MAX) if manifest else []
        return tuple(path.decode("utf-8", "backslashreplace") for path in paths)

    async def flush(self, seconds: float) -> None:
        """All settled files have crossed and are acknowledged; Refusal, saying how much is left, where that
        takes longer."""
        until = asyncio.get_running_loop().time() + seconds
        wanted = self._looking.everything(eager=True)
        while not (self._looking.done >= wanted and self._in_step()):
            if self._session is None or asyncio.get_running_loop().time() >= until:
                raise Refusal(f"voice data: {self._left()}; expected all of it within {seconds:g} s")
            await asyncio.sleep(0.005)

    def _left(self) -> str:
        if not self.leading:
            return "this unit is not the Master"
        if isinstance(self._session, Leader):
            return self._session.left()
        return "the other unit is not connected"

    def _in_step(self) -> bool:
        """The Backup has what this unit has."""
        return isinstance(self._session, Leader) and self._session.in_step

    def status(self) -> dict[str, Any]:
        """files, octets, state, progress, unsettled, held, trouble. From memory."""
        manifest, session, state = self._stock.manifest, self._session, self._state()
        their = session.their_trouble if isinstance(session, Leader) else ""
        return {
            "files": manifest.files if manifest else 0,
            "octets": manifest.octets if manifest else 0,
            "state": state,
            "progress": session.progress() if session and state == "copying" else None,
            "unsettled": len(self._scanner.again),
            "held": self._scanner.held,
            "trouble": self._stock.fatal or self._stock.trouble or their or self._looking.trouble or None,
        }

    def _state(self) -> str:
        """off, alone, older (the other unit's firmware must not be fed), stopped, copying, in step."""
        session = self._session
        if self.leading is None or self._stock.manifest is None:
            return "off"
        if self._stock.fatal or self._stock.foreign:
            return "stopped"
        if session is None:
            return "older" if self._channel else "alone"
        return "in step" if session.in_step else "copying"

    # --- a Part -----------------------------------------------------------------------------------------
    def started(self, channel: Channel) -> None:
        self._end_session()
        self._channel, self._turned = channel, False
        self._begin_session()

    def received(self, kind: int, body: Any) -> None:
        fields = messages.read(kind, body)
        if self._session is None:
            return
        try:
            self._session.received(kind, fields)
        except BadMessage:
            if not self._turned:  # what the unit asked for in its other role may still be on its way
                raise

    def ended(self) -> None:
        self._end_session()
        self._channel = None

    def _begin_session(self) -> None:
        channel = self._channel
        if channel is None or self.leading is None or self._stock.manifest is None or self._closing:
            return
        theirs = channel.peer.firmware
        if newer(self._firmware, theirs) if self.leading else newer(theirs, self._firmware):
            return  # never from a newer release to an older one (R5)
        self._session = (Leader if self.leading else Follower)(self._means, channel)
        self._session.begin()

    def _end_session(self) -> None:
        session, self._session = self._session, None
        if session:
            session.end()

    def _publish(self, entries: list[Entry], gone: list[bytes]) -> None:
        if isinstance(self._session, Leader):
            self._session.publish(entries, gone)

    # --- looking.Host -----------------------------------------------------------------------------------
    def looked(self, before: bytes, *, full: bool) -> None:
        if full and self.leading:
            self._stock.trouble = ""
        if self._session and (full if self.leading else self._rows.root != before):
            self._session.stand()

    def failed(self, error: OSError | Refusal) -> None:
        if isinstance(error, Lost) and self.leading and self._stock.manifest:
            self._scanner.held = self._stock.manifest.files
        self._stock.failed(error)


def _octets(path: str | bytes) -> bytes:
    octets = path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")
    if fault := naming.fault(octets):
        raise Refusal(f"voice file: {fault}")
    return octets
