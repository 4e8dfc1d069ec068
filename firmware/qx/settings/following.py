# SPDX-License-Identifier: Apache-2.0
"""following: what a store does with the other unit's changes: takes a delta or a snapshot, whole or not at
all, and says what another unit that stands elsewhere would need. Of the store's thread.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import Refusal
from . import delta, lineage, snapshot, tables
from .holding import Holding, Revision
from .lineage import Action, Decision, LogView, Standing
from .position import History, Position
from .snapshot import Snapshot
from .state import State


class OutOfStep(Refusal):
    """The delta does not follow what is here: the hello's decision is due anew."""


class StateDiffers(Refusal):
    """The delta follows by its chain and does not fit the content: a snapshot is due, and a look at both."""


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
        change = delta.parse(frame)
        at = self._position
        if change.prev != at.chain or change.position.rev != at.rev + 1:
            raise OutOfStep(f"delta: {change.position} does not follow {at}")
        history = self._followed(change)
        for operation in change.operations:
            if self._scope(operation.path) == "unit":
                raise StateDiffers(f"delta: {operation.path}: the unit's own; expected a shared setting")
            if not self._state.holds(operation.path, operation.before):
                raise StateDiffers(
                    f"delta: {operation.path}: has another value here before {change.position}"
                )
        state = self._state.replaced(change.changes)
        if state.digest != change.state_hash:
            raise StateDiffers(f"delta: {change.position}: leads to another state here")
        after = self._settings.replaced(self._known(change.changes))
        with self._transaction():
            self._put_shared(change.position, history, state, change.changes, frame)
        self._pending, self._clean = None, False
        self._moved(change.position, self._with_history(history), state, after, self._own_rev)
        return self._done(Revision(change.position.rev, self._own_rev, frozenset(change.changes), frame))

    def _followed(self, change: delta.Delta) -> History:
        """The history of the delta: the one that we are in, or one that it opens."""
        known = {history.id for history in self._histories[:-1]}
        if change.position.history in known:
            raise OutOfStep(f"delta: {change.position} goes back to a history that was left")
        if self._histories and self._histories[-1].id == change.position.history:
            return self._histories[-1]
        return change.history()

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
        tables.put_position(self._db, position, state)
        self._log.append(position, frame)
