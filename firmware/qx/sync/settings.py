# SPDX-License-Identifier: Apache-2.0
"""settings: all settings of the Master on the Backup, moments later: a part of the session (R13, R15, R16).

Between role and session: as long as there is a session and this unit is Master, `leader` does the work, and
where it is Backup, `follower`. Both begin anew whenever the role changes. This part has what outlives a
session: how old the Backup's state is, what was told, what was copied half.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..errors import Refusal
from ..events.log import Severity
from ..redundancy.peer.message import SETTINGS
from ..redundancy.peer.part import Channel
from ..settings.holding import Revision
from ..settings.lineage import Action, Decision
from ..settings.position import Position
from ..settings.store import Store
from . import messages
from .age import Age
from .conflicts import Conflicts
from .follower import Follower, Past
from .lately import Lately
from .leader import Leader, known
from .means import Means, RunInStore, Tell
from .messages import Ack, Kept, Part, Said, Taken
from .passing import Giver, Taker

UNNOTICED = 3.0  # seconds for which a peer may be silent before its session ends


class SettingsSync:
    """A Part. Everything is called on the daemon's loop; nothing waits but `durable` and `flush`.

    `tell(severity, name, description)` takes an event. `applied(paths)`: the Master's changes of these
    settings are durable here, take them into use. `decided(decision)`: HAND_OVER, STOP, REFUSE or
    BOTH_MASTERS: nothing crosses until the roles are others; it is said again with each comparison.
    `voice()`: names of the voice files that the peer may not have, for a conflict snapshot; it is called in
    the store's thread.
    `news()`: the state that `status` shows has changed, by more than a commit that is on its way.
    `lately`: keeps the age across restarts.
    """

    kinds = SETTINGS

    def __init__(
        self, run_in_store: RunInStore, store: Store, tell: Tell, *,
        conflicts: Conflicts, unit: str, firmware: str,
        applied: Callable[[frozenset[str]], object] = lambda _: None,
        decided: Callable[[Decision], object] = lambda _: None,
        voice: Callable[[], tuple[str, ...]] = tuple,
        news: Callable[[], object] = lambda: None,
        lately: Lately | None = None,
    ) -> None:  # fmt: skip
        self._means = Means(
            run_in_store, store, self._tell, conflicts, unit, firmware, applied, self._decided, voice
        )
        self._store = store
        self._to_tell, self._to_decide, self._news = tell, decided, news
        self._last_state = ""
        self._leading: bool | None = None
        self._channel: Channel | None = None
        self._peer: Said | None = None  # what it said last in this session
        self._leader: Leader | None = None
        self._follower: Follower | None = None
        self._giver: Giver | None = None
        self._taker: Taker | None = None
        self._past = Past()
        self._age = Age()
        self._lately = lately
        self._noting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._told: set[tuple[str, str]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = store.subscribe(self._committed)

    # --- what the controller calls --------------------------------------------------------------------------
    def role(self, leading: bool | None) -> None:
        """True: this unit is Master; False: Backup; None: neither."""
        if leading == self._leading and self._loop is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._stop()
        self._leading = leading
        self._age = Age()
        if leading is False:
            self._age.watch(self._loop.time())
        self._start()
        self._watch_age()

    def reconcile(self) -> None:
        """Compares everything: every Synchronization Interval, and when somebody asks for it (R15)."""
        if self._leader is not None:
            self._leader.compare()
        if self._follower is not None:
            self._follower.compare()
        self._note()
        self._watch_age()

    def durable(self, position: Position, seconds: float) -> asyncio.Future[bool]:
        """Whether the Backup has acknowledged this position within `seconds`; False at once where nothing is
        to be waited for: no session, a copy, this unit not Master. To be called on the loop."""
        if self._leader is not None:
            return self._leader.durable(position.rev, seconds)
        return known(False)

    async def flush(self, seconds: float) -> None:
        """All that is committed by now is durable on the Backup. Raises Refusal saying what is missing."""
        position = self._store.position
        if not await self.durable(position, seconds):
            raise Refusal(f"synchronization: {self._missing(position)}")

    def _missing(self, position: Position) -> str:
        if self._leading is not True:
            return "this unit is not Master"
        if self._leader is None:
            return "no session with the other unit"
        if self._leader.acked is None:
            return f"{self._leader.state}; expected it in step"
        return f"the other unit has revision {self._leader.acked} of {position.rev}"

    @property
    def ahead(self) -> bool:
        """On a Backup: the Master has said that this unit's settings are to be both's, and waits for it."""
        return self._follower is not None and self._follower.ahead

    def status(self) -> dict[str, Any]:
        """For faces; of JSON types. `age_s`: of the Backup's state, null where it is not known. `lag`:
        revisions that the Backup lacks. `progress`: of a copy, else null."""
        side = self._leader or self._follower
        progress = side.progress() if side else None
        at = self._store.position
        age = self._seconds()
        return {
            "history": None if at.empty else at.history.hex(),
            "revision": at.rev,
            "peer_revision": side.peer_rev if side else None,
            "age_s": None if age is None else round(age, 1),
            "lag": side.lag if side else None,
            "state": self._state(side),
            "progress": progress.plain() if progress else None,
            "trouble": (side.trouble if side else "") or None,
        }

    def _state(self, side: Leader | Follower | None) -> str:
        if side is None:
            return "off" if self._leading is None else "no session"
        return "behind" if side.state == Action.IN_STEP and side.lag else side.state

    def close(self) -> None:
        """The daemon ends."""
        if self._age.current and self._lately is not None:
            self._lately.known()
        self._stop()
        self._end()
        if self._timer:
            self._timer.cancel()

    # --- a Part ---------------------------------------------------------------------------------------------
    def started(self, channel: Channel) -> None:
        self._loop = asyncio.get_running_loop()
        self._channel, self._peer = channel, None
        self._start()

    def received(self, kind: int, body: Any) -> None:
        message = messages.read(kind, body)
        if isinstance(message, Said):
            self._peer = message
        if self._leader is not None:
            if isinstance(message, Said):
                self._leader.said(message)
            elif isinstance(message, Ack):
                self._leader.heard_ack(message)
            elif isinstance(message, Kept):
                self._leader.heard_kept(message)
            elif isinstance(message, Part) and self._taker is not None:
                self._taker.heard(message)
        elif self._follower is not None:
            if isinstance(message, Taken) and self._giver is not None:
                self._giver.heard(message)
            elif not isinstance(message, Ack | Kept | Part | Taken):
                self._follower.heard(message)

    def ended(self) -> None:
        self._stop()
        self._channel = self._peer = None
        if self._loop is not None:
            self._note(UNNOTICED)
            self._age.out_of_touch(self._loop.time(), UNNOTICED)
        self._watch_age()

    # --- within ---------------------------------------------------------------------------------------------
    def _start(self) -> None:
        if self._channel is None:
            return
        if self._leading is True:
            self._leader = Leader(self._means, self._channel, self._changed)
            self._taker = Taker(self._means, self._channel)
            self._leader.begin()
        elif self._leading is False:
            self._follower = Follower(self._means, self._channel, self._past, self._changed)
            self._giver = Giver(self._means, self._channel)
            if self._peer is not None and self._peer.role == messages.MASTER:
                self._follower.heard(self._peer)  # it asked while this unit was no Backup yet
        else:
            standing = replace(self._store.standing, master=False)
            said = messages.standing_body(Said(0, messages.NEITHER, standing))
            self._channel.send(messages.STANDING, said)

    def _stop(self) -> None:
        for side in (self._leader, self._follower, self._giver, self._taker):
            if side is not None:
                side.end()
        self._leader = self._follower = self._giver = self._taker = None

    def _committed(self, revision: Revision) -> None:
        """In the store's thread."""
        if self._leader is not None and self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._push, revision)

    def _push(self, revision: Revision) -> None:
        if self._leader is not None:
            self._leader.committed(revision)

    def _changed(self) -> None:
        side = self._leader or self._follower
        if side is None or self._loop is None:
            return
        if side.state != self._last_state:  # not what a commit on its way makes of it: that is no news
            self._last_state = side.state
            self._loop.call_soon(self._news)  # not within what is being done
        if side.current:
            if self._follower is not None and self._giver is not None and self._follower.to_pass_on:
                self._follower.to_pass_on = False
                self._giver.look()
            self._age.known_current(self._loop.time())
            self._told.clear()
        else:
            self._age.known_behind(self._loop.time())
        self._watch_age()

    def _seconds(self) -> float | None:
        """The age of the Backup's state."""
        if self._loop is None or self._leading is None:
            return None
        age = self._age.seconds(self._loop.time())
        return self._lately.age if age is None and self._lately is not None else age

    def _note(self, before: float = 0.0) -> None:
        """It is current, or was until so many seconds ago: that outlives a restart."""
        lately = self._lately
        if self._age.current and lately is not None and (self._noting is None or self._noting.done()):
            self._noting = asyncio.ensure_future(self._means.run_in_store(lambda _: lately.known(before)))

    def _watch_age(self) -> None:
        """Tells what is news of the age, and looks again when it may have become too old."""
        if self._loop is None:
            return
        now, interval = self._loop.time(), float(self._store.settings.number("redundancy.sync_interval"))
        news = self._age.news(now, interval)
        if news is not None:
            self._tell_age(news)
        due = self._age.due(interval)
        if due is None or self._age.told:
            return  # a timer that is set finds nothing
        if self._timer is not None and self._timer.when() > due + 0.01:  # the interval has become shorter
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(due + 0.01, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._watch_age()

    def _tell_age(self, stale: bool) -> None:
        whose = "the Backup's settings are" if self._leading else "the settings of this unit are"
        age = self._seconds()
        if stale:
            old = "of an unknown age" if age is None else f"{age:.0f} s old"
            self._tell("warning", "Synchronization is stale", f"{whose} {old}")
        else:
            self._tell("success", "Synchronization is current", f"{whose} up to date again")

    def _tell(self, severity: Severity, name: str, description: str) -> None:
        """What is critical is told once, until all is well again: it is found anew with each comparison."""
        if severity == "critical":
            if (name, description) in self._told:
                return
            self._told.add((name, description))
        elif severity == "success":
            self._told.clear()
        self._to_tell(severity, name, description)

    def _decided(self, decision: Decision) -> None:
        if decision.action in (Action.STOP, Action.REFUSE):
            self._tell("critical", "Synchronization stopped", decision.why)
        self._to_decide(decision)
