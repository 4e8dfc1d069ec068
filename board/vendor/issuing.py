# SPDX-License-Identifier: Apache-2.0
"""issuing: makes matching sets of feature keys, and signing keys. The vendor's side: never on a unit.

Pure but for reading a signing key's file and for randomness. What a key looks like is said in
firmware/qx/trust/key.py; here is the one thing that it lacks, the private key.
"""

from __future__ import annotations

import re
import secrets
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from qx.errors import Refusal
from qx.identity import serial_number
from qx.trust import key, paste
from qx.trust.secret import Secret
from qx.trust.signers import Signer, Signers, signer_id
from qx.upgrade import language

DEVELOPMENT_FILE = Path(__file__).resolve().parent / "development.key"


@dataclass(frozen=True, slots=True)
class SigningPair:
    """A signer with the private key, which no repr shows."""

    name: str
    private: SigningKey = field(repr=False)

    @property
    def public(self) -> bytes:
        return bytes(self.private.verify_key)


def read_signer(file: Path) -> SigningPair:
    """Reads a signing key's file: `name` and `private` (64 hexadecimal digits), TOML. Raises Refusal."""
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}; expected a signing key's file (see make-signer)") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise Refusal(f"{file}: not readable as TOML; expected a signing key's file") from None
    name, private = table.get("name"), table.get("private")
    if not isinstance(name, str) or not isinstance(private, str):
        raise Refusal(f"{file}: expected name and private, texts in quotes")
    if not re.fullmatch(r"[0-9a-f]{64}", private):
        raise Refusal(f"{file}: private: expected 64 hexadecimal digits")
    return SigningPair(name, SigningKey(bytes.fromhex(private)))


def signer_text(name: str, private: SigningKey) -> str:
    """The text of a signing key's file."""
    return (
        "# A PRODUCTION SIGNING KEY. Whoever has this file issues feature keys for every unit in the field.\n"
        "# Keep it off the network, off every unit and out of every repository.\n"
        f'name = "{name}"\nprivate = "{bytes(private).hex()}"\n'
    )


def signers_toml(name: str, public: bytes) -> str:
    """What goes into etc/qx/signers.toml of the images, so that units know this signer."""
    return f'[{name}]\npublic = "{public.hex()}"\n'


def contents(
    serial: str, peer: str, features: Sequence[str], issued: date, expires: date | None, set_id: bytes
) -> dict[str, Any]:
    """The body of a key without the hash of its pair key."""
    return {
        "serial": serial,
        "peer": peer,
        "features": sorted(set(features)),
        "issued": issued.isoformat(),
        "expires": expires.isoformat() if expires else None,
        "set": set_id,
    }


def sign(body: dict[str, Any], pair: Secret | None, signer: SigningPair) -> str:
    """One key as text. `pair` is the pair key, in keys with redundancy."""
    if pair is not None:
        body = {**body, "pair": key.pair_hash(pair)}
    unsigned = key.unsigned(signer_id(signer.public), body, len(pair) if pair else 0)
    public = unsigned + signer.private.sign(key.CONTEXT + unsigned).signature
    return paste.to_text(key.whole(public, pair).reveal())


def issue(
    serials: tuple[str, str],
    features: Sequence[str],
    signer: SigningPair,
    issued: date,
    expires: date | None = None,
) -> tuple[str, str]:
    """A matching set: the keys of both units, for each other's serial numbers, with one set id and, with the
    feature redundancy, one pair key. Raises Refusal naming what is wrong."""
    for name, serial in zip(("SERIAL-A", "SERIAL-B"), serials, strict=True):
        serial_number(name, serial)
    if serials[0] == serials[1]:
        raise Refusal(f"SERIAL-B: {serials[1]!r} is SERIAL-A; expected the other unit's serial number")
    if not 0 < len(set(features)) <= key.FEATURES_MAX:
        raise Refusal(f"features: expected 1 to {key.FEATURES_MAX} names")
    for name in features:
        key.feature_name(name)
    if expires is not None and expires < issued:
        raise Refusal(f"expires: {expires} has passed; expected a day from {issued} on")
    set_id = secrets.token_bytes(key.SET_ID)
    pair = Secret(secrets.token_bytes(key.PAIR_KEY)) if key.REDUNDANCY in features else None
    a, b = serials
    return (
        sign(contents(a, b, features, issued, expires, set_id), pair, signer),
        sign(contents(b, a, features, issued, expires, set_id), pair, signer),
    )


def sign_language_pack(body: dict[str, Any], signer: SigningPair) -> bytes:
    """A language pack, read back as a unit of its first release would. Raises BadPack, by name."""
    unsigned = language.unsigned(signer_id(signer.public), body)
    octets = unsigned + signer.private.sign(language.CONTEXT + unsigned).signature
    known = Signers({signer_id(signer.public): Signer(signer.name, signer.public)}, development=True)
    language.parse(octets, known, body["firmware"][0])
    return octets
