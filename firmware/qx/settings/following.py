# SPDX-License-Identifier: Apache-2.0
"""following: what a store does with the other unit's changes: takes a delta or a snapshot, whole or not at
all, and says what another unit that stands elsewhere would need. Of the store's thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import Refusal
from . import delta, lineage, snapshot, tables
from .holding import Holding, Revision
from .lineage import Action, Decision, LogView, Standing
from .position import History, Position
from .snapshot import Snapshot
from .state import State
from .values import Plain


class OutOfStep(Refusal):
    """The delta does not follow what is here: the hello's decision is due anew."""


class StateDiffers(Refusal):
    """The delta follows by its chain and does not fit the content: a snapshot is due, and a look at both."""


@dataclass(frozen=True, slots=True)
class _Step:
    """Where a delta leads, worked out and not yet written."""

    change: delta.Delta
    history: History
    histories: tuple[History, ...]
    state: State
    frame: bytes


class Following(Holding):
    # --- towards a unit that follows this one ------------------------------------------------------
    def decide(self, backup: Standing, paired: bool, term: int | None = None) -> Decision:
        """What a Backup that stands there has to be sent by this unit as Master in `term` (else that of its
        history). `paired`: keys issued for each other."""
        own = self.standing
        here = replace(own, master=True, term=own.term if term is None else term)
        first = self._position.rev + 1 if self._log.first is None else self._log.first
        return lineage.decide(here, LogView(first, self._chain_at), backup, paired)

    def deltas_since(
        self, history: bytes, rev: int, chain: bytes, most_octets: int = 4 << 20
    ) -> tuple[Decision, list[bytes]]:
        """The decision for a Backup at that position and, where it is DELTAS, the frames from there on, as
        many as `most_octets` take (at least one). It may be SNAPSHOT, FORK or CORRUPT instead; what only a
        hello tells (histories, keys, state hash) is in `decide`."""
        histories = (History(history, 0, 0, b""),)
        decision = self.decide(Standing(Position(history, rev, chain), histories=histories), paired=False)
        return decision, self._log.frames(rev, most_octets) if decision.action == Action.DELTAS else []

    def snapshot(self) -> bytes:
        """All that is shared, for the peer; the same octets on both units in the same state."""
        return snapshot.build(Snapshot(self.model.name, self._position, self._histories, self._state))

    def _chain_at(self, rev: int) -> bytes | None:
        known = lineage.known_chain(self._position, self._histories, rev)
        return self._log.chain_at(rev) if known is None else known

    # --- from the unit that this one follows -------------------------------------------------------
    def apply_delta(self, frame: bytes) -> Revision:
        """Makes the other unit's next commit this unit's as well: whole and durable, or not at all. Raises
        BadFrame for octets that are no frame, OutOfStep when it does not follow the position, StateDiffers
        when it does and leads to another state than it says."""
        return self.apply_deltas((frame,))[0]

    def apply_deltas(self, frames: Sequence[bytes]) -> list[Revision]:
        """The same for several that follow one another, with one flush for all of them: flash wears by
        flushes. Where one of them is refused, those before it have become durable when it raises."""
        steps: list[_Step] = []
        try:
            for frame in frames:
                steps.append(self._step(steps, frame))
        except Refusal:
            self._take(steps)
            raise
        return self._take(steps)

    def _step(self, steps: list[_Step], frame: bytes) -> _Step:
        change = delta.parse(frame)
        at, state, histories = self._position, self._state, self._histories
        if steps:
            at, state, histories = steps[-1].change.position, steps[-1].state, steps[-1].histories
        if change.prev != at.chain or change.position.rev != at.rev + 1:
            raise OutOfStep(f"delta: {change.position} does not follow {at}")
        history = _followed(change, histories)
        for operation in change.operations:
            if self._scope(operation.path) == "unit":
                raise StateDiffers(f"delta: {operation.path}: the unit's own; expected a shared setting")
            if not state.holds(operation.path, operation.before):
                raise StateDiffers(
                    f"delta: {operation.path}: has another value here before {change.position}"
                )
        state = state.replaced(change.changes)
        if state.digest != change.state_hash:
            raise StateDiffers(f"delta: {change.position}: leads to another state here")
        if not histories or histories[-1].id != history.id:
            histories = (*histories, history)
        return _Step(change, history, histories, state, frame)

    def _take(self, steps: list[_Step]) -> list[Revision]:
        """Makes all of these durable at once, and then tells of each."""
        if not steps:
            return []
        last = steps[-1]
        changes: dict[str, Plain] = {}
        for step in steps:
            changes |= step.change.changes
        after = self._settings.replaced(self._known(changes))
        with self._transaction():
            known = self._histories
            for step in steps:
                tables.put_values(self._db, "kv", step.change.changes, step.change.position.rev)
                if step.histories != known:
                    tables.put_history(self._db, step.history)
                    known = step.histories
                self._log.append(step.change.position, step.frame)
            tables.put_position(self._db, last.change.position, last.state, self._marked)
        self._pending, self._clean = None, False
        self._moved(last.change.position, last.histories, last.state, after, self._own_rev)
        return [
            self._done(Revision(s.change.position.rev, self._own_rev, frozenset(s.change.changes), s.frame))
            for s in steps
        ]

    def load_snapshot(self, octets: bytes) -> Revision:
        """Takes the other unit's state in place of this unit's: whole and durable, or not at all. The unit's
        own stay. Raises BadSnapshot, and Refusal for another model."""
        found = snapshot.parse(octets)
        if found.model != self.model.name:
            raise Refusal(f"snapshot: of model {found.model}; expected {self.model.name}")
        values = dict(found.state.items())
        for path in values:
            if self._scope(path) == "unit":
                raise snapshot.BadSnapshot(f"snapshot: {path}: the unit's own; expected shared settings")
        changes = {**dict.fromkeys(self._state.paths()), **values}
        changes = {path: value for path, value in changes.items() if not self._state.holds(path, value)}
        after = self._settings.replaced(self._known(changes))
        with self._transaction():
            tables.replace_shared(self._db, found.position, found.histories, found.state)
            self._log.drop()
        self._pending, self._clean = None, False
        self._moved(found.position, found.histories, found.state, after, self._own_rev)
        return self._done(Revision(found.position.rev, self._own_rev, frozenset(changes)))

    def scrub(self) -> str:
        """What flash holds beside what is in memory, read anew: what is wrong in one line, empty where both
        agree and the log leads to the position."""
        try:
            content = tables.read(self._db)
        except Refusal as error:
            return str(error)
        if (content.position, content.state.digest) != (self._position, self._state.digest):
            return f"{self.file.name}: holds {content.position}; expected {self._position} as in memory"
        if State.of(dict(self._state.items())).digest != self._state.digest:
            return "the settings in memory are not those of their hash"
        fault = self._log.fault(self._position)
        return f"{self.file.name}: log: {fault}" if fault else ""

    # --- within ------------------------------------------------------------------------------------
    def _known(self, changes: delta.Changes) -> delta.Changes:
        """For the view: what is unreadable here reads as not set."""
        readable = self._readable(changes)
        return {path: readable.get(path) for path in changes}

    def _put_shared(
        self, position: Position, history: History, state: State, changes: delta.Changes, frame: bytes
    ) -> None:
        """One revision, in the caller's transaction."""
        tables.put_values(self._db, "kv", changes, position.rev)
        if not self._histories or self._histories[-1].id != history.id:
            tables.put_history(self._db, history)
        tables.put_position(self._db, position, state, self._marked)
        self._log.append(position, frame)


def _followed(change: delta.Delta, histories: tuple[History, ...]) -> History:
    """The history of the delta: the one that we are in, or one that it opens."""
    if change.position.history in {history.id for history in histories[:-1]}:
        raise OutOfStep(f"delta: {change.position} goes back to a history that was left")
    if histories and histories[-1].id == change.position.history:
        return histories[-1]
    return change.history()
