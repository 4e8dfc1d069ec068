# SPDX-License-Identifier: Apache-2.0
"""lineage: what a Master has to send a Backup, by where each says that it stands. Pure.

The decision table of `synchronisation.md` (the generation table of DRBD and PSYNC2 of Redis, with one
writer). It decides from histories, revisions and chains alone: clocks and addresses say nothing here, and who
is Master is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from .position import START, History, Position, history_at


class Action(StrEnum):
    IN_STEP = "in step"  # nothing to send
    DELTAS = "deltas"  # those after the Backup's revision
    SNAPSHOT = "snapshot"  # a full one; the Backup loses nothing by it
    FORK = "fork"  # the Backup keeps a conflict snapshot durably, confirms, then takes a snapshot
    CORRUPT = "corrupt"  # as FORK; and both scrub, with an alarm: one position, two contents
    HAND_OVER = "hand over"  # the Master is bare and the Backup has data: the role goes to the Backup first
    STOP = "stop"  # the Master is in factory state and the Backup is not: nothing is sent, alarm
    REFUSE = "refuse"  # strangers: an operator must pair them
    BOTH_MASTERS = "both masters"  # the redundancy part must resolve it; synchronisation never elects


@dataclass(frozen=True, slots=True)
class Standing:
    """What a unit says of its settings in its hello."""

    position: Position
    term: int = 0
    histories: tuple[History, ...] = ()  # in the order of their forks; the last is the position's
    state_hash: bytes = b""  # empty: not told
    bare: bool = False  # only factory, redundancy, network and password settings
    master: bool = False  # claims to be Master

    def knows(self, history: bytes) -> bool:
        return any(known.id == history for known in self.histories)


@dataclass(frozen=True, slots=True)
class LogView:
    """What the Master's log can prove. `first` is the lowest revision whose delta it holds (the next one
    where it holds none); `chain_at(rev)` the chain after that revision, None where it is unknown by now."""

    first: int
    chain_at: Callable[[int], bytes | None]

    def can_follow(self, rev: int, last: int) -> bool:
        return rev == last or self.first <= rev + 1


@dataclass(frozen=True, slots=True)
class Decision:
    action: Action
    why: str
    new_history: bool = False  # the Master opens a new history first, so that no revision is used twice


def decide(master: Standing, log: LogView, backup: Standing, paired: bool) -> Decision:
    """`master` is the unit that is asked, `backup` the one that asks. `paired`: they have keys for each
    other."""
    if backup.master and master.term <= backup.term:
        return Decision(
            Action.BOTH_MASTERS, f"both claim to be Master, in terms {master.term} and {backup.term}"
        )
    if master.position.empty:
        if backup.position.empty:
            return Decision(Action.IN_STEP, "both are in factory state")
        return Decision(Action.STOP, f"this unit is in factory state, the Backup has {backup.position}")
    if backup.position.empty:
        return Decision(Action.SNAPSHOT, "the Backup is in factory state")
    if backup.position.history == master.position.history:
        return _same_history(master, log, backup)
    if master.knows(backup.position.history):
        return _older_history(master, log, backup)
    if any(master.knows(history.id) for history in backup.histories):
        return Decision(Action.FORK, f"the Backup went on to {backup.position}, which this unit never had")
    return _strangers(master, backup, paired)


def _same_history(master: Standing, log: LogView, backup: Standing) -> Decision:
    at, last = backup.position, master.position
    if at.rev > last.rev:
        why = f"the Backup has {at}, this unit has lost what came after {last.rev}"
        return Decision(Action.FORK, why, new_history=True)
    if at.rev == last.rev and at.chain == last.chain:
        hashes = {master.state_hash, backup.state_hash} - {b""}
        if len(hashes) > 1:
            return Decision(Action.CORRUPT, f"both have {at} with different contents")
        return Decision(Action.IN_STEP, f"both have {at}")
    return _along(master, log, at)


def _older_history(master: Standing, log: LogView, backup: Standing) -> Decision:
    at = backup.position
    after = [h.id for h in master.histories].index(at.history) + 1
    left = master.histories[after].fork_rev  # the last revision that this unit took from that history
    if at.rev > left:
        return Decision(Action.FORK, f"the Backup has {at}, this unit left that history at {left}")
    return _along(master, log, at)


def _along(master: Standing, log: LogView, at: Position) -> Decision:
    """The Backup's position lies on the Master's way, if its history and chain say so."""
    if history_at(master.histories, at.rev) != at.history:
        return Decision(Action.CORRUPT, f"revision {at.rev} was not made in history {at.history.hex()[:8]}")
    chain = log.chain_at(at.rev)
    if chain is not None and chain != at.chain:
        return Decision(Action.CORRUPT, f"{at} has another chain here: one position, two contents")
    if chain is None or not log.can_follow(at.rev, master.position.rev):
        return Decision(Action.SNAPSHOT, f"the log does not reach back to {at.rev}")
    return Decision(Action.DELTAS, f"from {at.rev} to {master.position.rev}")


def _strangers(master: Standing, backup: Standing, paired: bool) -> Decision:
    if not paired:
        return Decision(Action.REFUSE, "the units have no history in common and no keys for each other")
    if backup.bare:
        return Decision(Action.SNAPSHOT, "first pairing: the Backup has nothing but its own settings")
    if master.bare:
        return Decision(Action.HAND_OVER, "first pairing: this unit has nothing but its own settings")
    return Decision(Action.FORK, "first pairing: both units have data")


def parting(one: Standing, other: Standing) -> int:
    """The last revision that both have in common; 0 where there is none."""
    found = 0
    ends = {h.id: end for h, end in _ends(other)}
    for history, end in _ends(one):
        if history.id in ends:
            found = max(found, min(end, ends[history.id]))
    return found


def _ends(standing: Standing) -> Iterator[tuple[History, int]]:
    """Each history with the last revision made in it."""
    after = [history.fork_rev for history in standing.histories[1:]]
    return zip(standing.histories, (*after, standing.position.rev), strict=False)  # in factory state none


def known_chain(position: Position, histories: tuple[History, ...], rev: int) -> bytes | None:
    """The chain after `rev` as far as it is known without the log."""
    if rev == position.rev:
        return position.chain
    for history in histories:
        if history.fork_rev == rev:
            return history.fork_chain
    return START if rev == 0 else None
