# SPDX-License-Identifier: Apache-2.0
"""key: a feature key: what the vendor signed for one unit of a pair, and how it is read and judged. Pure.

    header | body | signature | pair key | checksum

Header (`headers.FEATURE_KEY`) and body (msgpack) are signed with Ed25519. Of the pair key, the secret of the
two units, the body has only the hash, so header, body and signature are a statement that can be shown to the
peer and checked by it without the secret (R17): the *public part*, a Licence. The checksum over all the rest
tells a key that was mistyped or cut off from one that somebody made up.

The order of the rungs matters: the body is looked at only when the vendor's signature over it is right.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from hmac import compare_digest
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from ..errors import Refusal
from ..identity import serial_number
from ..packing import NotPacked, pack, unpack
from . import paste
from .refused import (
    BadContents,
    Expired,
    Forged,
    Mistyped,
    NewerFormat,
    NotAKey,
    OtherPeer,
    OtherSerial,
    Truncated,
)
from .secret import Secret

if TYPE_CHECKING:
    from .signers import Signers

FORMAT = 1
WORD = "QXLICKEY"  # what every key begins with
MAGIC = paste.to_octets(WORD)
HEADER = Struct(">5sB8sHB")
BODY_MAX = 1024
SIGNATURE = 64
PAIR_KEY = 32
CHECKSUM = 4
SET_ID = 8
CONTEXT = b"qx feature key\0"  # signed before the header, so that no other signature of the vendor is one
REDUNDANCY = "redundancy"
FEATURES_MAX = 32


class Header(NamedTuple):
    magic: bytes
    format: int
    signer: bytes  # see signers.signer_id
    body: int  # octets of the body
    secret: int  # octets of the pair key: 32, or 0 in a key without redundancy


@dataclass(frozen=True, slots=True)
class Licence:
    """What the vendor signed: the public part of a key. `public` are its octets, for the peer to check."""

    signer: str
    serial: str  # of the unit for which it is valid
    peer: str  # of the other unit of the pair
    features: frozenset[str]
    issued: date
    expires: date | None  # the last day on which it may be installed; None: never ends
    set_id: bytes  # the same in both keys of a set
    pair_hash: bytes | None  # of the pair key; None without redundancy
    public: bytes

    def plain(self) -> dict[str, Any]:
        """Of JSON types, for faces. Nothing in it is secret."""
        return {
            "features": sorted(self.features),
            "serial": self.serial,
            "peer": self.peer,
            "set": self.set_id.hex(),
            "issued": self.issued.isoformat(),
            "expires": self.expires.isoformat() if self.expires else None,
            "signer": self.signer,
        }


@dataclass(frozen=True, slots=True)
class FeatureKey:
    """A whole key. `octets` have the pair key in them."""

    licence: Licence
    pair: Secret | None
    octets: Secret


# --- making: the vendor's side lacks nothing but the private key (board/vendor/issuing.py) ---------------
def pair_hash(pair: Secret) -> bytes:
    return hashlib.sha256(b"qx pair key\0" + pair.reveal()).digest()


def checksum(octets: bytes) -> bytes:
    return hashlib.blake2b(octets, digest_size=CHECKSUM).digest()


def unsigned(signer: bytes, contents: dict[str, Any], secret: int) -> bytes:
    """Header and body. With CONTEXT before it, this is what is signed."""
    body = pack(contents)
    return HEADER.pack(MAGIC, FORMAT, signer, len(body), secret) + body


def whole(public: bytes, pair: Secret | None) -> Secret:
    """The octets of a key from its public part and its pair key."""
    octets = public + (pair.reveal() if pair else b"")
    return Secret(octets + checksum(octets))


# --- reading ----------------------------------------------------------------------------------------------
def read_text(text: str, signers: Signers) -> FeatureKey:
    """A key as it was pasted. Raises KeyRefused, by name."""
    kept = paste.normal(text)
    if not kept.startswith(WORD):
        if WORD.startswith(kept) and kept:
            raise Truncated(f"truncated: {len(kept)} characters; expected the whole line")
        raise NotAKey(f"not a feature key; expected a line that begins with {WORD}")
    octets = paste.to_octets(kept)
    if len(octets) < HEADER.size:
        raise Truncated(f"truncated: {len(kept)} characters; expected the whole line")
    header = _header(octets)
    total = _total(header)
    if header.format == FORMAT:
        if total is None:
            raise Mistyped("mistyped: its lengths are none that a key has; expected it as it was issued")
        expected = paste.characters(total)
        if len(kept) < expected:
            raise Truncated(f"truncated: {len(kept)} of {expected} characters; expected the whole line")
        if len(kept) > expected:
            raise Mistyped(f"{len(kept) - expected} characters too many; expected one key of {expected}")
        if paste.to_text(octets).replace("-", "") != kept:  # bits behind the last octet
            raise Mistyped("mistyped in its last character; expected it as it was issued")
    return read_octets(octets, signers)


def read_octets(octets: bytes, signers: Signers) -> FeatureKey:
    """A whole key as octets. Raises KeyRefused, by name."""
    if len(octets) < HEADER.size + CHECKSUM:
        raise Truncated(f"truncated: {len(octets)} octets; expected a whole key")
    if octets[: len(MAGIC)] != MAGIC:
        raise NotAKey(f"not a feature key; expected one that begins with {WORD}")
    kept, check = octets[:-CHECKSUM], octets[-CHECKSUM:]
    if not compare_digest(checksum(kept), check):
        raise Mistyped("mistyped or truncated: its checksum is wrong; expected it as it was issued")
    header = _header(octets)
    if header.format == FORMAT and _total(header) != len(octets):
        raise Mistyped("mistyped: its lengths are none that a key has; expected it as it was issued")
    secret = header.secret if header.format == FORMAT else 0
    licence = read_public(kept[: len(kept) - secret], signers)
    pair = Secret(kept[len(kept) - secret :]) if secret else None
    if (pair_hash(pair) if pair else None) != licence.pair_hash:
        raise Forged("forged: its pair key is not the one that was signed; expected it as it was issued")
    return FeatureKey(licence, pair, Secret(octets))


def read_public(public: bytes, signers: Signers) -> Licence:
    """The public part of a key, of this unit or as the peer sent it. Raises KeyRefused, by name."""
    if len(public) < HEADER.size or public[: len(MAGIC)] != MAGIC:
        raise NotAKey("not the public part of a feature key")
    header = _header(public)
    if header.format != FORMAT:
        raise NewerFormat(f"format {header.format}; expected {FORMAT}: this firmware knows no other")
    if header.body > BODY_MAX or len(public) != HEADER.size + header.body + SIGNATURE:
        raise Truncated(f"{len(public)} octets; expected {HEADER.size + header.body + SIGNATURE}")
    signer = signers.find(header.signer)
    signed, signature = public[:-SIGNATURE], public[-SIGNATURE:]
    try:
        crypto_sign_open(signature + CONTEXT + signed, signer.public)
    except BadSignatureError:
        raise Forged(f"forged: not signed by {signer.name}; expected a key that the vendor issued") from None
    return _licence(signer.name, signed[HEADER.size :], public)


# --- judging ----------------------------------------------------------------------------------------------
def judge(licence: Licence, serial: str, peer: str | None, today: date) -> None:
    """May the unit `serial`, whose installed keys bind it to `peer`, install this key? A redundancy key may
    name another peer: that is how a unit gets a new one (guide, section 5). Raises KeyRefused, by name."""
    for_this_unit(licence, serial)
    if peer is not None and licence.peer != peer and REDUNDANCY not in licence.features:
        raise OtherPeer(
            f"for a pair with {licence.peer}; expected {peer}, to which the redundancy key binds this unit"
        )
    if licence.expires is not None and today > licence.expires:
        raise Expired(f"expired: to be installed until {licence.expires}; expected a new one of the vendor")


def for_this_unit(licence: Licence, serial: str) -> None:
    if licence.serial != serial:
        raise OtherSerial(f"for serial number {licence.serial}; expected one for this unit, {serial}")


# --- within -----------------------------------------------------------------------------------------------
def _header(octets: bytes) -> Header:
    return Header(*HEADER.unpack_from(octets))


def _total(header: Header) -> int | None:
    """The octets of the whole key that a header announces; None when no key is like that."""
    if not 0 < header.body <= BODY_MAX or header.secret not in (0, PAIR_KEY):
        return None
    return HEADER.size + header.body + SIGNATURE + header.secret + CHECKSUM


def _licence(signer: str, body: bytes, public: bytes) -> Licence:
    try:
        contents = unpack(body)
    except NotPacked:
        contents = None
    if not isinstance(contents, dict):
        raise BadContents("contents: expected a msgpack map")
    features = _features(contents.get("features"))
    hashed = contents.get("pair")
    if (hashed is None) == (REDUNDANCY in features) or not (hashed is None or _octets(hashed, 32)):
        raise BadContents("pair: expected the hash of the pair key with redundancy, and none without")
    if not _octets(contents.get("set"), SET_ID):
        raise BadContents(f"set: expected {SET_ID} octets")
    issued = _day("issued", contents.get("issued"))
    expires = None if contents.get("expires") is None else _day("expires", contents["expires"])
    serial, peer = (_serial(name, contents.get(name)) for name in ("serial", "peer"))
    if serial == peer:
        raise BadContents("peer: expected another serial number than the unit's own")
    return Licence(signer, serial, peer, features, issued, expires, contents["set"], hashed, public)


def _octets(value: Any, length: int) -> bool:
    return isinstance(value, bytes) and len(value) == length


def _serial(name: str, value: Any) -> str:
    try:
        return serial_number(name, value if isinstance(value, str) else "")
    except Refusal as error:
        raise BadContents(str(error)) from None


def _day(name: str, value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadContents(f"{name}: expected a day like 2026-01-31") from None


def _features(value: Any) -> frozenset[str]:
    if not isinstance(value, tuple) or not 0 < len(value) <= FEATURES_MAX:
        raise BadContents(f"features: expected 1 to {FEATURES_MAX} names")
    return frozenset(feature_name(name) for name in value)


def feature_name(name: Any) -> str:
    """Checks the name of a feature. Raises KeyRefused."""
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name):
        raise BadContents("features: expected names of 1 to 32 small letters, digits, '-' or '_'")
    return name
