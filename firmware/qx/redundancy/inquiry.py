# SPDX-License-Identifier: Apache-2.0
"""inquiry: the key with which the two engines ask each other whether a silent Master is alive.

A part of the session. Each unit draws half of the key anew for every session and sends it to the other under
TLS; the engines have it until the next session brings another, for it is when the session breaks that one is
asked. What they ask and answer is cext/inquiry.h's. Message:

    HALF    16 octets at random
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any

from .peer.message import INQUIRY, BadMessage
from .peer.part import Channel

HALF = INQUIRY[0]
SIZE = 16  # octets of a half, and of the key


class InquiryKey:
    """A Part. `use` is given each new key, on the daemon's loop."""

    kinds = INQUIRY

    def __init__(self, use: Callable[[bytes], None]) -> None:
        self._use = use
        self._own = b""

    def started(self, channel: Channel) -> None:
        self._own = os.urandom(SIZE)
        channel.send(HALF, self._own)

    def received(self, kind: int, body: Any) -> None:
        if kind != HALF or not isinstance(body, bytes) or len(body) != SIZE:
            raise BadMessage(f"inquiry: message of kind {kind}; expected {HALF} with {SIZE} octets")
        self._use(key(self._own, body))

    def ended(self) -> None:
        """The key stays: a Master whose session broke is the one to ask."""


def key(one: bytes, other: bytes) -> bytes:
    """Of two halves, in either order."""
    return hashlib.blake2b(b"".join(sorted((one, other))), digest_size=SIZE, person=b"qx inquiry").digest()
