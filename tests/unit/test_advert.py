# SPDX-License-Identifier: Apache-2.0
"""R3: our own advertisements are what the RFCs say, and every reason has its name and counter."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packets import (
    REASONS,
    checksum,
    exact,
    judge,
    octets,
    packet,
)

from _qx import ffi, lib
from qx.redundancy.decode import local_from_json

ANY = local_from_json({})


# --- the checksum ---------------------------------------------------------------------------------------
def test_checksum_forms() -> None:
    """R3: version 2 has no pseudo header, IPv6 has one, version 3 over IPv4 either (5798, 9568 5.2.8)."""
    assert judge(packet(version=3), ANY).counters == []
    assert judge(packet(version=3, pseudo=False), ANY).counters == ["checksum_rfc9568_form"]
    assert judge(packet(version=3, family=6), ANY).counters == []
    assert judge(packet(version=3, family=6, pseudo=False), ANY).reason == "checksum"


@given(st.binary(max_size=300))
@example(b"")
@example(b"\xff" * 299)
@example(b"\xff\xff\xff\xff\x01\x00")  # the carry of the carry, on a little-endian machine
@example(b"\xff\xff\xff\xff\x00\x01")  # and on a big-endian one
def test_the_checksum_is_that_of_rfc_1071(data: bytes) -> None:
    """R3: an independent sum agrees for every content and for odd lengths; stored, it sums to zero."""
    value = lib.qx_checksum(exact(data), len(data)).to_bytes(2, sys.byteorder)
    assert value == checksum(data).to_bytes(2, "big")
    if len(data) % 2 == 0:
        assert lib.qx_checksum(exact(data + value), len(data) + 2) == 0


# --- the builder ------------------------------------------------------------------------------------------
def outgoing(
    *,
    version: int = 2,
    vrid: int = 51,
    priority: int = 100,
    interval_cs: int = 100,
    rfc9568: bool = False,
    addresses: tuple[bytes, ...] = (bytes([192, 0, 2, 100]),),
    count: int | None = None,
) -> Any:
    advert = ffi.new("struct qx_outgoing *")
    advert.version, advert.vrid, advert.priority = version, vrid, priority
    advert.interval_cs, advert.rfc9568_checksum = interval_cs, rfc9568
    advert.source = bytes([192, 0, 2, 11])
    advert.address_count = len(addresses) if count is None else count
    for index, address in enumerate(addresses):
        advert.addresses[index] = address
    return advert


def build(advert: Any, size: int = lib.QX_ADVERT_MAX) -> bytes:
    block = ffi.new("uint8_t[]", size)
    ffi.memmove(block, b"\xa5" * size, size)
    length = lib.qx_packet_build(block, size, advert)
    written = bytes(ffi.buffer(block))
    assert written[length:] == b"\xa5" * (size - length), "nothing is written beyond the packet"
    return written[:length]


def test_our_packets_are_those_of_the_vectors() -> None:
    """R3: octet for octet, with both forms of the checksum in version 3."""
    assert build(outgoing()) == octets("v2-basic")
    assert build(outgoing(version=3)) == octets("v3-v4-pseudo")
    assert build(outgoing(version=3, rfc9568=True)) == octets("v3-v4-message-only")
    assert build(outgoing(priority=0)) == octets("v2-prio0-release")
    assert build(outgoing(interval_cs=25500)) == octets("v2-max-interval-255s")
    assert build(outgoing(version=3, interval_cs=4095)) == octets("v3-v4-4095cs")


@given(
    version=st.sampled_from([2, 3]),
    vrid=st.integers(1, 255),
    priority=st.integers(0, 255),
    interval=st.integers(1, 4095),
    rfc9568=st.booleans(),
    addresses=st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=16),
)
@settings(deadline=None)
def test_what_we_build_we_accept(
    *, version: int, vrid: int, priority: int, interval: int, rfc9568: bool, addresses: list[bytes]
) -> None:
    """R3: every advertisement that can be configured climbs the ladder, field by field as it was meant."""
    interval_cs = interval if version == 3 else (interval % 255 + 1) * 100
    fields: dict[str, Any] = {"version": version, "vrid": vrid, "priority": priority}
    data = build(outgoing(**fields, interval_cs=interval_cs, rfc9568=rfc9568, addresses=tuple(addresses)))
    dotted = [".".join(map(str, each)) for each in addresses]
    local = local_from_json({"version": version, "vrid": vrid, "interval_cs": interval_cs, "vips": dotted})
    verdict = judge(data, local)
    assert verdict.reason == "accepted"
    expected = ["prio_zero_rcvd"] if priority == 0 else []
    alone = verdict.counters.count("checksum_rfc9568_form")
    assert [each for each in verdict.counters if each != "checksum_rfc9568_form"] == expected
    assert alone == (version == 3 and rfc9568)
    advert = verdict.advert
    assert (advert.version, advert.vrid, advert.priority, advert.interval_cs) == (
        version, vrid, priority, interval_cs,
    )  # fmt: skip
    assert verdict.addresses == dotted
    wire = interval_cs if version == 3 else interval_cs // 100
    assert data == packet(**fields, interval=wire, addresses=dotted, pseudo=not rfc9568)


def test_the_header_of_our_packets() -> None:
    """R3: TTL 255, protocol 112, TOS 0xc0, to 224.0.0.18, and a header checksum that holds."""
    data = build(outgoing())
    assert (data[0], data[1], data[8], data[9]) == (0x45, 0xC0, 255, 112)
    assert data[16:20] == bytes([224, 0, 0, 18])
    assert checksum(data[:20]) == 0


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    ("count", "fits"), [(0, False), (1, True), (15, True), (16, True), (17, False), (255, False)]
)
def test_one_to_sixteen_addresses(version: int, count: int, fits: bool) -> None:
    """R3: none cannot be advertised (RFC 9568 5.2.5), more than our list holds are not read beyond it."""
    addresses = tuple(bytes([192, 0, 2, 100 + index]) for index in range(min(count, 16)))
    data = build(outgoing(version=version, addresses=addresses, count=count))
    assert len(data) == (20 + 8 + 4 * count + (8 if version == 2 else 0) if fits else 0)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("count", [1, 16])
def test_a_buffer_one_octet_too_small_stays_untouched(version: int, count: int) -> None:
    """R3: the exact size is enough, one octet less is refused before anything is written."""
    advert = outgoing(version=version, addresses=(bytes(4),) * count)
    need = 28 + 4 * count + (8 if version == 2 else 0)
    assert len(build(advert, need)) == need
    for size in (need - 1, 20, 19, 1, 0):
        assert build(advert, size) == b""


@pytest.mark.parametrize(
    ("version", "interval", "fits"),
    [(2, 0, False), (2, 99, False), (2, 100, True), (2, 101, False), (2, 150, False), (2, 25500, True),
     (2, 25501, False), (2, 25600, False), (2, 65500, False), (3, 0, False), (3, 1, True), (3, 4095, True),
     (3, 4096, False), (3, 65535, False)],
)  # fmt: skip
def test_the_limits_of_the_interval(version: int, interval: int, fits: bool) -> None:
    """R3: 1 to 255 whole seconds in version 2, 0.01 to 40.95 s in version 3; never sent rounded."""
    assert bool(build(outgoing(version=version, interval_cs=interval))) == fits


@pytest.mark.parametrize(("version", "vrid"), [(2, 0), (3, 0), (0, 51), (1, 51), (4, 51), (255, 51)])
def test_what_is_no_virtual_router_is_not_sent(version: int, vrid: int) -> None:
    """R3: VRID 0 and other versions do not leave the unit."""
    assert build(outgoing(version=version, vrid=vrid)) == b""


# --- the names ---------------------------------------------------------------------------------------------
COUNTERS = {
    "accepted": "", "ip_header": "ip_header_err", "not_vrrp": "not_vrrp", "fragment": "fragment",
    "dst": "dst_err", "ttl": "ip_ttl_err", "own_source": "own_source", "short": "packet_len_err",
    "version": "version_err", "type": "invalid_type_rcvd", "vrid": "vrid_err", "count_zero": "packet_len_err",
    "length": "packet_len_err", "checksum": "checksum_err", "auth_invalid": "invalid_auth_type",
    "auth_mismatch": "auth_type_mismatch", "owner": "owner_conflict", "addr_list": "addr_list_err",
    "adver_int": "adver_int_err", "interval_zero": "adver_int_err", "linklocal": "addr_list_err",
}  # fmt: skip


def test_every_reason_has_its_counter() -> None:
    """R3: nothing is dropped silently; names are the vectors', in the ladder's order."""
    assert list(REASONS) == list(COUNTERS)
    for name, number in REASONS.items():
        assert ffi.string(lib.qx_reason_counter(number)).decode() == COUNTERS[name]


@pytest.mark.parametrize("number", [-1, lib.QX_REASONS, 2**31 - 1, -(2**31)])
def test_a_number_that_is_no_reason_has_a_name_all_the_same(number: int) -> None:
    """R3: a name is asked for in logs and must never be a read outside the table."""
    assert ffi.string(lib.qx_reason_name(number)) == b"unknown"
    assert ffi.string(lib.qx_reason_counter(number)) == b""


@pytest.mark.parametrize("remark", [0, 3, 32, 2**32 - 1])
def test_a_number_that_is_no_remark_has_no_counter(remark: int) -> None:
    """R3: a remark is one bit."""
    assert ffi.string(lib.qx_remark_counter(remark)) == b""
