# SPDX-License-Identifier: Apache-2.0
"""meeting: one connection of pairing: a wire, and the introduction on it (introduction.py). On the loop."""

from __future__ import annotations

import asyncio
from typing import Any

from ...errors import Refusal
from ...trust.pairing import Pin
from .introduction import MESSAGE_MAX, Introduction, Messages, Met, Ours
from .message import BadMessage
from .refusals import NotAuthenticated
from .wire import Wire


class Meeting:
    """`met` is done when the other end has proven itself, or fails with a Refusal or an OSError."""

    def __init__(self, caller: bool, ours: Ours) -> None:
        loop = asyncio.get_running_loop()
        self.wire = Wire(self, MESSAGE_MAX)
        self.met: asyncio.Future[Met] = loop.create_future()
        self._caller, self._ours = caller, ours
        self._introduction: Introduction | None = None

    @property
    def proven(self) -> bool:
        return self.met.done() and not self.met.exception()

    def welcome(self, pin: Pin) -> None:
        """The listener has stored `pin`: tells the caller, and ends."""
        if self._introduction:
            self._send(self._introduction.welcome(pin))
        self.wire.close()

    # --- what the wire brings -------------------------------------------------------------------------------
    def made(self, transport: asyncio.Transport) -> None:
        shown = None
        if self._caller:
            shown = transport.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
        self._introduction = Introduction(self._ours, shown)
        self._send(self._introduction.begin())

    def heard(self, kind: int, body: Any) -> None:
        assert self._introduction
        try:
            self._send(self._introduction.hear(kind, body))
        except NotAuthenticated as error:
            self._fail(error)
        if self._introduction.met and not self.met.done():
            self.met.set_result(self._introduction.met)

    def bad(self, error: BadMessage) -> None:
        self._fail(error)

    def over(self, error: Exception | None) -> None:
        # Whoever finds that the keys are not for each other leaves: so does an impostor who has none.
        if not isinstance(error, Refusal) and self._introduction:
            text = "pairing: the other end left without a proof of our pair key; expected "
            error = NotAuthenticated("proof", f"{text}{self._ours.peer} with the redundancy key of our set")
        self._fail(error or ConnectionError("the other unit ended the pairing"))

    # --- within ---------------------------------------------------------------------------------------------
    def _fail(self, error: Exception) -> None:
        if not self.met.done():
            self.met.set_exception(error)
            self.met.exception()  # whoever waits gets it; that nobody does is no error
        self.wire.abort(error)

    def _send(self, messages: Messages) -> None:
        for kind, body in messages:
            self.wire.send(kind, body)
