# SPDX-License-Identifier: Apache-2.0
"""link: one connection of the session: a wire, what is said on it (talk.py), and its timer. On the loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import Refusal
from ...trust import tls
from .hello import PeerHello
from .message import BODY_MAX, SESSION, BadMessage
from .talk import HELLO_MAX, End, Step, Talk, What
from .wire import Ended, Wire

if TYPE_CHECKING:
    from .credentials import Credentials


class Host(Protocol):
    """What the connections want of their session, the one host. On the loop; nothing of it may wait."""

    credentials: Credentials

    def hello(self) -> PeerHello:
        """What this unit says of itself now."""
        ...

    # --- of attempts ----------------------------------------------------------------------------------------
    def trouble(self, why: str) -> None:
        """Why there is no session, in a line for people."""
        ...

    def refuse(self, source: str, error: Exception) -> None:
        """Whoever is at that address has not authenticated: counted, told once an hour."""
        ...

    # --- of a session ---------------------------------------------------------------------------------------
    def opened(self, link: Link) -> None: ...

    def changed(self, link: Link) -> None:
        """The peer's role, mode or term is another."""
        ...

    def brought(self, link: Link, kind: int, body: Any) -> None:
        """A message that is not of the session's own kinds. Raises BadMessage."""
        ...

    def ended(self, link: Link, end: End) -> None:
        """Once, and only after `opened`."""
        ...


class Link:
    """`pin` is the certificate (DER) that the other end must have. `reached` tells whether the session came
    up, `gone` how it ended, once nothing of the connection is left."""

    def __init__(self, host: Host, caller: bool, pin: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.wire = Wire(self, HELLO_MAX)
        self.reached: asyncio.Future[bool] = loop.create_future()
        self.gone: asyncio.Future[End] = loop.create_future()
        self.error: Exception | None = None  # what broke the connection, where something did
        self._host, self._pin = host, pin
        self._talk = Talk(caller, host.hello(), loop.time())
        self._timer: asyncio.TimerHandle | None = None
        self._told = False  # the host knows of the end

    @property
    def up(self) -> bool:
        return self._talk.up

    @property
    def peer(self) -> PeerHello | None:
        return self._talk.peer

    # --- what the session wants -------------------------------------------------------------------------
    def say(self, own: PeerHello) -> None:
        self._take(self._talk.say(own))

    def goodbye(self, word: str) -> None:
        if self._talk.end is None:
            self._take(self._talk.goodbye(word))

    def drop(self, why: str) -> None:
        """Ends it at once, without a word."""
        self._end(End(why))
        self.wire.abort(Ended(why))

    def give_up(self) -> None:
        """Nobody waits any more for it to come up."""
        if not self.reached.done():
            self.drop("given up")

    # --- what the wire brings ---------------------------------------------------------------------------
    def made(self, transport: asyncio.Transport) -> None:
        tls.check_peer(transport.get_extra_info("ssl_object"), self._pin)
        self._take(self._talk.begin())
        self._wait()

    def heard(self, kind: int, body: Any) -> None:
        if kind in SESSION:
            self._take(self._talk.hear(kind, body))
        elif self._talk.up:
            self._host.brought(self, kind, body)
        else:
            raise BadMessage(f"message: kind {kind}; expected a hello first")

    def bad(self, error: BadMessage) -> None:
        if self._talk.end is None:
            self._take(self._talk.trouble(error))

    def over(self, error: Exception | None) -> None:
        self.error = error
        end = self._end(End(_broken(error)))
        if not self.gone.done():
            self.gone.set_result(end)

    # --- within -----------------------------------------------------------------------------------------
    def _take(self, step: Step) -> None:
        for kind, body in step.send:
            self.wire.send(kind, body)
        if step.what == What.UP:
            self.wire.limit = BODY_MAX
            if not self.reached.done():
                self.reached.set_result(True)
            self._host.opened(self)
            self._wait()
        elif step.what == What.STANDING:
            self._host.changed(self)
        elif step.what == What.ENDED and self._talk.end:
            self._end(self._talk.end)
            self.wire.close()

    def _end(self, end: End) -> End:
        """The session is over now, however long the connection takes to go. Returns how it ended: the first
        reason counts."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._talk.end is None:
            self._talk.end = end
        if not self.reached.done():
            self.reached.set_result(False)
        elif self.reached.result() and not self._told:
            self._told = True
            self._host.ended(self, self._talk.end)
        return self._talk.end

    def _wait(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self._talk.end is None:
            due = self._talk.next_due(self.wire.last_heard)
            self._timer = asyncio.get_running_loop().call_at(due, self._due)

    def _due(self) -> None:
        self._timer = None
        step = self._talk.due(asyncio.get_running_loop().time(), self.wire.last_heard)
        if step.what == What.ENDED and self._talk.end:
            self.drop(self._talk.end.why)  # nobody is there to flush for
            return
        self._take(step)
        self._wait()


def _broken(error: Exception | None) -> str:
    if isinstance(error, Ended | Refusal):
        return str(error)
    return f"the connection broke: {error}" if error else "the connection ended without a goodbye"
