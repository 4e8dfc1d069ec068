# SPDX-License-Identifier: Apache-2.0
"""packing: msgpack with types, the one place that calls it. Lists come back as tuples (plain values)."""

from __future__ import annotations

import msgpack  # pyright: ignore[reportMissingTypeStubs]

TYPE_CHECKING = False  # without typing: `qx status` starts through here
if TYPE_CHECKING:
    from typing import Any


class NotPacked(ValueError):
    """The octets are not one msgpack value."""


def pack(value: Any) -> bytes:
    return msgpack.packb(value)  # pyright: ignore


def unpack(octets: bytes) -> Any:
    """Reads exactly one value. Raises NotPacked for anything else, however odd the octets."""
    try:
        return msgpack.unpackb(octets, use_list=False)  # pyright: ignore
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise NotPacked(f"not msgpack: {error}") from None


def unpack_all(octets: bytes) -> tuple[list[Any], int]:
    """Reads values one after another; what follows the last whole one is left out. Returns the values and
    how many octets they are."""
    unpacker = msgpack.Unpacker(use_list=False, max_buffer_size=max(len(octets), 1))  # pyright: ignore
    unpacker.feed(octets)  # pyright: ignore
    values: list[Any] = []
    good = 0
    try:
        for value in unpacker:  # pyright: ignore
            values.append(value)
            good = unpacker.tell()  # pyright: ignore
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError):
        pass  # a torn tail
    return values, good


def array_header(count: int) -> bytes:
    """What stands before the `count` packed values of a list."""
    if count < 16:
        return bytes((0x90 | count,))
    return b"\xdc" + count.to_bytes(2, "big") if count < 1 << 16 else b"\xdd" + count.to_bytes(4, "big")
