# SPDX-License-Identifier: Apache-2.0
"""leader: the Master's side of settings in one session: sends the Backup what it lacks, hears what it has.

It begins with the Backup's standing, decides by the table of lineage.py, and ends up `live`: each commit goes
out in the turn of the loop in which it is heard of, straight from memory. Where more waits than WINDOW, or
something else was committed than follows what was sent, it reads the log instead (`_catch_up`), in batches,
until there is nothing more. Whenever the Backup says anew where it stands, all of this begins anew; numbers
keep the two apart (messages.py).

Runs on the loop; what waits is in one task, and the store's work in the store's thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from ..errors import Refusal
from ..redundancy.peer.hello import newer
from ..redundancy.peer.message import BadMessage
from ..redundancy.peer.part import Channel
from ..redundancy.peer.wire import Ended
from ..settings import delta
from ..settings.lineage import Action, Decision
from ..settings.position import Position
from ..settings.store import Revision, Store
from . import messages
from .means import Means, Progress, progress
from .messages import HELD, Ack, Check, Kept, Said, Verdict
from .staging import CHUNK, digest_of

WINDOW = 1 << 20  # octets of deltas that may be on their way; more stays in the log
BATCH = 128 << 10  # octets of deltas in one message when catching up

T = TypeVar("T")

WAITING = "waiting for the Backup"
SAVES_FIRST = (Action.FORK, Action.CORRUPT)
NOTHING_CROSSES = (Action.HAND_OVER, Action.STOP, Action.REFUSE, Action.BOTH_MASTERS)


class Leader:
    """`changed` is called whenever `current` may have changed."""

    def __init__(self, means: Means, channel: Channel, changed: Callable[[], object]) -> None:
        self._means = means
        self._changed = changed
        self._channel = channel
        self.state = WAITING
        self.trouble = ""
        self.acked: int | None = None  # everything up to this revision is durable on the Backup
        self.peer_rev: int | None = None
        self.live = False
        self.copying: tuple[int, int, int, float] | None = None  # octets sent, of, before it began, since
        self._number = 0  # of the standing that is being answered; 0: none
        self._deltas = False  # what is lacking crosses as deltas, so that waiting for it makes sense
        self._sent = Position()
        self._on_way: deque[tuple[int, int]] = deque()  # revision and octets of what is not acknowledged
        self._octets_on_way = 0
        self._moved = asyncio.Event()  # an ACK came
        self._kept: asyncio.Future[int] | None = None
        self._waiting: list[tuple[int, asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    # --- what the part calls --------------------------------------------------------------------------------
    def begin(self) -> None:
        """Asks the Backup where it stands, and says where this unit does."""
        standing = replace(self._means.store.standing, master=True)
        self._send(messages.STANDING, messages.standing_body(Said(0, messages.MASTER, standing)))

    def end(self) -> None:
        """The session or the role is over."""
        self._stop()
        self._in_vain()
        self._number, self.state = 0, WAITING

    def committed(self, revision: Revision) -> None:
        """The store has a new revision."""
        if not self._number:
            return
        at = delta.header(revision.frame)
        if at.position.rev <= self._sent.rev and at.position.history == self._sent.history:
            return  # read from the log before it was heard of
        if self.live and at.prev == self._sent.chain and self._octets_on_way < WINDOW:
            self._send_deltas((revision.frame,), at.position)
        elif self.live:
            self.live = False
            self._run(self._follow_up)

    def compare(self) -> None:
        """Whether the Backup still has the same (R15)."""
        if self.live:
            store = self._means.store
            at, state_hash = store.position, store.state_hash
            if at == self._sent:
                check = Check(self._number, at, state_hash)
                self._send(messages.CHECK, messages.check_body(check))
        elif self._task is None or self._task.done():
            self.begin()

    def durable(self, rev: int, seconds: float) -> asyncio.Future[bool]:
        """True once the Backup has acknowledged this revision or a later one. A future and no coroutine: who
        asks for what is known already waits for no turn of the loop."""
        if self.acked is not None and self.acked >= rev:
            return known(True)
        if not self._number or not self._deltas:
            return known(False)
        waiter: asyncio.Future[bool] = self._loop.create_future()
        entry = (rev, waiter)
        self._waiting.append(entry)
        timer = self._loop.call_later(seconds, _resolve, waiter, False)

        def over(_: object) -> None:
            timer.cancel()
            self._waiting.remove(entry)

        waiter.add_done_callback(over)
        return waiter

    @property
    def current(self) -> bool:
        """The Backup has everything."""
        return self.live and self.lag == 0

    @property
    def lag(self) -> int | None:
        """Revisions that the Backup lacks; None where that is not known."""
        if self.acked is None:
            return None
        return max(0, self._means.store.revision - self.acked)

    def progress(self) -> Progress | None:
        if self.copying is None:
            return None
        sent, of, first, since = self.copying
        return progress(sent, of, first, self._loop.time() - since)

    # --- what the Backup says -------------------------------------------------------------------------------
    def said(self, said: Said) -> None:
        """Where the Backup stands: all begins anew."""
        self._stop()
        self.trouble = ""
        if said.role == messages.NEITHER:
            self._number, self.state = 0, f"waiting: {said.differs}" if said.differs else WAITING
            self._in_vain()
            return
        self._number, self.peer_rev = said.number, said.standing.position.rev
        self._run(lambda: self._serve(said))

    def heard_ack(self, ack: Ack) -> None:
        if ack.number != self._number:
            return
        if ack.rev > self._sent.rev:
            raise BadMessage(f"settings: revision {ack.rev} acknowledged; expected at most {self._sent.rev}")
        while self._on_way and self._on_way[0][0] <= ack.rev:
            self._octets_on_way -= self._on_way.popleft()[1]
        self._has(ack.rev)
        self._moved.set()
        self._changed()

    def _has(self, rev: int) -> None:
        """The Backup has everything up to this revision."""
        self.acked = self.peer_rev = rev
        for wanted, waiter in self._waiting:
            if wanted <= rev:
                _resolve(waiter, True)

    def _in_vain(self) -> None:
        """Nobody is to wait for the Backup any more, until deltas cross again."""
        self._deltas = False
        for _, waiter in self._waiting:
            _resolve(waiter, False)

    def heard_kept(self, kept: Kept) -> None:
        if kept.number == self._number and self._kept is not None:
            _resolve(self._kept, kept.conflict)

    # --- the task -------------------------------------------------------------------------------------------
    def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._task = self._loop.create_task(self._guarded(work))

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Ended:
            pass  # `ended` follows
        except Refusal as error:
            self._in_vain()
            self._hold(str(error))
            self._means.tell("critical", "Synchronization stopped", str(error))

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task, self._kept = None, None
        self.live, self.copying = False, None
        self.acked = None
        self._on_way.clear()
        self._octets_on_way = 0

    async def _serve(self, said: Said) -> None:
        """Sends the Backup what it lacks, from where it says that it stands. Whoever waits for an
        acknowledgement goes on waiting where deltas lead there."""
        held = self._held_by_firmware()
        if held:
            self._in_vain()
            self._verdict(HELD, held)
            self._hold(held)
            return
        decision = await self._means.run_in_store(lambda store: _decide(store, said))
        if said.role == messages.MASTER or decision.action in NOTHING_CROSSES:
            self._nothing_crosses(said, decision)
            return
        if decision.action in (Action.IN_STEP, Action.DELTAS):
            self._from(said.standing.position)
            self._verdict(decision.action, decision.why)
            await self._follow_up()
            return
        self._in_vain()
        if decision.action in SAVES_FIRST:
            await self._conflict_kept(decision)
        else:
            self._verdict(decision.action, decision.why)
        await self._copy(said)
        await self._follow_up()

    def _held_by_firmware(self) -> str:
        """Settings cross from the older release to the newer, never back (R5)."""
        ours, theirs = self._means.firmware, self._channel.peer.firmware
        if ours == theirs or newer(theirs, ours):
            return ""
        return f"the other unit has older firmware ({theirs}, here {ours})"

    def _nothing_crosses(self, said: Said, decision: Decision) -> None:
        self._in_vain()
        self._number = 0
        if said.role == messages.BACKUP:
            self._number = said.number
            self._verdict(decision.action, decision.why)
        if decision.action in NOTHING_CROSSES:
            self._hold(decision.why, decision.action)
            self._means.decided(decision)
        else:
            self.state = "waiting: the other unit is Master too"

    async def _conflict_kept(self, decision: Decision) -> None:
        """Until the Backup has saved what it gives up. Raises Refusal where this unit's own content is not
        what it should be: damage must not spread."""
        if decision.action == Action.CORRUPT:
            fault = await self._means.run_in_store(lambda store: store.scrub())
            self._means.tell(
                "critical", "Settings differ",
                f"{decision.why}; here: {fault or 'as written'}; the Backup keeps a conflict snapshot",
            )  # fmt: skip
            if fault:
                self._verdict(HELD, "the Master's own settings are damaged")
                raise Refusal(f"this unit's settings are damaged: {fault}; expected them restored first")
        if decision.new_history:
            await self._means.run_in_store(lambda store: store.renew_history())
        self._kept = self._loop.create_future()
        self.state = "the Backup saves what it has"
        self._verdict(decision.action, decision.why)
        number = await self._kept
        if decision.action == Action.FORK:
            self._means.tell(
                "warning", "Conflict snapshot",
                f"{self._channel.peer.serial}: {decision.why}; kept there as conflict {number}",
            )  # fmt: skip

    async def _copy(self, said: Said) -> None:
        """A whole snapshot, until the Backup has it durable."""
        self.state = "copying"
        octets, at, digest = await self._means.run_in_store(_pictured)
        offset = said.have if said.staged == digest and said.have <= len(octets) else 0
        self._sent = at
        self.copying = (offset, len(octets), offset, self._loop.time())
        self._send(messages.SNAPSHOT, (self._number, len(octets), digest, offset))
        began = offset
        while offset < len(octets):
            await self._channel.room()
            part = octets[offset : offset + CHUNK]
            self._send(messages.CHUNK, (self._number, offset, part), bulk=True)
            offset += len(part)
            self.copying = (offset, len(octets), began, self.copying[3])
        del octets
        while self.acked != at.rev:
            await self._ack()
        self.copying = None

    async def _follow_up(self) -> None:
        """Sends what the log has after `_sent`, until there is nothing more and commits may go out by
        themselves."""
        self._deltas = True
        while True:
            # Bulky and urgent messages overtake each other: nothing of the one kind may be on its way when
            # the other begins. Nothing waits between this look at the store and `live`.
            if not self._on_way and self._means.store.position == self._sent:
                self.live, self.state = True, "in step"
                self._changed()
                return
            self.state = "behind"
            if self._octets_on_way < WINDOW:
                sent = self._sent
                decision, frames = await self._means.run_in_store(
                    lambda store, at=sent: store.deltas_since(at.history, at.rev, at.chain, BATCH)
                )
                if frames:
                    await self._channel.room()
                    self._send_deltas(tuple(frames), delta.header(frames[-1]).position, bulk=True)
                    continue
                if decision.action != Action.IN_STEP:
                    self.begin()  # the log no longer reaches back: a snapshot is due, from where it stands
                    return
            if self._on_way:
                await self._ack()

    async def _ack(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    # --- sending --------------------------------------------------------------------------------------------
    def _from(self, position: Position) -> None:
        """The Backup has everything up to here, and what comes next continues it."""
        self._sent = position
        self._has(position.rev)

    def _send_deltas(self, frames: tuple[bytes, ...], to: Position, bulk: bool = False) -> None:
        size = sum(map(len, frames))
        self._on_way.append((to.rev, size))
        self._octets_on_way += size
        self._sent = to
        rev = max(to.rev, self._means.store.revision)
        self._send(messages.DELTAS, (self._number, rev, frames), bulk=bulk)
        self._changed()

    def _verdict(self, action: str, why: str) -> None:
        rev = self._means.store.revision
        body = messages.verdict_body(Verdict(self._number, str(action), why, rev))
        self._send(messages.VERDICT, body)

    def _send(self, kind: int, body: tuple[object, ...], bulk: bool = False) -> None:
        self._channel.send(kind, body, bulk=bulk)

    def _hold(self, why: str, action: str = HELD) -> None:
        self.state = f"{action}: {why}"
        self.trouble = why


def _decide(store: Store, said: Said) -> Decision:
    """In the store's thread."""
    decision = store.decide(said.standing, paired=True)
    if said.differs and decision.action in (Action.IN_STEP, Action.DELTAS, Action.SNAPSHOT):
        return Decision(Action.CORRUPT, said.differs)
    return decision


def _pictured(store: Store) -> tuple[bytes, Position, bytes]:
    """In the store's thread: the snapshot, its position and its digest."""
    octets = store.snapshot()
    return octets, store.position, digest_of(octets)


def _resolve(waiter: asyncio.Future[T], value: T) -> None:
    if not waiter.done():
        waiter.set_result(value)


def known(value: bool) -> asyncio.Future[bool]:
    """An answer for which nobody has to wait."""
    future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future
