# SPDX-License-Identifier: Apache-2.0
"""factory: the factory block, which says who a piece of hardware is, and what a start makes of it.

The factory writes 512 octets to the partition `factory`: serial number, model, hardware revision and MACs.
Nothing of ours writes them again. The first start makes the root a unit of that serial number; later ones
only compare. A unit whose block is blank or damaged says so and does what it still can: with the identity
that its data have, else under a serial number made of its own MAC, for which no redundancy key exists.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import construct  # pyright: ignore[reportMissingTypeStubs]

from . import durable
from .errors import NotProvisioned, Refusal
from .identity import Identity, read_identity, serial_number, to_toml
from .model import model_named

if TYPE_CHECKING:
    from pathlib import Path

    from .board import Board
    from .paths import Paths

_c: Any = construct  # it has no types

SIZE = 512
BLANK = "BLANK-"  # begins the serial number of a unit without one
NO_MAC = bytes(6)

# CRC-32 as in IEEE 802.3, over everything before it.
BLOCK: Any = _c.Struct(
    "body"
    / _c.RawCopy(
        _c.Struct(
            "magic" / _c.Const(b"QXFB"),
            "version" / _c.Const(1, _c.Int16ub),
            "serial" / _c.PaddedString(24, "ascii"),
            "model" / _c.PaddedString(16, "ascii"),
            "revision" / _c.PaddedString(8, "ascii"),
            "lan" / _c.Bytes(6),
            "wan" / _c.Bytes(6),
            "reserved" / _c.Padding(SIZE - 70),
        )
    ),
    "crc" / _c.Checksum(_c.Int32ub, zlib.crc32, _c.this.body.data),
)


@dataclass(frozen=True, slots=True)
class Factory:
    """What the factory wrote. MACs are six octets, `wan` all zero where there is no WAN port."""

    identity: Identity
    revision: str  # of the hardware, as `1.0`
    lan: bytes
    wan: bytes = NO_MAC


def mac_address(field: str, text: str) -> bytes:
    """Six octets of `02:00:00:00:00:01`. Raises Refusal for another form and for a group's address."""
    if not re.fullmatch(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", text):
        raise Refusal(f"{field}: {text!r} is not a MAC; expected six octets like 02:00:00:00:00:01")
    mac = bytes.fromhex(text.replace(":", ""))
    if mac[0] & 1 or mac == NO_MAC:
        raise Refusal(f"{field}: {text} is not the MAC of a port; expected neither a group's nor zero")
    return mac


def encode(factory: Factory) -> bytes:
    """The 512 octets of a factory block."""
    body = {
        "serial": factory.identity.serial,
        "model": factory.identity.model.name,
        "revision": factory.revision,
        "lan": factory.lan,
        "wan": factory.wan,
    }
    return BLOCK.build({"body": {"value": body}})


def decode(octets: bytes) -> Factory:
    """Reads a factory block. Raises Refusal that says what is wrong with it."""
    if not octets[:SIZE].strip(b"\0") or not octets[:SIZE].strip(b"\xff"):
        raise Refusal("factory block: blank; expected the serial number, model and MACs of this hardware")
    try:
        body = BLOCK.parse(octets[:SIZE])["body"]["value"]
    except construct.ConstructError as error:  # pyright: ignore[reportAttributeAccessIssue]
        said = str(error).strip().splitlines()[-1]
        raise Refusal(f"factory block: damaged ({said}); expected a block of version 1") from None
    identity = Identity(serial_number("factory block: serial", body["serial"]), model_named(body["model"]))
    return Factory(identity, body["revision"], body["lan"], body["wan"])


def read_block(device: Path) -> Factory:
    """Reads the block from its partition. Raises Refusal."""
    try:
        with device.open("rb") as file:
            return decode(file.read(SIZE))
    except OSError as error:
        raise Refusal(f"factory block: {device}: {error.strerror}") from None


def own_mac(interface: str) -> str:
    """The MAC that the kernel gave the interface, without colons. Raises Refusal where it has none."""
    from pathlib import Path  # noqa: PLC0415 - at run time only here

    try:
        return Path(f"/sys/class/net/{interface}/address").read_text().strip().replace(":", "").upper()
    except OSError:
        raise Refusal(f"lan: there is no interface {interface}") from None


def start(paths: Paths, board: Board, block: Factory | Refusal, model: str) -> list[str]:
    """Makes the root a unit where it is none. Returns what a person must know, a sentence each.

    `block` is the factory block or why there is none, `model` the one this image was built for.
    A unit whose data are gone (run/qx/data-lost) begins afresh in memory, and the daemon is in fault (R1).
    """
    told: list[str] = [str(block)] if isinstance(block, Refusal) else []
    try:
        known = read_identity(paths)
    except NotProvisioned:
        known = None
    except Refusal as error:
        return [*told, str(error)]
    if isinstance(block, Refusal):
        identity = known or Identity(BLANK + own_mac(board.lan), model_named(model))
    else:
        identity = block.identity
    if identity.model.name != model:
        told.append(
            f"model: the hardware is a {identity.model.title}; this firmware is for the "
            f"{model_named(model).title}"
        )
        return told
    if known is None:
        from .provision import provision  # noqa: PLC0415 - opens a store, which most starts do not need

        provision(paths.root, model=model, serial=identity.serial, board=board.name)
    elif known != identity and known.serial.startswith(BLANK):
        durable.replace(paths.identity, to_toml(identity).encode(), 0o644)
    elif known != identity:
        told.append(
            f"serial: the data are those of {known.serial}, the hardware is {identity.serial}; "
            "expected both to be the same"
        )
    return told
