# SPDX-License-Identifier: Apache-2.0
"""position: where settings stand in time: a history, a revision in it, and the chain that proves the way.

One unit writes at a time, so there are no version vectors and no consensus (synchronisation.md): a history is
128 random bits, opened at the first commit after a promotion, after an unclean boot whose log fails its chain
and after a restore. Revisions count up across histories, and no revision is ever used twice within one. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

HISTORY_SIZE = 16  # octets
CHAIN_SIZE = 16
NO_HISTORY = bytes(HISTORY_SIZE)  # a unit on which nothing was ever set
START = bytes(CHAIN_SIZE)  # the chain before the first revision


def chain_after(prev: bytes, history: bytes, rev: int, body: bytes) -> bytes:
    """blake2b-128(prev ‖ history ‖ rev as 8 octets, big-endian ‖ body)."""
    return blake2b(prev + history + rev.to_bytes(8, "big") + body, digest_size=CHAIN_SIZE).digest()


@dataclass(frozen=True, slots=True)
class Position:
    """The last revision, the history in which it was made, and its chain."""

    history: bytes = NO_HISTORY
    rev: int = 0
    chain: bytes = START

    @property
    def empty(self) -> bool:
        """Factory state: there is no revision, so there is nothing that could be lost."""
        return self.history == NO_HISTORY

    def __str__(self) -> str:
        return f"revision {self.rev} of history {self.history.hex()[:8]}"


@dataclass(frozen=True, slots=True)
class History:
    """A history that the data descends from. `fork_rev` and `fork_chain` are the last revision taken from the
    history before it, which this one continues."""

    id: bytes
    term: int
    fork_rev: int
    fork_chain: bytes


def history_at(histories: tuple[History, ...], rev: int) -> bytes:
    """The history in which revision `rev` was made; NO_HISTORY for a revision before the first known."""
    found = NO_HISTORY
    for history in histories:  # in the order of their forks
        if history.fork_rev < rev:
            found = history.id
    return found
