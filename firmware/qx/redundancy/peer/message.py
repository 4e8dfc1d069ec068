# SPDX-License-Identifier: Apache-2.0
"""message: the frames within the session: a header of 8 octets (`headers.MESSAGE`) and a msgpack body. Pure.

The header has the kind, three octets that are 0, and the length of the body, big-endian. TLS below it proves
that the octets are the peer's and whole, so there is no digest. Every part of the product has its own range
of kinds; what they mean and the shape of their bodies is written where the part is.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Any

from ...errors import Refusal
from ...packing import NotPacked, pack, unpack

HEADER = Struct(">B3xI")
_WHOLE = Struct(">II")  # the same, with the zeros in sight
BODY_MAX = 17 << 20  # octets: a delta frame of the largest size fits

# Who has which kinds.
SESSION = range(1, 16)
SETTINGS = range(16, 32)
VOICE = range(32, 48)
LIVE = range(48, 56)
ROLES = range(56, 72)  # swap, pair parameters
EVENTS = range(72, 80)
INQUIRY = range(80, 82)


class BadMessage(Refusal):
    """The peer sent what no peer of this format sends. The session ends by it."""


def build(kind: int, body: Any) -> bytes:
    """The octets of a message. Raises ValueError where the body is longer than a peer takes."""
    octets = pack(body)
    if len(octets) > BODY_MAX:
        raise ValueError(f"a message of {len(octets)} octets; expected at most {BODY_MAX}")
    return HEADER.pack(kind, len(octets)) + octets


class Reader:
    """Cuts the stream into messages. `limit` is the longest body taken."""

    def __init__(self, limit: int = BODY_MAX) -> None:
        self.limit = limit
        self._buffer = bytearray()

    @property
    def waiting(self) -> int:
        """Octets of a message that is not whole yet."""
        return len(self._buffer)

    def feed(self, octets: bytes | memoryview) -> Iterator[tuple[int, Any]]:
        """The messages that are whole with these octets, as (kind, body). Raises BadMessage; a length is
        judged before anything of that body is kept."""
        self._buffer += octets
        at = 0
        try:
            while len(self._buffer) - at >= HEADER.size:
                word, length = _WHOLE.unpack_from(self._buffer, at)
                kind = word >> 24
                if word & 0xFFFFFF or not kind:
                    raise BadMessage(f"message: header {word:08x}; expected a kind and three zero octets")
                if length > self.limit:
                    raise BadMessage(f"message: a body of {length} octets; expected at most {self.limit}")
                end = at + HEADER.size + length
                if len(self._buffer) < end:
                    break
                body = self._unpacked(kind, at + HEADER.size, end)
                at = end
                yield kind, body
        finally:
            del self._buffer[:at]

    def _unpacked(self, kind: int, start: int, end: int) -> Any:
        # In place: of a long body there is no second copy in memory.
        with memoryview(self._buffer) as whole, whole[start:end] as body:
            try:
                return unpack(body)  # pyright: ignore[reportArgumentType] - msgpack reads any buffer
            except NotPacked:
                raise BadMessage(f"message: kind {kind}: expected msgpack") from None
