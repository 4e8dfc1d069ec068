# SPDX-License-Identifier: Apache-2.0
"""pairing: how two units that have never met prove that the vendor made them a pair. Pure.

One exchange over TLS in which the caller's certificate is not yet checked (tls.pairing_context). The client
is the unit that connected, the server the one that listened:

    client → server   its nonce, its certificate (DER)
    server → client   its nonce, proof(SERVER, …)
    client → server   proof(CLIENT, …), and whether the server's certificate waits for confirmation there
    server → client   pinned, and whether the client's waits

A proof is HMAC-SHA-256(pair key, label ‖ role ‖ confirmed ‖ client's nonce ‖ server's nonce ‖ SHA-256 of the
client's certificate ‖ SHA-256 of the server's). Each unit puts in its *own* certificate and the one that it
has seen: the client what TLS showed it, the server what the message held. So who stands between them with a
certificate of his own gets no proof that fits; the role keeps a proof from being sent back to its maker, and
fresh nonces one from being used again. Then both pin the other's certificate, and every later session is
mutual TLS between the pinned ones: the pair key is used for nothing else.

A changed certificate needs a hand on both units (R17): see Pin. What the last two messages say beside the
proof needs none of its own: the proofs cover the server's certificate, so TLS goes from unit to unit.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .secret import Secret

NONCE = 32  # octets
LABEL = b"qx pairing 1\0"


class Role(Enum):
    CLIENT = b"C"
    SERVER = b"S"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What both units have seen when the proofs are made. Nonces of 32 octets, certificates as DER."""

    client_nonce: bytes
    server_nonce: bytes
    client_certificate: bytes
    server_certificate: bytes


def nonce() -> bytes:
    return secrets.token_bytes(NONCE)


def fingerprint(certificate: bytes) -> bytes:
    """SHA-256 of a certificate's DER: what people compare and pins are known by."""
    return hashlib.sha256(certificate).digest()


def proof(pair: Secret, role: Role, exchange: Exchange, confirmed: bool = False) -> bytes:
    """What the unit in `role` sends: 32 octets. `confirmed` says that on this unit somebody has confirmed the
    other's changed certificate. Raises ValueError for a nonce of another length."""
    if len(exchange.client_nonce) != NONCE or len(exchange.server_nonce) != NONCE:
        raise ValueError(f"nonce: expected {NONCE} octets")
    message = b"".join(
        (
            LABEL,
            role.value,
            b"\1" if confirmed else b"\0",
            exchange.client_nonce,
            exchange.server_nonce,
            fingerprint(exchange.client_certificate),
            fingerprint(exchange.server_certificate),
        )
    )
    return hmac.digest(pair.reveal(), message, "sha256")


def proven(pair: Secret, role: Role, exchange: Exchange, got: bytes, confirmed: bool = False) -> bool:
    """Is `got` what the peer in `role` had to send? In constant time. False for equal nonces as well: a peer
    that sends our own back has none of its own."""
    if len(exchange.client_nonce) != NONCE or len(exchange.server_nonce) != NONCE:
        return False
    if hmac.compare_digest(exchange.client_nonce, exchange.server_nonce):
        return False
    return hmac.compare_digest(proof(pair, role, exchange, confirmed), got)


class Seen(Enum):
    PINNED = "pinned"  # the first one: pinned now
    SAME = "same"
    CHANGED = "changed"  # waits for confirmation on both units


@dataclass(frozen=True, slots=True)
class Pin:
    """Which certificate (DER) the peer has. `waiting` is a changed one that a right proof came with; it takes
    the place of `certificate` when somebody has confirmed it on this unit (`here`) and the change on the
    other (`there`). `asked`: the other unit holds ours for changed, and waits for the same two hands."""

    certificate: bytes | None = None
    waiting: bytes | None = None
    here: bool = False
    there: bool = False
    asked: bool = False

    @property
    def settled(self) -> bool:
        """May a session be tried? Not while either unit waits for a confirmation."""
        return self.certificate is not None and self.waiting is None and not self.asked

    def seen(
        self, certificate: bytes, confirmed_there: bool = False, asked: bool = False
    ) -> tuple[Pin, Seen]:
        """A right proof came with this certificate, with word of whether the other unit confirmed, and of
        whether it asks the same of us."""
        if self.certificate in (None, certificate):  # the first, or the old one again: nothing waits of it
            first = self.certificate is None
            pin = Pin(certificate, here=self.here and self.asked and asked, asked=asked)
            return pin, Seen.PINNED if first else Seen.SAME
        same = certificate == self.waiting
        there = (self.there and same) or confirmed_there
        pin = Pin(self.certificate, certificate, self.here and same, there, asked)
        return pin._settled(), Seen.CHANGED

    def confirmed(self) -> Pin:
        """Somebody on this unit confirms what waits, here or there. Nothing waiting: as it was."""
        return replace(self, here=True)._settled() if self.waiting or self.asked else self

    def _settled(self) -> Pin:
        if self.waiting and self.here and self.there:
            return Pin(self.waiting, here=self.asked, asked=self.asked)
        return self

    def plain(self) -> dict[str, Any]:
        """Of JSON types, for faces: certificates by their fingerprints."""
        pinned, waiting = (c and fingerprint(c).hex() for c in (self.certificate, self.waiting))
        return {
            "pinned": pinned,
            "waiting": waiting,
            "confirmed_here": self.here,
            "confirmed_there": self.there,
            "asked": self.asked,
        }

    def packed(self) -> dict[str, Any]:
        return {
            "certificate": self.certificate,
            "waiting": self.waiting,
            "here": self.here,
            "there": self.there,
            "asked": self.asked,
        }


def read_pin(value: Any) -> Pin:
    """The reverse of `packed()`. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("pin: expected a map")
    certificate, waiting, here, there = (value.get(n) for n in ("certificate", "waiting", "here", "there"))
    asked = value.get("asked", False)  # not in pins of the first firmware
    if not all(c is None or isinstance(c, bytes) for c in (certificate, waiting)):
        raise ValueError("pin: expected certificates as octets")
    if not isinstance(here, bool) or not isinstance(there, bool) or not isinstance(asked, bool):
        raise ValueError("pin: expected flags")
    return Pin(certificate, waiting, here, there, asked)
