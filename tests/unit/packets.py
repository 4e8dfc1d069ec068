# SPDX-License-Identifier: Apache-2.0
"""Packets for the tests of the ladder, written without `cext/advert.c`, and the judge with exact copies.

`packet()` says every field, wrong ones too: a fault is a keyword, so faults can be combined.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from _qx import ffi, lib

_FILE = Path(__file__).parent.parent / "vectors" / "vrrp.json"
VECTORS: list[dict[str, Any]] = json.loads(_FILE.read_text())
VECTOR = {vector["name"]: vector for vector in VECTORS}
REASONS = {ffi.string(lib.qx_reason_name(number)).decode(): number for number in range(lib.QX_REASONS)}

GROUP_V2 = VECTOR["v2-basic"]["local"]
GROUP_V3 = VECTOR["v3-v4-pseudo"]["local"]
GROUP_V6 = VECTOR["v3-v6-basic"]["local"]


def checksum(octets: bytes) -> int:
    octets += b"\0" * (len(octets) % 2)
    total = sum(octets[0::2]) * 256 + sum(octets[1::2])
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def packet(
    *,
    family: int = 4,
    version: int = 2,
    kind: int = 1,
    vrid: int = 51,
    priority: int = 100,
    count: int | None = None,
    auth: int = 0,
    interval: int | None = None,  # as on the wire: seconds in version 2, centiseconds in version 3
    addresses: list[str] | None = None,
    trailing: bytes = b"",
    keep: int | None = None,  # cuts the message
    pseudo: bool = True,
    checksum_xor: int = 0,
    source: str = "",
    destination: str = "",
    protocol: int = 112,
    ttl: int = 255,
    fragment: int = 0,
    lie: int = 0,  # added to the length that the IP header gives
    padding: bytes = b"",
) -> bytes:
    source_ip = ip_address(source or ("192.0.2.11" if family == 4 else "fe80::11")).packed
    destination_ip = ip_address(destination or ("224.0.0.18" if family == 4 else "ff02::12")).packed
    if addresses is None:
        addresses = ["192.0.2.100"] if family == 4 else ["fe80::64", "2001:db8::64"]
    interval = (1 if version == 2 else 100) if interval is None else interval
    timing = bytes([auth, interval]) if version == 2 else interval.to_bytes(2, "big")
    head = bytes([version << 4 | kind, vrid, priority, len(addresses) if count is None else count]) + timing
    tail = b"".join(ip_address(each).packed for each in addresses)
    tail += (b"\0" * 8 if version == 2 else b"") + trailing
    length = len(head) + 2 + len(tail)
    if family == 4:
        before = source_ip + destination_ip + bytes([0, 112]) + length.to_bytes(2, "big")
    else:
        before = source_ip + destination_ip + length.to_bytes(4, "big") + bytes([0, 0, 0, 112])
    before = before if pseudo and version != 2 else b""
    total = checksum(before + head + b"\0\0" + tail) ^ checksum_xor
    message = (head + total.to_bytes(2, "big") + tail)[:keep]
    if family == 6:
        header = bytes([0x6C, 0, 0, 0]) + (len(message) + lie).to_bytes(2, "big") + bytes([protocol, ttl])
        return header + source_ip + destination_ip + message + padding
    header = bytes([0x45, 0xC0]) + (20 + len(message) + lie).to_bytes(2, "big") + b"\0\0"
    header += fragment.to_bytes(2, "big") + bytes([ttl, protocol])
    header_sum = checksum(header + b"\0\0" + source_ip + destination_ip)
    return header + header_sum.to_bytes(2, "big") + source_ip + destination_ip + message + padding


def octets(name: str) -> bytes:
    """The packet of a vector."""
    return bytes.fromhex(VECTOR[name]["l3"])


def exact(data: bytes) -> Any:
    """A copy in a block of exactly its size: AddressSanitizer sees a read beyond its end (`bytes` hide one,
    they have a zero behind theirs)."""
    block = ffi.new("uint8_t[]", len(data))
    ffi.memmove(block, data, len(data))
    return block


@dataclass
class Verdict:
    reason: str
    counters: list[str]
    advert: Any
    addresses: list[str] | None
    keep: Any  # what the C structure points into


def judge(data: bytes, local: Any) -> Verdict:
    block = exact(data)
    verdict = ffi.new("struct qx_verdict *")
    ffi.memmove(verdict, b"\xa5" * ffi.sizeof("struct qx_verdict"), ffi.sizeof("struct qx_verdict"))
    lib.qx_packet_judge(block, len(data), local, verdict)
    advert = verdict.advert
    bits = [1 << bit for bit in range(32) if verdict.remarks >> bit & 1]
    counters = [ffi.string(lib.qx_remark_counter(bit)).decode() for bit in bits]
    if verdict.reason != lib.QX_ACCEPTED:
        assert bits == [], "a refused advertisement has a reason and no remarks"
        counters = [ffi.string(lib.qx_reason_counter(verdict.reason)).decode()]
    assert (advert.addresses != ffi.NULL) == (advert.known == 3)
    addresses = None
    if advert.known == 3:
        width = 16 if advert.family == 6 else 4
        raw = bytes(ffi.buffer(advert.addresses, width * advert.count))
        addresses = [str(ip_address(raw[at : at + width])) for at in range(0, len(raw), width)]
    name = ffi.string(lib.qx_reason_name(verdict.reason)).decode()
    return Verdict(name, counters, advert, addresses, SimpleNamespace(block=block, verdict=verdict))
