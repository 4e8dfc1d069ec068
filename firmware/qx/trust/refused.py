# SPDX-License-Identifier: Apache-2.0
"""refused: why a feature key is not taken, each reason a name of its own (R37, Bad input).

The text never has the key's characters in it: they carry the pair secret (R17). Imports the errors only.
"""

from __future__ import annotations

from ..errors import Refusal


class KeyRefused(Refusal):
    """A feature key that is not taken. `name` is the reason in one word, for counters and faces."""

    name = "refused"

    def __init__(self, text: str) -> None:
        super().__init__(f"feature key: {text}")


class Mistyped(KeyRefused):
    """Not what the vendor printed: a character wrong, too many, or other text altogether."""

    name = "mistyped"


class NotAKey(Mistyped):
    name = "not_a_key"


class Truncated(Mistyped):
    """Less than the vendor printed."""

    name = "truncated"


class NewerFormat(KeyRefused):
    name = "newer_format"


class UnknownSigner(KeyRefused):
    name = "unknown_signer"


class DevelopmentKey(KeyRefused):
    """Signed with the development key, whose private part everyone has, on a board for customers."""

    name = "development_key"


class Forged(KeyRefused):
    """The checksum is right and the signature is not: somebody made it."""

    name = "forged"


class BadContents(KeyRefused):
    """Signed by the vendor, and yet not something this firmware can read."""

    name = "bad_contents"


class OtherSerial(KeyRefused):
    name = "other_serial"


class OtherPeer(KeyRefused):
    """Bound to another peer than the keys that are installed."""

    name = "other_peer"


class Expired(KeyRefused):
    name = "expired"
