# SPDX-License-Identifier: Apache-2.0
"""signers: whose signatures count: the public keys of the vendor, and on boards of developers one more.

Production keys stand in etc/qx/signers.toml of the image, which lies on the read-only slot:

    [vendor-2026]
    public = "64 hexadecimal digits"

The development key's private part lies in the source tree for everyone to use, so a production board refuses
it by name, even where signers.toml lists it. Reads that one file.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import Refusal
from .refused import DevelopmentKey, UnknownSigner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..board import Board
    from ..paths import Paths

ID = 8  # octets of a key id
DEVELOPMENT = "development"
DEVELOPMENT_PUBLIC = bytes.fromhex("2d5814276d2f9ba86ead008bec4e3184bcc26a83f8eb07a04fad1efbe2276d5c")
VIRT = "virt"  # the emulator board


def signer_id(public: bytes) -> bytes:
    """What names a signer in a key: the first octets of the public key's SHA-256."""
    return hashlib.sha256(public).digest()[:ID]


DEVELOPMENT_ID = signer_id(DEVELOPMENT_PUBLIC)


@dataclass(frozen=True, slots=True)
class Signer:
    name: str
    public: bytes


@dataclass(frozen=True, slots=True)
class Signers:
    """The signers that this unit knows, by their ids. `development` tells whether that key counts here."""

    known: Mapping[bytes, Signer]
    development: bool

    def find(self, number: bytes) -> Signer:
        """The signer of that id. Raises DevelopmentKey or UnknownSigner."""
        if number == DEVELOPMENT_ID:
            if not self.development:
                raise DevelopmentKey("signed with the development key; expected one that the vendor issued")
            return Signer(DEVELOPMENT, DEVELOPMENT_PUBLIC)
        found = self.known.get(number)
        if found is None:
            names = ", ".join(sorted(signer.name for signer in self.known.values())) or "none"
            raise UnknownSigner(f"signed by {number.hex()}, who is not known here; known signers: {names}")
        return found


def for_developers(board: Board) -> bool:
    """Boards on which the development key counts: the lab and the emulator."""
    return board.lab or board.name == VIRT


def read_signers(paths: Paths, board: Board) -> Signers:
    """The signers of this image. A missing file is none but, on a developer's board, the development key.
    Raises Refusal when the file is wrong."""
    file = paths.signers
    try:
        text = file.read_text(encoding="utf-8")
        table: dict[str, Any] = tomllib.loads(text)
    except FileNotFoundError:
        table = {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"{file}: not readable as TOML ({error})") from None
    known: dict[bytes, Signer] = {}
    for name, entry in table.items():
        public = entry.get("public") if isinstance(entry, dict) else None
        if not isinstance(public, str) or not re.fullmatch(r"[0-9a-fA-F]{64}", public):
            raise Refusal(f"{file}: {name}.public: expected 64 hexadecimal digits in quotes")
        octets = bytes.fromhex(public)
        known[signer_id(octets)] = Signer(name, octets)
    return Signers(known, for_developers(board))
