# SPDX-License-Identifier: Apache-2.0
"""trust_bench: keys, signers and roots for the tests of trust. Keys are made with the vendor's own code."""

from __future__ import annotations

import base64
from datetime import date
from pathlib import Path
from typing import Any

from board.vendor import issuing
from board.vendor.issuing import SigningPair, issue, read_signer
from nacl.signing import SigningKey

from qx.board import Board
from qx.identity import Identity
from qx.model import MODELS
from qx.paths import Paths
from qx.trust import key, paste
from qx.trust.keyring import Keyring
from qx.trust.secret import Secret
from qx.trust.signers import Signer, Signers, signer_id

A, B, C = "QX200-000001", "QX200-000002", "QX200-000003"
TODAY = date(2026, 11, 23)
LAB = Board("lab", "lab", "lan0")
UNIT = Board("qx200", "unit", "eth0", "eth1")
VIRT = Board("virt", "unit", "eth0")

DEVELOPMENT = read_signer(issuing.DEVELOPMENT_FILE)
VENDOR = SigningPair("vendor-2026", SigningKey(bytes(range(32))))
STRANGER = SigningPair("stranger", SigningKey(bytes(range(1, 33))))
KNOWN = {signer_id(VENDOR.public): Signer(VENDOR.name, VENDOR.public)}
PRODUCTION, LAB_SIGNERS = Signers(KNOWN, False), Signers(KNOWN, True)


def issued(
    features: str = "redundancy",
    serials: tuple[str, str] = (A, B),
    signer: SigningPair = VENDOR,
    expires: date | None = None,
) -> tuple[str, str]:
    return issue(serials, features.split(","), signer, TODAY, expires)


def octets_of(text: str) -> bytes:
    return paste.to_octets(paste.normal(text))


def resealed(octets: bytes) -> str:
    """The text of a key that somebody has changed, with a checksum that is right again."""
    return paste.to_text(octets[: -key.CHECKSUM] + key.checksum(octets[: -key.CHECKSUM]))


def signed(contents: dict[str, Any], pair: bytes | None = b"p" * 32, signer: SigningPair = VENDOR) -> str:
    """A key with any contents, which the vendor signed."""
    return issuing.sign(contents, None if pair is None else Secret(pair), signer)


def contents(**changes: Any) -> dict[str, Any]:
    return {**issuing.contents(A, B, ["redundancy"], TODAY, None, b"s" * 8), **changes}


def new_paths(root: Path) -> Paths:
    paths = Paths(root)
    paths.data_qx.mkdir(parents=True)
    paths.etc_qx.mkdir(parents=True)
    paths.signers.write_text(issuing.signers_toml(VENDOR.name, VENDOR.public))
    return paths


def opened(paths: Paths, serial: str = A, board: Board = LAB, write: float | None = 0) -> Keyring:
    return Keyring(paths, Identity(serial, MODELS["qx200"]), board, write)


def contents_of(paths: Paths) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in paths.trust.iterdir()} if paths.trust.exists() else {}


def traces(text: str) -> list[str]:
    """What must not be seen anywhere of a key with a pair key."""
    octets = octets_of(text)
    pair = octets[-key.CHECKSUM - key.PAIR_KEY : -key.CHECKSUM]
    plain = text.replace("-", "")
    return [pair.hex(), base64.b64encode(pair).decode()[:40], repr(pair)[2:20], text[:30], plain[-40:-10]]
