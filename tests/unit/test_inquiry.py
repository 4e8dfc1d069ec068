# SPDX-License-Identifier: Apache-2.0
"""R3, R17: the question whether a silent Master is alive, and its answer: octets, code, key."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_shorthash_siphashx24
from packets import exact

from _qx import ffi, lib
from qx.redundancy import inquiry as key_part
from qx.redundancy.peer.message import BadMessage

SIZE, KEY = 44, bytes(range(16))
FIELDS = {"kind": 2, "state": 2, "vrid": 18, "from": 0x0A4D0001}
NONCE = bytes(range(100, 116))


def code(octets: bytes, key: bytes = KEY) -> bytes:
    out = exact(bytes(16))
    lib.qx_siphash(out, exact(octets), len(octets), exact(key))
    return bytes(ffi.buffer(out))


def write(key: bytes = KEY, nonce: bytes = NONCE, **fields: int) -> bytes:
    inquiry, out = ffi.new("struct qx_inquiry *"), exact(b"\xa5" * SIZE)
    for name, value in (FIELDS | fields).items():
        setattr(inquiry, name, value)
    inquiry.nonce = nonce
    lib.qx_inquiry_write(out, inquiry, exact(key))
    return bytes(ffi.buffer(out))


def read(octets: bytes, key: bytes = KEY) -> dict[str, Any] | None:
    inquiry = ffi.new("struct qx_inquiry *")
    if not lib.qx_inquiry_read(exact(octets), len(octets), exact(key), inquiry):
        return None
    return {name: getattr(inquiry, name) for name in FIELDS} | {"nonce": bytes(inquiry.nonce)}


def test_the_authors_vectors() -> None:
    """R17: vectors_sip128 of the reference code, lengths 0 and 1."""
    assert code(b"").hex() == "a3817f04ba25a8e66df67214c7550293"
    assert code(b"\0").hex() == "da87c1d86b99af44347659119b22fc45"


@given(st.binary(max_size=70), st.binary(min_size=16, max_size=16))
def test_the_code_is_libsodiums(octets: bytes, key: bytes) -> None:
    """R17: the same as a library of cryptographers says."""
    assert code(octets, key) == crypto_shorthash_siphashx24(octets, key)


def test_what_is_written_is_read() -> None:
    """R3: each field in its place."""
    octets = write()
    assert octets[:12].hex() == "51584131" + "02021200" + "0a4d0001"
    assert octets[12:28] == NONCE
    assert read(octets) == FIELDS | {"nonce": NONCE}


def test_one_octet_changed_is_refused() -> None:
    """R17: whichever it is; and another key, and another length."""
    octets = write()
    for at in range(SIZE):
        assert read(octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]) is None
    assert read(octets, bytes(16)) is None
    assert read(octets[:-1]) is None and read(octets + b"\0") is None and read(b"") is None


@pytest.mark.parametrize("wrong", [{"kind": 0}, {"kind": 3}, {"state": 3}])
def test_a_field_out_of_range_is_refused_with_a_right_code(wrong: dict[str, int]) -> None:
    """R3: a later format is not read as this one."""
    assert read(write(**wrong)) is None


@given(st.binary(max_size=100))
def test_garbage_does_no_harm(octets: bytes) -> None:
    """R3: nothing beyond its end is read (AddressSanitizer), and nothing of it believed."""
    assert read(octets) is None and read((b"QXA1" + octets).ljust(SIZE, b"\0")[:SIZE]) is None


class Wire:
    """The other end of the session."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, Any]] = []

    def send(self, kind: int, body: Any) -> None:
        self.sent.append((kind, body))


def test_both_units_make_one_key() -> None:
    """R17: of two halves, another one for each session; what is none ends the session by name."""
    keys: list[bytes] = []
    one, other = key_part.InquiryKey(keys.append), key_part.InquiryKey(keys.append)
    for _ in range(2):
        wires = Wire(), Wire()
        one.started(wires[0])  # type: ignore[arg-type]
        other.started(wires[1])  # type: ignore[arg-type]
        one.received(*wires[1].sent[0])
        other.received(*wires[0].sent[0])
        one.ended()
    assert keys[0] == keys[1] != keys[2] == keys[3] and len(keys[0]) == 16
    for bad in (b"x" * 15, b"x" * 17, "x" * 16, None):
        with pytest.raises(BadMessage, match="inquiry: message of kind 80; expected 80 with 16 octets"):
            one.received(80, bad)
