# SPDX-License-Identifier: Apache-2.0
"""kept: the two sealed files of the keyring in data/qx/trust, and nothing about what they mean.

`keys` has the installed keys, whole; `peer` names the peer and has its pin. None or empty where there is no
file; Damaged, never empty, where there is one that is not readable.
"""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from .. import durable
from ..errors import Refusal
from . import files
from .files import Damaged
from .pairing import Pin, read_pin

KEYS, PEER = "keys", "peer"
KEYS_MAGIC, PEER_MAGIC = b"QXKR", b"QXPR"


class KeyringBusy(Refusal):
    """Another process may write the keys."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom this unit's data names, and which certificate it has."""

    serial: str
    pin: Pin


def read_keys(folder: Path) -> tuple[bytes, ...]:
    """The octets of every installed key, in the order of their installation. Raises Damaged."""
    value = files.read_sealed(folder / KEYS, KEYS_MAGIC)
    if value is None:
        return ()
    octets = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(octets, tuple) or not all(isinstance(o, bytes) for o in octets):
        raise Damaged(f"{folder / KEYS}: damaged: expected a list of keys")
    return octets


def read_peer(folder: Path) -> Peer | None:
    """Raises Damaged."""
    value = files.read_sealed(folder / PEER, PEER_MAGIC)
    if value is None:
        return None
    try:
        return Peer(str(value["serial"]), read_pin(value["pin"]))
    except (KeyError, TypeError, ValueError):
        raise Damaged(f"{folder / PEER}: damaged: expected a serial number and a pin") from None


def write_keys(folder: Path, octets: list[bytes]) -> None:
    files.replace(folder / KEYS, files.seal(KEYS_MAGIC, {"keys": octets}))


def write_peer(folder: Path, peer: Peer) -> None:
    value = {"serial": peer.serial, "pin": peer.pin.packed()}
    files.replace(folder / PEER, files.seal(PEER_MAGIC, value))


def locked(folder: Path, wait: float) -> int:
    """Takes the folder for writing, until the handle that this returns is closed. Raises KeyringBusy when
    another process has it for longer than `wait` seconds."""
    try:
        durable.make_folder(folder)
        handle = os.open(folder, durable.FOLDER)
    except OSError as error:
        raise Refusal(f"{folder}: {error.strerror}; expected a folder of a unit") from None
    until = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(handle)
                raise KeyringBusy(f"{folder}: in use by another process") from None
        time.sleep(0.02)
