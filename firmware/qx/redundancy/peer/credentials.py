# SPDX-License-Identifier: Apache-2.0
"""credentials: what this unit proves itself with, and what it keeps of the peer: keys, certificate, pin.

Reading is from memory. Storing a pin and making a TLS context wait for flash, so both are done in one thread
of their own. Tells of every change of the pin.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ...trust import tls
from ...trust.certificate import Certificate
from ...trust.key import Licence
from ...trust.keyring import Keyring
from ...trust.pairing import Pin, fingerprint
from .introduction import Met, Ours
from .told import CertificateChanged, Paired, Told

T = TypeVar("T")


class Credentials:
    """`told` hears Paired and CertificateChanged, on the loop."""

    def __init__(self, keyring: Keyring, certificate: Certificate, told: Callable[[Told], None]) -> None:
        self._keyring, self._certificate, self._told = keyring, certificate, told
        self._asked: tuple[bytes | None, bool] = (None, False)  # what was told of the pin
        self._contexts: dict[tuple[bool, bytes | None], ssl.SSLContext] = {}
        self._thread = ThreadPoolExecutor(1, "trust")

    def close(self) -> None:
        self._thread.shutdown(wait=False)

    # --- keys -----------------------------------------------------------------------------------------------
    def licences(self) -> tuple[Licence, ...]:
        """The public parts of the keys in force."""
        return self._keyring.licences()

    def read(self, publics: tuple[bytes, ...]) -> tuple[Licence, ...]:
        """The keys in a peer's hello whose signatures hold."""
        return self._keyring.read_publics(list(publics))

    def why_not(self) -> str:
        """Why this unit may not join a group (R1); empty when it may."""
        return self._keyring.redundancy_allowed() or ""

    def ours(self) -> Ours | None:
        """What this unit brings to pairing and session; None while it may not join a group."""
        pair, peer = self._keyring.pair_secret(), self._keyring.peer
        if pair is None or peer is None:
            return None
        return Ours(pair, self._certificate.der, peer, self._keyring.pin)

    # --- the pin --------------------------------------------------------------------------------------------
    async def keep(self, ours: Ours, met: Met) -> Pin:
        """What pairing found is on flash when this returns. Raises Refusal."""
        before = self._keyring.pin
        pin, _ = await self._in_thread(
            lambda: self._keyring.met(ours.peer, met.certificate, met.confirmed, met.asked)
        )
        self._tell(before, pin)
        return pin

    async def confirm(self) -> bool:
        """Somebody confirms the changed certificate; false when none waits. Raises Refusal."""
        before = self._keyring.pin
        done = await self._in_thread(self._keyring.confirm_certificate)
        self._tell(before, self._keyring.pin)
        return done

    async def settle(self) -> None:
        """The pinned certificate has just opened a session: nothing waits for a confirmation any more. Raises
        Refusal."""
        peer, pin = self._keyring.peer, self._keyring.pin
        if peer is not None and pin.certificate is not None and not pin.settled:
            proven = pin.certificate
            self._tell(pin, (await self._in_thread(lambda: self._keyring.met(peer, proven, False, False)))[0])

    def _tell(self, before: Pin, pin: Pin) -> None:
        serial = self._keyring.peer or ""
        asked, self._asked = self._asked, (pin.waiting, pin.asked)
        if pin.certificate and pin.certificate != before.certificate:
            self._told(Paired(serial, fingerprint(pin.certificate).hex()))
        if pin.waiting and pin.waiting != asked[0]:
            self._told(CertificateChanged(serial, fingerprint(pin.waiting).hex(), own=False))
        if pin.asked and not asked[1]:
            self._told(CertificateChanged(serial, self._certificate.fingerprint.hex(), own=True))

    # --- TLS ------------------------------------------------------------------------------------------------
    async def context(self, server: bool, pin: bytes | None) -> ssl.SSLContext:
        """For a session with who holds `pin` (DER), for pairing without. Kept: making one reads a file."""
        found = self._contexts.get((server, pin))
        if found is None:
            own = self._certificate
            found = await self._in_thread(
                lambda: tls.session_context(own, pin, server) if pin else tls.pairing_context(own, server)
            )
            kept = {key: context for key, context in self._contexts.items() if key[1] is None}
            self._contexts = {**kept, (server, pin): found}
        return found

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
