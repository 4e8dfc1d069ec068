# SPDX-License-Identifier: Apache-2.0
"""secret: octets that nobody gets to see by accident: not by printing, logging, packing or comparing.

Imports nothing of ours and touches nothing.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import NoReturn


class Secret:
    """`reveal()` is the one way to the octets, so that `grep reveal` finds everyone who looks (R17)."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def reveal(self) -> bytes:
        return self._octets

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __len__(self) -> int:
        return len(self._octets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and compare_digest(self._octets, other._octets)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialised")
