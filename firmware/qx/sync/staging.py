# SPDX-License-Identifier: Apache-2.0
"""staging: a snapshot that is coming in, part by part, until it is whole and proven. Pure.

Kept in memory and across sessions, so that one that was cut off goes on where it stopped, if the Master still
has the same; never on flash, where half of it would be of no use to anyone.
"""

from __future__ import annotations

from hashlib import blake2b

from ..redundancy.peer.message import BadMessage
from ..settings import snapshot

CHUNK = 256 << 10  # octets of a part at most
SIZE_MAX = snapshot.HEADER.size + snapshot.BODY_MAX


def digest_of(octets: bytes | bytearray) -> bytes:
    return blake2b(octets, digest_size=32).digest()


class Staging:
    def __init__(self) -> None:
        self.digest = b""  # of the one that is coming in; empty: none
        self.octets = 0
        self._content = bytearray()

    @property
    def have(self) -> int:
        return len(self._content)

    def begin(self, octets: int, digest: bytes, offset: int) -> None:
        """What follows is `octets` long and comes from `offset` on. Raises BadMessage where that does not fit
        what is here."""
        if not snapshot.HEADER.size <= octets <= SIZE_MAX:
            raise BadMessage(
                f"settings: a snapshot of {octets} octets; expected {snapshot.HEADER.size} to {SIZE_MAX}"
            )
        if offset == 0 or digest != self.digest:
            self.drop()
        if offset != self.have:
            raise BadMessage(f"settings: a snapshot from octet {offset}; expected it from {self.have}")
        self.digest, self.octets = digest, octets

    def add(self, offset: int, part: bytes) -> bool:
        """Takes the next part. True: it was the last. Raises BadMessage for any other than the next."""
        if not self.digest or offset != self.have or offset + len(part) > self.octets:
            raise BadMessage(
                f"settings: octets {offset} to {offset + len(part)} of a snapshot; expected those from "
                f"{self.have}, at most to {self.octets}"
            )
        self._content += part
        return self.have == self.octets

    def take(self) -> bytes:
        """The whole, and nothing is kept. Raises BadMessage where its digest is another."""
        content, digest = bytes(self._content), self.digest
        self.drop()
        if digest_of(content) != digest:
            raise BadMessage("settings: a snapshot with another digest; expected it as announced")
        return content

    def drop(self) -> None:
        self.digest, self.octets = b"", 0
        self._content = bytearray()
