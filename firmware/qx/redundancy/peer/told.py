# SPDX-License-Identifier: Apache-2.0
"""told: what the session tells the controller, in the daemon's loop. Only types."""

from __future__ import annotations

from dataclasses import dataclass

from .hello import Mismatch, PeerHello
from .talk import End


@dataclass(frozen=True, slots=True)
class Up:
    """A session is up. `pairs` is false where the units must not be a pair (R5): no part was started."""

    peer: PeerHello
    pairs: bool


@dataclass(frozen=True, slots=True)
class Down:
    """The session is over. `end.goodbye` tells an orderly end from a broken connection."""

    end: End


@dataclass(frozen=True, slots=True)
class Said:
    """The peer has another role, mode or term."""

    peer: PeerHello


@dataclass(frozen=True, slots=True)
class Mismatched:
    """The mismatches have changed (Session.mismatches). They stay when the session ends."""

    mismatches: tuple[Mismatch, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody was refused. Told once for a source and reason until an hour has passed; counted always."""

    source: str  # an IPv4 address
    reason: str  # see refusals.REASONS
    text: str


@dataclass(frozen=True, slots=True)
class CertificateChanged:
    """A proven peer has another certificate than the pinned one; `qx licence confirm` is due on both units.
    `own`: it is ours that has changed, and the other unit that asks."""

    serial: str
    fingerprint: str  # of the certificate in question, SHA-256 in hexadecimal digits
    own: bool


@dataclass(frozen=True, slots=True)
class Paired:
    """The peer's certificate is pinned now: for the first time, or confirmed on both units."""

    serial: str
    fingerprint: str


Told = Up | Down | Said | Mismatched | Refused | CertificateChanged | Paired
