# SPDX-License-Identifier: Apache-2.0
"""calling: the side of the unit with the higher Virtual IP Address: connects, pairs where it must, again and
again with back-off."""

from __future__ import annotations

import asyncio
import ssl

from ... import ports
from ...errors import Refusal
from ...trust.pairing import Pin
from ...trust.tls import NotThePeer
from . import door
from .backoff import LEAST, MOST, Backoff
from .door import Place
from .introduction import Ours
from .link import Host, Link
from .meeting import Meeting
from .message import BadMessage
from .refusals import NotAuthenticated
from .secured import reason, secured
from .talk import HANDSHAKE


class Calling:
    def __init__(self, host: Host, place: Place, nudged: asyncio.Event) -> None:
        self._host, self._place, self._nudged = host, place, nudged

    async def run(self) -> None:
        """Until it is cancelled."""
        loop, backoff = asyncio.get_running_loop(), Backoff()
        while True:
            begun = loop.time()
            self._nudged.clear()
            if await self._attempt() and loop.time() > begun + MOST:  # one that breaks at once is no success
                backoff.reset()
            try:
                async with asyncio.timeout(backoff.wait()):
                    await self._nudged.wait()
            except TimeoutError:
                continue
            backoff.reset()
            await asyncio.sleep(begun + LEAST - loop.time())

    async def _attempt(self) -> bool:
        """One attempt, and the session that comes of it until its end. False if none came."""
        credentials = self._host.credentials
        ours = credentials.ours()
        if ours is None:
            self._host.trouble(credentials.why_not())
            return False
        try:
            if ours.pin.settled and await self._session(ours.pin):
                return True
            pin = await self._pairing(ours)
            if pin.settled:
                return await self._session(pin)
            self._host.trouble(
                "a changed certificate waits for confirmation: `qx licence confirm` on both units"
            )
        except ssl.SSLError as error:
            self._host.trouble(reason(error)[1])
        except OSError as error:
            self._host.trouble(f"{self._place.peer}: {error.strerror or str(error) or 'no answer'}")
        except Refusal as error:
            self._host.trouble(str(error))
        return False

    async def _session(self, pin: Pin) -> bool:
        """A session until its end; false where the other end ended it before it was up, or is not the peer:
        pairing tells more. Raises OSError where nobody answers."""
        assert pin.certificate
        async with asyncio.timeout(HANDSHAKE):
            connection = await door.called(self._place, ports.SESSION)
        link = Link(self._host, True, pin.certificate)
        try:
            await secured(link.wire, connection, self._host.credentials.context(False, pin.certificate))
            if await asyncio.shield(link.reached):
                await asyncio.shield(link.gone)
                return True
        except ssl.SSLCertVerificationError as error:
            self._host.refuse(str(self._place.peer), error)
        except OSError as error:
            self._host.trouble(f"{self._place.peer}: {error}")
        finally:
            link.give_up()
        if isinstance(link.error, NotThePeer):
            self._host.refuse(str(self._place.peer), link.error)
        return False

    async def _pairing(self, ours: Ours) -> Pin:
        """The pin after it. Raises OSError where nobody answers or the other unit refuses, Refusal where it
        is not the peer."""
        meeting = Meeting(True, ours)
        try:
            async with asyncio.timeout(HANDSHAKE):
                connection = await door.called(self._place, ports.PAIRING)
                await secured(meeting.wire, connection, self._host.credentials.context(False, None))
                met = await asyncio.shield(meeting.met)
        except (NotAuthenticated, BadMessage) as error:
            self._host.refuse(str(self._place.peer), error)
            raise
        finally:
            meeting.wire.close()
        return await self._host.credentials.keep(ours, met)
