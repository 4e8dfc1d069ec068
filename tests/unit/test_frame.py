# SPDX-License-Identifier: Apache-2.0
"""R1, R3: the frames that the engine makes and reads, against octets written by hand from the RFCs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine import number
from packets import exact

from _qx import ffi, lib

VIRTUAL = bytes.fromhex("00005e000112")
OWN = bytes.fromhex("525400abcdef")
ADDRESS = number("10.77.0.100")  # 0a 4d 00 64


def written(call: Any, mac: bytes, *arguments: int) -> bytes:
    block = exact(b"\xa5" * 42)
    length = call(block, mac, *arguments)
    assert bytes(ffi.buffer(block))[length:] == b"\xa5" * (42 - length)
    return bytes(ffi.buffer(block))[:length]


def read(data: bytes) -> tuple[str, int, int] | None:
    arp = ffi.new("struct qx_arp *")
    if not lib.qx_frame_read_arp(exact(data), len(data), arp):
        return None
    return bytes(arp.sender_mac).hex(), arp.sender, arp.target


@pytest.mark.parametrize("vrid", [1, 0x12, 255])
def test_the_virtual_mac(vrid: int) -> None:
    """R3: 00-00-5E-00-01-VRID (RFC 3768 7.3)."""
    mac = exact(b"\xa5" * 6)
    lib.qx_virtual_mac(mac, vrid)
    assert bytes(ffi.buffer(mac)) == bytes([0x00, 0x00, 0x5E, 0x00, 0x01, vrid])


def test_the_wan_mac() -> None:
    """R6: one station, administered here, and another for every address."""
    mac = exact(b"\xa5" * 6)
    lib.qx_wan_mac(mac, number("203.0.113.9"))
    assert bytes(ffi.buffer(mac)) == bytes([0x02, 0x51, 203, 0, 113, 9])
    assert mac[0] & 0b11 == 0b10, "not a group, and not from a registered range"


def test_the_header_of_an_advertisement() -> None:
    """R3: to 01-00-5E-00-00-12, the MAC of 224.0.0.18, from the virtual router; IPv4 follows."""
    assert written(lib.qx_frame_advert_header, VIRTUAL) == bytes.fromhex("01005e000012 00005e000112 0800")


def test_the_announcement() -> None:
    """R9: RFC 5227 3: a broadcast request with the address as sender and as target."""
    assert written(lib.qx_frame_announce, VIRTUAL, ADDRESS) == bytes.fromhex(
        "ffffffffffff 00005e000112 0806"  # Ethernet: broadcast, from the virtual router, ARP
        "0001 0800 06 04 0001"  # RFC 826: Ethernet, IPv4, 6 octets, 4 octets, request
        "00005e000112 0a4d0064"  # sender
        "ffffffffffff 0a4d0064"  # target
    )


def test_the_probe() -> None:
    """R1: RFC 5227 2.1.1: sender address 0, target MAC 0, from the unit's own MAC."""
    assert written(lib.qx_frame_probe, OWN, ADDRESS) == bytes.fromhex(
        "ffffffffffff 525400abcdef 0806"
        "0001 0800 06 04 0001"
        "525400abcdef 00000000"
        "000000000000 0a4d0064"
    )  # fmt: skip


REPLY = bytes.fromhex("0001 0800 06 04 0002 525400abcdef 0a4d0064 020000000001 c0a80001")


@pytest.mark.parametrize("padding", [0, 18, 100])
def test_a_reply_is_read(padding: int) -> None:
    """R1: sender's MAC and both addresses, with the link's padding behind."""
    assert read(REPLY + bytes(padding)) == ("525400abcdef", ADDRESS, number("192.168.0.1"))


@given(st.binary(min_size=6, max_size=6), st.integers(0, 2**32 - 1))
def test_what_we_write_is_read(mac: bytes, address: int) -> None:
    """R1: addresses above 127.255.255.255 too."""
    assert read(written(lib.qx_frame_announce, mac, address)[14:]) == (mac.hex(), address, address)
    assert read(written(lib.qx_frame_probe, mac, address)[14:]) == (mac.hex(), 0, address)


@pytest.mark.parametrize("length", range(28))
def test_a_short_packet_is_not_read(length: int) -> None:
    """R3: not an octet beyond its end (AddressSanitizer)."""
    assert read(REPLY[:length]) is None


@pytest.mark.parametrize("at", range(6))
def test_another_hardware_or_protocol_is_not_read(at: int) -> None:
    """R3: RFC 826: hardware, protocol and both lengths must be Ethernet's and IPv4's."""
    data = bytearray(REPLY)
    data[at] ^= 1
    assert read(bytes(data)) is None


@given(st.binary(max_size=100))
def test_garbage_does_no_harm(data: bytes) -> None:
    """R3: whatever its length."""
    assert read(data) is None or data[:6] == REPLY[:6]
