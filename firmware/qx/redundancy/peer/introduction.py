# SPDX-License-Identifier: Apache-2.0
"""introduction: the one exchange of pairing, as messages. Pure.

What is proven, and why it holds, is said in trust/pairing.py. Four messages over TLS in which nobody has
proven anything yet; the unit that connected speaks first:

    MEET    {nonce, certificate}            certificate: DER
    ANSWER  {nonce, confirmed, proof}       confirmed: somebody has confirmed the change on this unit
    PROOF   {confirmed, proof, waiting}     waiting: the other's certificate waits here for confirmation
    MET     {waiting}                       the listener has the certificate on flash

Nothing of a stranger is answered beyond his first message, and nothing is stored before his proof is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...trust.certificate import serial_of
from ...trust.pairing import NONCE, Exchange, Pin, Role, nonce, proof, proven
from ...trust.secret import Secret
from .message import BadMessage
from .refusals import NotAuthenticated

MEET, ANSWER, PROOF, MET = range(8, 12)
MESSAGE_MAX = 8 << 10  # octets of a body
CERTIFICATE_MAX = 4 << 10

Messages = tuple[tuple[int, Any], ...]


@dataclass(frozen=True, slots=True)
class Met:
    """Who has proven to be the peer: its certificate, and the words for Keyring.met."""

    certificate: bytes
    confirmed: bool
    asked: bool


@dataclass(frozen=True, slots=True)
class Ours:
    """What this unit brings: the pair key, its certificate (DER), whom its keys name, what it has pinned."""

    pair: Secret
    certificate: bytes
    peer: str
    pin: Pin


class Introduction:
    """One end of one exchange. The caller gives the certificate that TLS has shown it. `met` is set once the
    other end has proven itself; the listener then stores it and says `welcome()`."""

    def __init__(self, ours: Ours, shown: bytes | None = None) -> None:
        self.met: Met | None = None
        self._ours, self._theirs = ours, shown or b""
        self._role = Role.CLIENT if shown is not None else Role.SERVER
        self._nonce = nonce()
        self._exchange: Exchange | None = None
        self._proven: bool | None = None  # the caller: the listener's proof was right, with this `confirmed`

    def begin(self) -> Messages:
        if self._role == Role.SERVER:
            return ()
        return ((MEET, {"nonce": self._nonce, "certificate": self._ours.certificate}),)

    def hear(self, kind: int, body: Any) -> Messages:
        """Raises BadMessage, and NotAuthenticated."""
        if self._role == Role.SERVER and self._exchange is None and kind == MEET:
            return self._answer(body)
        if self._role == Role.SERVER and self._exchange is not None and kind == PROOF and self.met is None:
            return self._proof(self._exchange, body)
        if self._role == Role.CLIENT and self._exchange is None and kind == ANSWER:
            return self._prove(body)
        if self._role == Role.CLIENT and self._proven is not None and kind == MET and self.met is None:
            self.met = Met(self._theirs, self._proven, _flag(body, "waiting"))
            return ()
        raise BadMessage(f"pairing: kind {kind}; expected another now")

    def welcome(self, pin: Pin) -> Messages:
        """The listener's last word: `pin` is what it has stored."""
        return ((MET, {"waiting": pin.waiting is not None}),)

    # --- within ---------------------------------------------------------------------------------------------
    def _answer(self, body: Any) -> Messages:
        certificate = _octets(body, "certificate", 1, CERTIFICATE_MAX)
        theirs = _octets(body, "nonce", NONCE, NONCE)
        self._check_serial(certificate)
        self._theirs = certificate
        self._exchange = Exchange(theirs, self._nonce, certificate, self._ours.certificate)
        return ((ANSWER, {"nonce": self._nonce, **self._ours_proven(self._exchange)}),)

    def _prove(self, body: Any) -> Messages:
        self._check_serial(self._theirs)  # not before: the listener learns that somebody left without a proof
        theirs = _octets(body, "nonce", NONCE, NONCE)
        self._exchange = Exchange(self._nonce, theirs, self._ours.certificate, self._theirs)
        self._proven = self._check_proof(self._exchange, Role.SERVER, body)
        waits = self._ours.pin.seen(self._theirs, self._proven)[0].waiting is not None
        return ((PROOF, {**self._ours_proven(self._exchange), "waiting": waits}),)

    def _proof(self, exchange: Exchange, body: Any) -> Messages:
        asked = _flag(body, "waiting")
        self.met = Met(self._theirs, self._check_proof(exchange, Role.CLIENT, body), asked)
        return ()

    def _ours_proven(self, exchange: Exchange) -> dict[str, Any]:
        confirmed = self._ours.pin.here
        return {"confirmed": confirmed, "proof": proof(self._ours.pair, self._role, exchange, confirmed)}

    def _check_proof(self, exchange: Exchange, role: Role, body: Any) -> bool:
        confirmed, got = _flag(body, "confirmed"), _octets(body, "proof", 32, 32)
        if not proven(self._ours.pair, role, exchange, got, confirmed):
            raise NotAuthenticated(
                "proof",
                f"pairing: {serial_of(self._theirs)} has no proof of our pair key; expected the unit "
                f"{self._ours.peer} with the redundancy key of our set",
            )
        return confirmed

    def _check_serial(self, certificate: bytes) -> None:
        """Early and in words: no proof makes a unit the peer that says itself to be another."""
        serial = serial_of(certificate)
        if serial != self._ours.peer:
            raise NotAuthenticated(
                "serial",
                f"pairing: the other unit is {serial or 'nobody'}; expected {self._ours.peer}, whom our "
                "redundancy key names",
            )


def _octets(body: Any, name: str, least: int, most: int) -> bytes:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, bytes) or not least <= len(value) <= most:
        raise BadMessage(
            f"pairing: {name}: expected {least if least == most else f'{least} to {most}'} octets"
        )
    return value


def _flag(body: Any, name: str) -> bool:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, bool):
        raise BadMessage(f"pairing: {name}: expected true or false")
    return value
