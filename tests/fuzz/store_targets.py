# SPDX-License-Identifier: Apache-2.0
"""store_targets: delta frames, snapshots and configuration backups, as they are and with a right digest."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import Any

from qx.model import MODELS
from qx.settings import archive, delta, headers, snapshot
from qx.settings.position import START, chain_after
from qx.settings.view import Settings

from .words import Target, each

OURS = Settings(MODELS["qx200"])


def sealed_delta(body: bytes) -> bytes:
    head = delta.HEADER.pack(
        b"QXDF", 1, 0, bytes(16), 1, len(body), START, chain_after(START, bytes(16), 1, body)
    )
    return head + body


def sealed_snapshot(body: bytes) -> bytes:
    head = snapshot.HEADER.pack(b"QXSN", 1, 0, 0, len(body), bytes(32))[:-32]
    return head + blake2b(head + body, digest_size=32).digest() + body


def sealed_archive(body: bytes) -> bytes:
    fields = {"version": 1, "flags": 0, "model": b"qx200".ljust(16, b"\0"), "firmware": bytes(16), "when": 0,
              "length": len(body), "digest": bytes(32)}  # fmt: skip
    head: bytes = headers.ARCHIVE.build(fields)[:-32]
    return head + blake2b(head + body, digest_size=32).digest() + body


# How it is read, how a body is sealed, how it begins.
FORMATS: dict[str, tuple[Callable[[bytes], Any], Callable[[bytes], bytes], bytes]] = {
    "delta": (delta.parse, sealed_delta, b"QXDF"),
    "snapshot": (snapshot.parse, sealed_snapshot, b"QXSN"),
    "archive": (lambda octets: archive.restoring(OURS, octets, "x"), sealed_archive, b"QXAR"),
}


def _both(name: str, octets: bytes) -> None:
    """The octets as a whole, and as a body."""
    parse, seal, _ = FORMATS[name]
    each(parse, octets, seal(octets))


TARGETS: dict[str, Target] = {name: partial(_both, name) for name in FORMATS}
