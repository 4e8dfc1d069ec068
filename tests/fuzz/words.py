# SPDX-License-Identifier: Apache-2.0
"""words: what a refusal must be: one line that a user can read."""

from __future__ import annotations

from collections.abc import Callable

from qx.errors import Refusal

Target = Callable[[bytes], object]  # raises Refusal for what is refused; anything else is a fault


def in_words(error: Refusal) -> None:
    assert "\n" not in str(error)
    assert 0 < len(str(error)) < 4000


def each(read: Target, *forms: bytes) -> None:
    """Reads several forms of one input; each is read or refused."""
    for octets in forms:
        try:
            read(octets)
        except Refusal as error:
            in_words(error)
