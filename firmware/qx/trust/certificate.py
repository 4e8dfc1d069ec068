# SPDX-License-Identifier: Apache-2.0
"""certificate: the unit's own TLS key and certificate, made when they are first needed.

Self-signed, Ed25519, valid from 2000 to 9999, because a unit whose clock has died must still find its peer;
nobody judges it by anything but its hash. The serial number stands in the subject. One PEM file, 0600, in
data/qx/trust, which `ssl` reads by its name; the DER here is the little that RFC 5280 and RFC 8410 ask for.
Browsers take no Ed25519: the pages need a certificate of their own.
"""

from __future__ import annotations

import re
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from . import files
from .files import Damaged
from .pairing import fingerprint
from .secret import Secret

FILE = "unit.pem"
_BEGIN = "-----BEGIN CERTIFICATE-----"

# --- DER (X.690): what is needed of it ---------------------------------------------------------------------
_INTEGER, _BIT_STRING, _OCTET_STRING, _OID, _UTF8, _PRINTABLE = 0x02, 0x03, 0x04, 0x06, 0x0C, 0x13
_UTC_TIME, _GENERALIZED_TIME, _SEQUENCE, _SET = 0x17, 0x18, 0x30, 0x31
_TRUE = b"\x01\x01\xff"


def _der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _oid(*arcs: int) -> bytes:
    octets = bytes((40 * arcs[0] + arcs[1],))
    for arc in arcs[2:]:
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | arc & 0x7F)
        octets += bytes(reversed(septets))
    return _der(_OID, octets)


_ED25519 = _der(_SEQUENCE, _oid(1, 3, 101, 112))  # RFC 8410: no parameters
_VALIDITY = _der(_SEQUENCE, _der(_UTC_TIME, b"000101000000Z"), _der(_GENERALIZED_TIME, b"99991231235959Z"))
_BASIC = _der(_SEQUENCE, _oid(2, 5, 29, 19), _TRUE, _der(_OCTET_STRING, _der(_SEQUENCE)))  # no authority
_USAGE = _der(  # digitalSignature
    _SEQUENCE, _oid(2, 5, 29, 15), _TRUE, _der(_OCTET_STRING, _der(_BIT_STRING, b"\x07\x80"))
)


def issue(serial: str, seed: bytes, number: bytes) -> bytes:
    """A self-signed certificate as DER. `seed` is the private key, 32 octets; `number` are 16 octets of
    certificate number. Pure."""
    public, private = crypto_sign_seed_keypair(seed)
    # X.520: serialNumber is a PrintableString, and a serial number of ours has no other characters.
    attributes = ((_oid(2, 5, 4, 3), _UTF8), (_oid(2, 5, 4, 5), _PRINTABLE))
    name = _der(
        _SEQUENCE,
        *(_der(_SET, _der(_SEQUENCE, oid, _der(tag, serial.encode("ascii")))) for oid, tag in attributes),
    )
    content = _der(
        _SEQUENCE,
        _der(0xA0, _der(_INTEGER, b"\x02")),  # version 3
        _der(_INTEGER, b"\x01" + number),  # positive, and never of varying length
        _ED25519,
        name,
        _VALIDITY,
        name,
        _der(_SEQUENCE, _ED25519, _der(_BIT_STRING, b"\0" + public)),
        _der(0xA3, _der(_SEQUENCE, _BASIC, _USAGE)),
    )
    signature = crypto_sign(content, private)[:64]
    return _der(_SEQUENCE, content, _ED25519, _der(_BIT_STRING, b"\0" + signature))


def private_pem(seed: bytes) -> str:
    """The private key as PKCS #8 (RFC 8410, section 7)."""
    key = _der(_SEQUENCE, _der(_INTEGER, b"\0"), _ED25519, _der(_OCTET_STRING, _der(_OCTET_STRING, seed)))
    pem = ssl.DER_cert_to_PEM_cert(key)
    return pem.replace(" CERTIFICATE-", " PRIVATE KEY-")


# --- the unit's own -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Certificate:
    """The unit's own. `file` has key and certificate, for `ssl.SSLContext.load_cert_chain`."""

    file: Path
    der: bytes

    @property
    def fingerprint(self) -> bytes:
        return fingerprint(self.der)


def own_certificate(folder: Path, serial: str) -> Certificate:
    """The certificate in data/qx/trust, made if there is none. Raises Damaged when the file is broken or of
    another unit (never made anew then: the peer has the old one pinned), Refusal when flash refuses."""
    file = folder / FILE
    octets = files.read(file)
    if octets is None:
        seed = Secret(secrets.token_bytes(32))
        der = issue(serial, seed.reveal(), secrets.token_bytes(16))
        pem = private_pem(seed.reveal()) + ssl.DER_cert_to_PEM_cert(der)
        files.replace(file, pem.encode("ascii"))
        return Certificate(file, der)
    text = octets.decode("ascii", "replace")
    try:
        der = ssl.PEM_cert_to_DER_cert(text[text.index(_BEGIN) :])
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(file)  # do key and certificate fit?
    except (ValueError, OSError):
        raise Damaged(f"{file}: damaged: expected a private key and its certificate") from None
    if serial_of(der) != serial:
        raise Damaged(f"{file}: certificate of {serial_of(der) or 'nobody'}; expected that of {serial}")
    return Certificate(file, der)


def serial_of(der: bytes) -> str | None:
    """The unit's serial number in the subject of a certificate that `issue` made; None for any other."""
    oid = _oid(2, 5, 4, 5)
    found = re.findall(re.escape(oid + b"\x13") + rb"(.)([A-Za-z0-9+-]{1,24})", der, re.DOTALL)
    names = {text[: length[0]].decode("ascii") for length, text in found if length[0] <= len(text)}
    return names.pop() if len(names) == 1 and len(found) == 2 else None
