# SPDX-License-Identifier: Apache-2.0
"""R4, R9: the datagram in which one unit's engine tells the other's how it is: 112 octets, every field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packets import exact

from _qx import ffi, lib

SIZE = 112
NUMBERS = {
    "state": (4, 1), "priority": (5, 1), "vrid": (6, 1), "version": (7, 1), "interval_cs": (10, 2),
    "term": (16, 4), "uptime_s": (20, 4), "lan_service": (24, 4), "wan_service": (28, 4),
    "lan_prefix": (32, 1), "wan_prefix": (33, 1),
}  # fmt: skip
FLAGS = {"virtual_mac": 1, "armed": 2, "passive": 4, "wan_link": 8, "master_before": 16, "stood_down": 32}
TEXTS = {"serial": (36, 24), "model": (60, 12), "firmware": (72, 24)}

visible = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
fields = st.fixed_dictionaries(
    {name: st.integers(0, 256**width - 1) for name, (_, width) in NUMBERS.items() if name != "state"}
    | {"state": st.integers(0, 2)}
    | {name: st.booleans() for name in FLAGS}
    | {name: st.text(visible, max_size=width) for name, (_, width) in TEXTS.items()}
)


def write(**values: Any) -> bytes:
    hello, block = ffi.new("struct qx_hello *"), exact(b"\xa5" * SIZE)
    for name, value in values.items():
        setattr(hello, name, value.encode() if isinstance(value, str) else value)
    lib.qx_hello_write(block, hello)
    return bytes(ffi.buffer(block))


def read(data: bytes) -> dict[str, Any] | None:
    hello = ffi.new("struct qx_hello *")
    ffi.memmove(hello, b"\xa5" * ffi.sizeof("struct qx_hello"), ffi.sizeof("struct qx_hello"))
    if not lib.qx_hello_read(exact(data), len(data), hello):
        return None
    texts = {name: ffi.string(getattr(hello, name)).decode("ascii") for name in TEXTS}
    return {name: getattr(hello, name) for name in (*NUMBERS, *FLAGS)} | texts


@given(fields)
def test_what_is_written_is_read(values: dict[str, Any]) -> None:
    """R4: every field crosses as it is."""
    assert read(write(**values)) == values


def test_an_empty_hello() -> None:
    """R4: the magic and zeroes, with nothing left of what was in the buffer."""
    assert write() == b"QXH1" + bytes(SIZE - 4)


@pytest.mark.parametrize(("name", "place"), NUMBERS.items())
def test_each_number_has_its_place(name: str, place: tuple[int, int]) -> None:
    """R4: in network order, and nowhere else."""
    at, width = place
    value = 2 if name == "state" else int.from_bytes(bytes(range(0x81, 0x81 + width)), "big")
    expected = bytearray(write())
    expected[at : at + width] = value.to_bytes(width, "big")
    assert write(**{name: value}) == expected


@pytest.mark.parametrize(("name", "bit"), FLAGS.items())
def test_each_flag_has_its_bit(name: str, bit: int) -> None:
    """R4, R9: armed, passive and WAN link above all: a wrong one moves the role or fails to."""
    data = write(**{name: True})
    assert data[8] == bit
    seen = read(data)
    assert seen is not None
    assert [flag for flag in FLAGS if seen[flag]] == [name]


@pytest.mark.parametrize(("name", "place"), TEXTS.items())
def test_each_text_fills_its_width(name: str, place: tuple[int, int]) -> None:
    """R5: the longest one has no end mark on the wire, and does not run into the next."""
    at, width = place
    data = write(**{name: "x" * width})
    assert data[at : at + width] == b"x" * width
    seen = read(data)
    assert seen is not None
    assert {text: seen[text] for text in TEXTS} == dict.fromkeys(TEXTS, "") | {name: "x" * width}


# --- what is none ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("length", [0, 1, 4, 111, 113, 1500])
def test_another_length_is_none(length: int) -> None:
    """R3: not shorter and not longer."""
    assert read((write(state=2) + bytes(1500))[:length]) is None


@pytest.mark.parametrize("magic", [b"QXH0", b"QXH2", b"\0\0\0\0", b"qxh1"])
def test_another_magic_is_none(magic: bytes) -> None:
    """R3: a later format is not read as this one."""
    assert read(magic + write()[4:]) is None


@pytest.mark.parametrize("state", [3, 4, 127, 255])
def test_another_state_is_none(state: int) -> None:
    """R3: Initialize, Backup and Master are all there is."""
    data = bytearray(write())
    data[4] = state
    assert read(bytes(data)) is None


@pytest.mark.parametrize("octet", [0x01, 0x0A, 0x1B, 0x20, 0x7F, 0x80, 0xFF])
@pytest.mark.parametrize("name", TEXTS)
def test_text_that_cannot_be_shown_is_none(name: str, octet: int) -> None:
    """R3: it goes to pages and terminals: no control characters, no spaces, nothing beyond ASCII."""
    at, width = TEXTS[name]
    for offset in (0, 5, width - 1):
        data = bytearray(write(**{name: "x" * width}))
        data[at + offset] = octet
        assert read(bytes(data)) is None


def test_what_stands_behind_the_end_of_a_text_is_not_read() -> None:
    """R3: octets after the zero are nobody's business."""
    data = bytearray(write(serial="QX200-000001"))
    data[36 + 13 : 60] = b"\xff" * 11
    seen = read(bytes(data))
    assert seen is not None
    assert seen["serial"] == "QX200-000001"


@given(st.binary(max_size=300))
def test_garbage_does_no_harm(data: bytes) -> None:
    """R3: it is refused, whatever its length; not an octet beyond it is read (AddressSanitizer)."""
    assert read(data) is None or len(data) == SIZE


@given(st.binary(min_size=SIZE - 4, max_size=SIZE - 4))
def test_garbage_behind_the_magic_is_refused_or_sound(data: bytes) -> None:
    """R3: what is accepted can be said again in the same words."""
    seen = read(b"QXH1" + data)
    if seen is not None:
        assert seen["state"] <= 2
        assert read(write(**seen)) == seen
