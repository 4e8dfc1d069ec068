# SPDX-License-Identifier: Apache-2.0
"""password: passwords of people, kept as Argon2id hashes (12 MiB, three passes). Touches no file.

One at a time, and not in the daemon, whose memory is as large as that: `qx hash` is a process for one of
them. Equal text typed on two keyboards is one password (NFKC).
"""

from __future__ import annotations

import threading
import unicodedata
from dataclasses import dataclass

from nacl import pwhash
from nacl.exceptions import CryptoError

from ..errors import Refusal
from .account import LENGTH_MAX

PASSES = 3
MEMORY = 12 << 20  # octets

_one = threading.Lock()


@dataclass(frozen=True, slots=True)
class Password:
    """A stored password: `hashed` in the usual `$argon2id$` form; `change` is set on the factory's, which its
    owner must replace at the first login (R25)."""

    hashed: str
    change: bool = False


def make(text: str, change: bool = False) -> Password:
    """Raises Refusal for a password that is empty or too long."""
    octets = _octets(text)
    with _one:
        return Password(pwhash.argon2id.str(octets, PASSES, MEMORY).decode("ascii"), change)


def matches(stored: Password, text: str) -> bool:
    """False for any other text, and for a stored hash that is none."""
    try:
        with _one:
            return pwhash.verify(stored.hashed.encode("ascii"), _octets(text))
    except (CryptoError, ValueError, Refusal):
        return False


def _octets(text: str) -> bytes:
    if not 0 < len(text) <= LENGTH_MAX:
        raise Refusal(f"password: {len(text)} characters; expected 1 to {LENGTH_MAX}")
    return unicodedata.normalize("NFKC", text).encode("utf-8", "surrogatepass")
