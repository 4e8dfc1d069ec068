# SPDX-License-Identifier: Apache-2.0
"""talk: the words of one session, at one end: hello, heartbeats, standing, goodbye. Pure.

Messages and the time go in; messages to send and what has happened come out. TLS below it has proven who the
other unit is. The unit that connected speaks first:

    HELLO     caller → listener   a map, see hello.py
    WELCOME   listener → caller   the same of the listener; both units start their parts with it
    PING      both ways           nothing; once a second, and whoever hears nothing for 3 s ends the session
    STANDING  both ways           role, mode and term, whenever one of them changes
    GOODBYE   both ways           a word for why, like "restart": the session ends in order
    TROUBLE   both ways           a line: its sender ends the session, for it does not understand the other

A TLS 1.3 client whose certificate was refused has seen a handshake without error, so a session is up for the
caller only with WELCOME. An end of the stream is always a broken connection: FIN needs no key, GOODBYE does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from .hello import PeerHello, read_hello, with_standing
from .message import BadMessage

HELLO, WELCOME, PING, STANDING, GOODBYE, TROUBLE = range(1, 7)

HEARTBEAT = 1.0  # seconds between two PINGs
SILENCE = 3.0  # seconds after the last octet of the peer: it counts as down
HANDSHAKE = 3.0  # seconds for everything until the session is up
HELLO_MAX = 192 << 10  # octets of a body before the session is up: the longest hello, and some more
WORD_MAX = 32  # characters
LINE_MAX = 300


@dataclass(frozen=True, slots=True)
class End:
    """How a session ended. `goodbye` is the word of an orderly end and None after any other; `ours` tells
    which unit said it. `why` is a line for people."""

    why: str
    goodbye: str | None = None
    ours: bool = False


class What(Enum):
    """What a message was."""

    NOTHING = "nothing that anybody has to know"
    UP = "the session is up"
    STANDING = "the peer's role, mode or term has changed"
    ENDED = "the session is over, see Talk.end"


class Step(NamedTuple):
    what: What = What.NOTHING
    send: tuple[tuple[int, Any], ...] = ()  # (kind, body)


class Talk:
    """One end of one session. `now` is of a monotonic clock, in seconds."""

    def __init__(self, caller: bool, own: PeerHello, now: float) -> None:
        self.caller = caller
        self.own = own
        self.peer: PeerHello | None = None
        self.end: End | None = None
        self._begun = now
        self._ping = now + HEARTBEAT

    @property
    def up(self) -> bool:
        return self.peer is not None and self.end is None

    def begin(self) -> Step:
        return Step(send=((HELLO, self.own.packed()),) if self.caller else ())

    # --- what comes -----------------------------------------------------------------------------------------
    def hear(self, kind: int, body: Any) -> Step:
        """A message of the session's own kinds. Raises BadMessage."""
        if kind in (GOODBYE, TROUBLE):
            return self._ended(kind, body)
        if self.peer is None:
            return self._greeted(kind, body)
        if kind == PING:
            return Step()
        if kind != STANDING:
            raise BadMessage(f"message: kind {kind}; expected none like it in a session")
        before, self.peer = self.peer, with_standing(self.peer, body)
        return Step(What.STANDING if self.peer != before else What.NOTHING)

    def _greeted(self, kind: int, body: Any) -> Step:
        name, expected = ("WELCOME", WELCOME) if self.caller else ("HELLO", HELLO)
        if kind != expected:
            raise BadMessage(f"message: kind {kind}; expected {name} first")
        self.peer = read_hello(body)
        return Step(What.UP, () if self.caller else ((WELCOME, self.own.packed()),))

    def _ended(self, kind: int, body: Any) -> Step:
        most = WORD_MAX if kind == GOODBYE else LINE_MAX
        if not isinstance(body, str) or len(body) > most or not body.isprintable():
            raise BadMessage(f"message: kind {kind}: expected a line of at most {most} characters")
        if kind == GOODBYE:
            self.end = End(f"the other unit said goodbye: {body}", body)
        else:
            self.end = End(f"the other unit ended the session: {body}")
        return Step(What.ENDED)

    # --- what goes ------------------------------------------------------------------------------------------
    def say(self, own: PeerHello) -> Step:
        """This unit is something else now. It crosses at once, where a session is up."""
        before, self.own = self.own, own
        changed = self.up and own.standing() != before.standing()
        return Step(send=((STANDING, own.standing()),) if changed else ())

    def goodbye(self, word: str) -> Step:
        """Ends in order. Raises ValueError for a word that the peer would not take."""
        if len(word) > WORD_MAX or not word.isprintable():
            raise ValueError(f"goodbye: expected a word of at most {WORD_MAX} characters")
        self.end = End(f"this unit said goodbye: {word}", word, ours=True)
        return Step(What.ENDED, ((GOODBYE, word),))

    def trouble(self, error: Exception) -> Step:
        """The peer sent what this unit does not understand: the session ends, in words."""
        line = "".join(c if c.isprintable() else "?" for c in str(error))[:LINE_MAX]
        self.end = End(line)
        return Step(What.ENDED, ((TROUBLE, line),))

    # --- time -----------------------------------------------------------------------------------------------
    def next_due(self, heard: float) -> float:
        """When `due` wants to be called. `heard` is when the last octet came."""
        return min(self._ping, heard + SILENCE) if self.up else self._begun + HANDSHAKE

    def due(self, now: float, heard: float) -> Step:
        """Time has passed: a heartbeat, or the end of a session that is silent."""
        if not self.up:
            if now < self._begun + HANDSHAKE:
                return Step()
            self.end = End(f"the other unit did not say hello within {HANDSHAKE:g} s")
            return Step(What.ENDED)
        if now >= heard + SILENCE:
            self.end = End(f"nothing was heard of the other unit for {SILENCE:g} s")
            return Step(What.ENDED)
        if now < self._ping:
            return Step()
        self._ping = now + HEARTBEAT
        return Step(send=((PING, None),))
