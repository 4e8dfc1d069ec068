# SPDX-License-Identifier: Apache-2.0
"""What a Backup has to be sent, by where both stand: the whole table of synchronisation.md (R5, R10, R16)."""

from __future__ import annotations

import pytest

from qx.settings.lineage import Action, Decision, LogView, Standing, decide, known_chain, parting
from qx.settings.position import START, History, Position

OLD, NEW, ELSE, LATER = (bytes([n]) * 16 for n in (1, 2, 3, 4))


def chain(rev: int) -> bytes:
    """That of the Master at its revision."""
    return START if rev == 0 else bytes([200]) * 8 + rev.to_bytes(8, "big")


# The Master: 20 revisions in OLD, then 30 in NEW; its log reaches back to revision 11.
HISTORIES = (History(OLD, 1, 0, START), History(NEW, 2, 20, chain(20)))
MASTER = Standing(Position(NEW, 50, chain(50)), 2, HISTORIES, b"hash", master=True)
FACTORY = Standing(Position())


def chain_at(rev: int) -> bytes | None:
    known = known_chain(MASTER.position, HISTORIES, rev)
    return chain(rev) if known is None and rev >= 10 else known


LOG = LogView(11, chain_at)


def backup(
    history: bytes, rev: int, its_chain: bytes | None = None, also: tuple[History, ...] = (), **more: object
) -> Standing:
    histories = (*also, History(history, 1, 0, START))
    at = Position(history, rev, chain(rev) if its_chain is None else its_chain)
    return Standing(at, 1, histories, **more)  # type: ignore[arg-type]


def asked(standing: Standing, master: Standing = MASTER, paired: bool = True) -> Decision:
    return decide(master, LOG, standing, paired)


@pytest.mark.parametrize(
    ("standing", "action"),
    [
        # Backup empty
        (FACTORY, Action.SNAPSHOT),
        # e = current, r <= rev, chain equal, log still holds r+1
        (backup(NEW, 50), Action.IN_STEP),
        (backup(NEW, 50, state_hash=b"hash"), Action.IN_STEP),
        (backup(NEW, 49), Action.DELTAS),
        (backup(NEW, 21), Action.DELTAS),
        # e in history, r <= fork point, chain equal, log holds r+1
        (backup(OLD, 20), Action.DELTAS),
        (backup(OLD, 10), Action.DELTAS),
        # same but log compacted
        (backup(OLD, 9), Action.SNAPSHOT),
        (backup(OLD, 1), Action.SNAPSHOT),
        # e in history, r > fork_rev
        (backup(OLD, 21), Action.FORK),
        (backup(OLD, 60), Action.FORK),
        # in the Master's history, and further than it
        (backup(NEW, 51), Action.FORK),
        # chain differs at same (e, r)
        (backup(NEW, 50, b"x" * 16), Action.CORRUPT),
        (backup(NEW, 30, b"x" * 16), Action.CORRUPT),
        (backup(OLD, 20, b"x" * 16), Action.CORRUPT),
        (backup(OLD, 10, b"x" * 16), Action.CORRUPT),
        (backup(NEW, 50, state_hash=b"other"), Action.CORRUPT),
        # a revision that was not made in the history that it names
        (backup(NEW, 20), Action.CORRUPT),
        (backup(NEW, 15), Action.CORRUPT),
        (backup(OLD, 0), Action.CORRUPT),
        # the Backup went on from a history that both know
        (backup(LATER, 55, also=HISTORIES), Action.FORK),
        (backup(LATER, 15, also=HISTORIES[:1]), Action.FORK),
        # strangers with keys for each other
        (backup(ELSE, 5), Action.FORK),
        (backup(ELSE, 5, bare=True), Action.SNAPSHOT),
    ],
)
def test_each_row_of_the_table(standing: Standing, action: Action) -> None:
    """R16: what is sent; each row by its number in the table."""
    assert asked(standing).action == action


def test_emptiness_is_never_propagated() -> None:
    """A restarted, empty Master emptied its replicas (Redis): STOP, and both empty is nothing to do."""
    empty = Standing(Position(), master=True)
    assert asked(backup(NEW, 1), empty).action == Action.STOP
    assert asked(backup(NEW, 1, bare=True), empty).action == Action.STOP
    assert asked(FACTORY, empty).action == Action.IN_STEP


def test_strangers_are_refused_unless_they_have_keys_for_each_other() -> None:
    """R5, R17: an operator must pair them."""
    for standing in (backup(ELSE, 5), backup(ELSE, 5, bare=True)):
        assert asked(standing, paired=False).action == Action.REFUSE
    assert asked(backup(NEW, 40), paired=False).action == Action.DELTAS  # a common history is enough


def test_first_pairing_spares_the_unit_that_has_data() -> None:
    """R5: the bare unit takes the other's state, whichever is Master; with data on both it is a conflict."""
    bare = Standing(MASTER.position, 2, HISTORIES, bare=True, master=True)
    assert asked(backup(ELSE, 5), bare).action == Action.HAND_OVER
    assert asked(backup(ELSE, 5, bare=True), bare).action == Action.SNAPSHOT
    assert asked(backup(NEW, 40), bare).action == Action.DELTAS


def test_a_master_that_lost_its_tail_opens_a_new_history_first() -> None:
    """Sequence numbers used again left peers silently out of sync (syncthing#6335)."""
    assert asked(backup(NEW, 51)).new_history
    assert not asked(backup(OLD, 21)).new_history


@pytest.mark.parametrize(
    ("term", "action"), [(1, Action.IN_STEP), (2, Action.BOTH_MASTERS), (3, Action.BOTH_MASTERS)]
)
def test_synchronisation_never_elects(term: int, action: Action) -> None:
    """R10: two Masters of one term are the redundancy part's to resolve; the later term goes on."""
    other = Standing(MASTER.position, term, HISTORIES, master=True)
    assert asked(other).action == action


def test_every_decision_says_why() -> None:
    """The line for the log and the event."""
    for standing in (FACTORY, backup(NEW, 50), backup(OLD, 21), backup(ELSE, 5), backup(NEW, 30, b"x" * 16)):
        assert asked(standing).why


def test_every_position_has_a_decision() -> None:
    """No position, however odd, makes it fail; deltas are promised only where the log reaches."""
    for history in (OLD, NEW, ELSE, bytes(16)):
        for rev in range(60):
            for its in (chain(rev), b"x" * 16):
                decision = asked(Standing(Position(history, rev, its)))
                if decision.action == Action.DELTAS:
                    assert its == chain(rev)
                    assert 10 <= rev < 50
                    assert (history == OLD) == (rev <= 20)


def test_where_two_ways_part() -> None:
    """R10: the last revision that both have; the tail after it is what a conflict snapshot keeps."""
    assert parting(MASTER, backup(NEW, 30)) == 30
    assert parting(MASTER, backup(NEW, 60, also=(History(OLD, 1, 0, START),))) == 50
    assert parting(MASTER, backup(OLD, 25)) == 20
    other = (*HISTORIES[:1], History(ELSE, 1, 12, START))
    assert parting(MASTER, Standing(Position(ELSE, 40, chain(1)), 1, other)) == 12
    assert parting(MASTER, backup(ELSE, 9)) == 0
    assert parting(MASTER, FACTORY) == parting(FACTORY, FACTORY) == 0
