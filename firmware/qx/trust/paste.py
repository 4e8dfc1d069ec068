# SPDX-License-Identifier: Apache-2.0
"""paste: octets as a line of text that survives mail, paper and a serial console, and back.

Base32 (RFC 4648) in groups of eight: no difference of case, no letter that looks like a digit, and a terminal
takes the whole of it with a double click or two. White space and hyphens mean nothing; 0, 1 and 8, which the
alphabet leaves out, are read as O, I and B. Pure.
"""

from __future__ import annotations

import base64

from .refused import Mistyped, NotAKey

GROUP = 8  # characters: five octets
TEXT_MAX = 8192  # characters, more than the longest key with any white space

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_ALIKE = str.maketrans("018", "OIB")
_NOTHING = str.maketrans(dict.fromkeys(map(ord, "-\u00ad\u200b\u2010\u2011\ufeff")))


def characters(octets: int) -> int:
    """How many characters of the alphabet that many octets are."""
    return (octets * 8 + 4) // 5


def to_text(octets: bytes) -> str:
    text = base64.b32encode(octets).decode("ascii").rstrip("=")
    return "-".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def normal(text: str) -> str:
    """The characters that count. Raises Mistyped, which names a place and never the character."""
    if len(text) > TEXT_MAX:
        raise NotAKey(f"{len(text)} characters; expected one key of at most {TEXT_MAX}")
    kept = "".join(text.split()).translate(_NOTHING).upper().translate(_ALIKE)
    for place, character in enumerate(kept, 1):
        if character not in _ALPHABET:
            raise Mistyped(f"mistyped: character {place} is none that a key has; expected A to Z and 2 to 7")
    return kept


def to_octets(kept: str) -> bytes:
    """The octets of `normal()` text; what is not a whole octet at the end is left out."""
    octets = len(kept) * 5 // 8
    used = kept[: characters(octets)]
    padded = used + "=" * (-len(used) % GROUP)
    return base64.b32decode(padded)[:octets]
