# SPDX-License-Identifier: Apache-2.0
"""follower: the Backup's side of settings in one session: says where it stands, takes what comes, confirms.

What comes is done in its order by one task: deltas that wait are applied together, with one flush and one
acknowledgement behind it. An acknowledgement is sent when the store has made it durable and at no other
place. Before a snapshot replaces what the Master cannot prove to have, that is kept as a conflict snapshot,
whatever the Master's verdict was. A full disk is waited out; after a failed flush nothing is acknowledged
until a restart.

Runs on the loop; the store's work in the store's thread, conflict snapshots in a worker thread.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import Refusal
from ..redundancy.peer.part import Channel
from ..settings import snapshot
from ..settings.database import NoSpace, StoreFailed
from ..settings.following import OutOfStep, StateDiffers
from ..settings.holding import Revision
from ..settings.lineage import Action, Standing, parting
from ..settings.position import Position
from ..settings.snapshot import Snapshot
from ..settings.store import Store
from . import messages
from .conflicts import Conflict
from .means import Means, Progress, progress
from .messages import Check, Chunk, Deltas, Head, Said, Verdict
from .staging import Staging

RETRY = 5.0  # seconds until a full disk is tried again; a delta that comes in does so at once
FORGIVEN = 600.0  # seconds after which a disagreement is no repetition of the one before
PAUSE_MAX = 60.0

Message = Said | Verdict | Deltas | Head | Chunk | Check

SAVES_FIRST = (Action.FORK, Action.CORRUPT)
SENT = (Action.IN_STEP, Action.DELTAS, Action.SNAPSHOT, *SAVES_FIRST)


@dataclass
class Past:
    """What outlives a session."""

    staging: Staging = field(default_factory=Staging)
    number: int = 0  # of the last standing
    strikes: list[float] = field(default_factory=list[float])  # when the two units disagreed
    full: bool = False  # the disk, and it was told
    failed: bool = False  # the store, until a restart; and it was told

    def pause(self, now: float) -> float:
        """Seconds to wait before it is tried anew: none at first, then longer each time."""
        self.strikes = [when for when in self.strikes if now - when < FORGIVEN]
        self.strikes.append(now)
        return min(PAUSE_MAX, 2.0 ** (len(self.strikes) - 2)) if len(self.strikes) > 1 else 0.0


class Follower:
    """`changed` is called whenever `current` may have changed."""

    def __init__(self, means: Means, channel: Channel, past: Past, changed: Callable[[], object]) -> None:
        self._means = means
        self._channel = channel
        self._past = past
        self._changed = changed
        self.state = "waiting for the Master"
        self.trouble = ""
        self.peer_rev: int | None = None
        self.current = False
        self.to_pass_on = True  # there may be conflict snapshots that the Master lacks
        self._accepting = 0  # the number of the standing whose answers are taken; 0: of none
        self._master: Standing | None = None
        self._verdict: Verdict | None = None
        self._kept: Position | None = None  # what was saved and may be given up
        self._copy: tuple[int, float] | None = None  # octets that were there before, since when it comes
        self._jobs: deque[Message] = deque()
        self._more = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._work())
        if past.failed:
            self.state = "stopped: this unit cannot write its settings until it is restarted"

    # --- what the part calls --------------------------------------------------------------------------------
    def heard(self, message: Message) -> None:
        if not isinstance(message, Said) and message.number != self._accepting:
            return  # of a standing before; whoever pauses gathers nothing
        self._jobs.append(message)
        self._more.set()

    def end(self) -> None:
        self._task.cancel()
        self.current, self.state = False, "waiting for the Master"

    def compare(self) -> None:
        """Says anew where this unit stands, which the Master compares whole (R15)."""
        if self._master is not None:
            self.heard(Said(0, messages.MASTER, self._master))

    @property
    def ahead(self) -> bool:
        """The Master has nothing but its own settings: this unit's are to be both's (HAND_OVER)."""
        return self._verdict is not None and self._verdict.action == Action.HAND_OVER

    @property
    def lag(self) -> int | None:
        return None if self.peer_rev is None else max(0, self.peer_rev - self._means.store.revision)

    def progress(self) -> Progress | None:
        staging = self._past.staging
        if self._copy is None or not staging.octets:
            return None
        first, since = self._copy
        return progress(staging.have, staging.octets, first, self._loop.time() - since)

    # --- the task -------------------------------------------------------------------------------------------
    async def _work(self) -> None:
        while True:
            while not self._jobs:
                self._more.clear()
                await self._more.wait()
            message = self._jobs.popleft()
            try:
                await self._do(message)
            except StateDiffers as error:
                await self._disagree(str(error), differs=True)
            except StoreFailed as error:
                self._failed(error)
            except Refusal as error:
                await self._disagree(str(error))
            except OSError as error:
                await self._disagree(f"{error.filename or 'flash'}: {error.strerror}")

    async def _do(self, message: Message) -> None:
        if self._past.failed:
            return
        if isinstance(message, Said):
            self._asked(message)
        elif message.number != self._accepting:
            return  # of a standing before
        elif isinstance(message, Verdict):
            await self._judged(message)
        elif isinstance(message, Deltas):
            await self._take_deltas(message)
        elif isinstance(message, Head):
            self._begin_copy(message)
        elif isinstance(message, Chunk):
            if self._past.staging.add(message.offset, message.octets):
                await self._take_snapshot()
        elif isinstance(message, Check):
            self._compared(message)

    def _asked(self, said: Said) -> None:
        if said.role == messages.MASTER:
            self._master = said.standing
            self._stand()
        else:  # it is no Master any more
            self._master, self._accepting, self.state = None, 0, "waiting for the Master"
            self._know(False)

    def _stand(self, differs: str = "") -> None:
        past, staging = self._past, self._past.staging
        past.number += 1
        self._accepting, self._verdict, self._kept, self._copy = past.number, None, None, None
        said = Said(
            past.number, messages.BACKUP, self._means.store.standing, differs, staging.digest, staging.have
        )
        self._channel.send(messages.STANDING, messages.standing_body(said))

    async def _disagree(self, why: str, differs: bool = False) -> None:
        """What came does not fit what is here: it begins anew, soon at first and later with pauses."""
        self.trouble, self._accepting = why, 0
        self._know(False)
        pause = self._past.pause(self._loop.time())
        if pause:
            self._means.tell("warning", "Synchronization begins anew", f"in {pause:g} s: {why}")
            await asyncio.sleep(pause)
        self._stand(why if differs else "")

    def _failed(self, error: StoreFailed) -> None:
        self.trouble = str(error)
        self.state = f"stopped: {error}"
        self._know(False)
        self._accepting = 0
        if not self._past.failed:
            self._past.failed = True
            self._means.tell("critical", "Settings cannot be written", str(error))
        said = Said(0, messages.NEITHER, self._means.store.standing, "the Backup cannot write its settings")
        self._channel.send(messages.STANDING, messages.standing_body(said))

    # --- verdicts -------------------------------------------------------------------------------------------
    async def _judged(self, verdict: Verdict) -> None:
        self._verdict, self.peer_rev = verdict, verdict.rev
        self.state = verdict.action if verdict.action in SENT else f"{verdict.action}: {verdict.why}"
        if verdict.action == Action.IN_STEP:
            self._in_step()
        elif self.ahead:
            self._changed()
        elif verdict.action in SAVES_FIRST:
            if verdict.action == Action.CORRUPT:
                fault = await self._means.run_in_store(lambda store: store.scrub())
                self._means.tell(
                    "critical", "Settings differ", f"{verdict.why}; here: {fault or 'as written'}"
                )
            number = await self._save(verdict.action, verdict.why)
            self._channel.send(messages.KEPT, (self._accepting, number))

    async def _save(self, action: str, why: str) -> int:
        """Makes durable as a conflict snapshot what is about to be given up; returns its number."""
        self.state = "saving what this unit has"
        master = self._master or Standing(Position())
        conflict = await self._means.run_in_store(lambda store: self._pictured(store, master, action, why))
        while True:
            try:
                kept = await asyncio.to_thread(self._means.conflicts.keep, conflict)
                break
            except OSError as error:
                why = f"conflict snapshot: {error.strerror}; what this unit has is not given up"
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    self._means.tell("critical", "Conflict snapshot not kept", why)
                    raise
                self._full(why)
                await asyncio.sleep(RETRY)
        self._space()
        self._kept, self.to_pass_on = conflict.position, True
        if not kept.again:
            self._means.tell(
                "warning", "Conflict snapshot",
                f"conflict {kept.number}: {why}; it has {len(conflict.frames)} revisions of this unit's own",
            )  # fmt: skip
        for number in kept.dropped:
            self._means.tell(
                "warning", "Conflict snapshot dropped", f"conflict {number}: the oldest of too many"
            )
        return kept.number

    def _pictured(self, store: Store, master: Standing, action: str, why: str) -> Conflict:
        """In the store's thread."""
        since = parting(store.standing, master)
        return Conflict(
            int(time.time()), why, action, self._means.unit, self._channel.peer.serial, store.position,
            master.position, since, store.snapshot(), tuple(store.log.frames(since)),
            self._means.voice(),
        )  # fmt: skip

    # --- deltas ---------------------------------------------------------------------------------------------
    async def _take_deltas(self, first: Deltas) -> None:
        self.peer_rev = first.rev
        frames = list(first.frames)
        while True:
            self._gather(frames)
            try:
                revisions = await self._means.run_in_store(lambda store: store.apply_deltas(frames))
                break
            except NoSpace as error:
                self._full(str(error))
                if not await self._wait_for_space():
                    return  # the Master asked where this unit stands, and sends them again
        self._space()
        self._acknowledge(revisions[-1].rev)
        self._applied(revisions)

    def _gather(self, frames: list[bytes]) -> None:
        """Takes the deltas that wait behind these as well."""
        while self._jobs:
            message = self._jobs[0]
            if not isinstance(message, Deltas) or message.number != self._accepting:
                return
            self._jobs.popleft()
            self.peer_rev = message.rev
            frames += message.frames

    async def _wait_for_space(self) -> bool:
        """Until it is worth another try. False: what comes next are no deltas."""
        if not self._jobs:
            self._more.clear()
            try:
                await asyncio.wait_for(self._more.wait(), RETRY)
            except TimeoutError:
                return True
        return isinstance(self._jobs[0], Deltas)

    def _applied(self, revisions: list[Revision]) -> None:
        self._means.applied(frozenset().union(*(revision.changed for revision in revisions)))

    # --- a snapshot -----------------------------------------------------------------------------------------
    def _begin_copy(self, head: Head) -> None:
        self._past.staging.begin(head.octets, head.digest, head.offset)
        self._copy = (head.offset, self._loop.time())
        self.state = "copying"

    async def _take_snapshot(self) -> None:
        octets = self._past.staging.take()
        found = await self._means.run_in_store(lambda _: snapshot.parse(octets))  # off the loop
        at = await self._may_give_up(found)
        while True:
            try:
                revision = await self._means.run_in_store(lambda store: _load(store, octets, at))
                break
            except NoSpace as error:
                self._full(str(error))
                await asyncio.sleep(RETRY)
        self._space()
        self._copy = None
        self._acknowledge(revision.rev)
        self._applied([revision])

    async def _may_give_up(self, found: Snapshot) -> Position:
        """The position that the snapshot may replace: nothing is lost by it, or it is kept as a conflict
        snapshot. Raises Refusal where a bare Master would take everything away."""
        here = self._means.store.standing
        if found.position.empty and not here.position.empty:
            raise Refusal("the Master's snapshot is of factory state; expected one that has data")
        there = Standing(found.position, 0, found.histories)
        lost = here.position.rev > parting(here, there)
        if lost and not here.bare and self._kept != here.position:
            await self._save(
                Action.SNAPSHOT, f"a snapshot of {found.position} takes the place of {here.position}"
            )
            return here.position
        return here.position

    # --- confirming -----------------------------------------------------------------------------------------
    def _acknowledge(self, rev: int) -> None:
        """Only with what the store has made durable."""
        history = self._means.store.position.history
        self._channel.send(messages.ACK, (self._accepting, history, rev))
        if self.peer_rev is not None and rev >= self.peer_rev:
            self._in_step()
        else:
            self.state = "behind"
            self._know(False)

    def _compared(self, check: Check) -> None:
        store = self._means.store
        if (check.position, check.state_hash) == (store.position, store.state_hash):
            self._acknowledge(store.revision)
        else:
            self._stand()

    def _in_step(self) -> None:
        self.state, self.trouble = str(Action.IN_STEP), ""
        self._know(True)

    def _know(self, current: bool) -> None:
        self.current = current
        self._changed()

    def _full(self, why: str) -> None:
        self.trouble, self.state = why, f"waiting for space: {why}"
        self._know(False)
        if not self._past.full:
            self._past.full = True
            self._means.tell("critical", "No space for synchronization", why)

    def _space(self) -> None:
        if self._past.full:
            self._past.full, self.trouble = False, ""
            self._means.tell("success", "Synchronization has space again", "")


def _load(store: Store, octets: bytes, at: Position) -> Revision:
    """In the store's thread."""
    if store.position != at:
        raise OutOfStep(f"snapshot: {store.position} is here; expected {at}")
    return store.load_snapshot(octets)
