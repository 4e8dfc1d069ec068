# SPDX-License-Identifier: Apache-2.0
"""R3: received advertisements are judged by an ordered ladder that no packet can harm.

The vectors in `tests/vectors/vrrp.json` are a copy of the project's reference `vrrp-vectors.json` (71
packets, cross-checked with tcpdump; their notes cite the clauses); a null in `counters` or `decode` is not
checked. The rungs at their limits are in test_packet_rungs.py, what we send in test_advert.py.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packets import GROUP_V2, GROUP_V3, GROUP_V6, REASONS, VECTOR, VECTORS, judge, octets, packet

from _qx import lib
from qx.redundancy.decode import local_from_json

ANY = local_from_json({})


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    """R3: each reference packet is accepted or refused for the reason and with the counters that it names."""
    verdict = judge(bytes.fromhex(vector["l3"]), local_from_json(vector["local"]))
    assert verdict.reason == (vector["reason"] or "accepted")
    assert (verdict.reason == "accepted") == (vector["expect"] == "accept")
    if vector["counters"] is not None:
        assert verdict.counters == vector["counters"]
    advert = verdict.advert
    seen = {"ver": advert.version, "type": advert.type, "vrid": advert.vrid, "prio": advert.priority,
            "count": advert.count, "auth": advert.auth_type, "interval_cs": advert.interval_cs,
            "addrs": verdict.addresses}  # fmt: skip
    for field, value in (vector["decode"] or {}).items():
        assert seen[field] == value, field


def test_there_are_71_vectors() -> None:
    """R3: none was lost in the copy."""
    assert len(VECTOR) == len(VECTORS) == 71


# --- the order of the ladder ----------------------------------------------------------------------------
# (reason, what is wrong with the packet, what is different in the group), in the order of section 5.
OUTER = [
    ("ip_header", {"lie": 40}, {}),
    ("not_vrrp", {"protocol": 51}, {}),
    ("fragment", {"fragment": 0x2000}, {}),
    ("dst", {"destination": "192.0.2.12"}, {}),
    ("ttl", {"ttl": 254}, {}),
    ("own_source", {"source": "192.0.2.12"}, {}),
    ("short", {"keep": 7}, {}),
    ("version", {"version": 1, "interval": 1}, {}),
    ("type", {"kind": 2}, {}),
    ("vrid", {"vrid": 52}, {}),
]
FAULTS_V2 = [
    *OUTER,
    ("version", {}, {"version": 3}),
    ("length", {"trailing": b"\0\0\0\0"}, {}),
    ("checksum", {"checksum_xor": 0x0100}, {}),
    ("auth_invalid", {"auth": 3}, {}),
    ("auth_mismatch", {"auth": 1}, {}),
    ("owner", {}, {"priority": 255}),
    ("addr_list", {"addresses": ["192.0.2.200"]}, {}),
    ("adver_int", {"interval": 2}, {}),
]
FAULTS_V3 = [
    *OUTER,
    ("version", {}, {"version": 2}),
    ("count_zero", {"count": 0, "addresses": []}, {}),
    ("length", {"trailing": b"\0\0\0\0"}, {}),
    ("checksum", {"checksum_xor": 0x0100}, {}),
    ("interval_zero", {"interval": 0}, {}),
]
FAULTS_V6 = [
    ("ip_header", {"lie": 40}, {}),
    ("not_vrrp", {"protocol": 51}, {}),
    ("dst", {"destination": "fe80::12"}, {}),
    ("ttl", {"ttl": 254}, {}),
    ("own_source", {"source": "fe80::12"}, {}),
    ("short", {"keep": 7}, {}),
    ("version", {"version": 2, "interval": 1}, {}),
    ("type", {"kind": 2}, {}),
    ("vrid", {"vrid": 52}, {}),
    ("count_zero", {"count": 0}, {}),
    ("length", {"trailing": b"\0" * 16}, {}),
    ("checksum", {"pseudo": False}, {}),
    ("interval_zero", {"interval": 0}, {}),
    ("linklocal", {"addresses": ["2001:db8::64", "fe80::64"]}, {}),
]
SERIES = [
    ({"version": 2}, GROUP_V2, FAULTS_V2),
    ({"version": 3}, GROUP_V3, FAULTS_V3),
    ({"version": 3, "family": 6}, GROUP_V6, FAULTS_V6),
]
SERIES_IDS = ["v2", "v3-ipv4", "v3-ipv6"]


@pytest.mark.parametrize(("base", "group", "faults"), SERIES, ids=SERIES_IDS)
def test_one_fault_gives_its_reason(base: dict[str, Any], group: dict[str, Any], faults: list[Any]) -> None:
    """R3: each rung alone refuses, and the packet without the fault is accepted."""
    assert judge(packet(**base), local_from_json(group)).counters == []
    for reason, wrong, other in faults:
        local = local_from_json(group | other)
        assert judge(packet(**base | wrong), local).reason == reason


@pytest.mark.parametrize(("base", "group", "faults"), SERIES, ids=SERIES_IDS)
def test_of_two_faults_the_earlier_is_the_reason(
    base: dict[str, Any], group: dict[str, Any], faults: list[Any]
) -> None:
    """R3: every pair of faults that one packet can have at once gets the reason of the lower rung."""
    tried = 0
    for (earlier, wrong, other), (later, wrong_too, other_too) in combinations(faults, 2):
        if wrong.keys() & wrong_too.keys() or other.keys() & other_too.keys():
            continue
        local = local_from_json(group | other | other_too)
        assert judge(packet(**base | wrong_too | wrong), local).reason == earlier, f"{earlier} before {later}"
        tried += 1
    assert tried > 60


def test_every_reason_is_reached() -> None:
    """R3: no rung is dead: vectors and faults together give every reason of the enumeration."""
    reached = {judge(bytes.fromhex(each["l3"]), local_from_json(each["local"])).reason for each in VECTORS}
    reached |= {
        judge(packet(**base | wrong), local_from_json(group | other)).reason
        for base, group, faults in SERIES
        for _, wrong, other in faults
    }
    assert reached == set(REASONS)
    assert len(REASONS) == lib.QX_REASONS


# --- any bytes at all ------------------------------------------------------------------------------------
LOCALS = [ANY, *(local_from_json(group) for group in (GROUP_V2, GROUP_V3, GROUP_V6)),
          local_from_json({"vips": ["192.0.2.100"], "peer": "192.0.2.13", "priority": 255})]  # fmt: skip
SEEDS = [bytes.fromhex(each["l3"]) for each in VECTORS] + [
    packet(addresses=["192.0.2.100"] * 255),
    packet(version=3, family=6, addresses=["fe80::64"] * 255),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A vector's packet with octets replaced, cut or lengthened: climbs further than noise."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    places = st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255))
    for at, value in draw(st.lists(places, max_size=4)):
        data[at] = value
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data) + draw(st.binary(max_size=20))


@settings(max_examples=1500, deadline=None)
@given(st.binary(max_size=200) | damaged(), st.sampled_from(LOCALS))
@example(b"", ANY)
def test_any_bytes_get_exactly_one_reason(data: bytes, local: Any) -> None:
    """R3: nothing crashes the ladder; every packet is accepted or refused for one reason with one counter."""
    verdict = judge(data, local)
    assert verdict.reason in REASONS
    if verdict.reason != "accepted":
        assert len(verdict.counters) == 1
        assert verdict.counters[0]
    assert verdict.advert.known <= 3
    if verdict.advert.known < 2:
        assert (verdict.advert.version, verdict.advert.vrid, verdict.advert.interval_cs) == (0, 0, 0)


# Octet -> bits that may flip unnoticed: what a sender may put in as it likes, and what the IP layer checks.
TOS, IDENTIFICATION, FLAGS, HEADER_SUM = {1: 0xFF}, {4: 0xFF, 5: 0xFF}, {6: 0xC0}, {10: 0xFF, 11: 0xFF}
IPV4_IGNORED = TOS | IDENTIFICATION | FLAGS | HEADER_SUM
IPV4_SOURCE = dict.fromkeys(range(12, 16), 0xFF)  # under no sum of VRRP's without the pseudo header
IPV6_IGNORED = {0: 0x0F, 1: 0xFF, 2: 0xFF, 3: 0xFF}  # traffic class and flow label


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("v2-basic", IPV4_IGNORED | IPV4_SOURCE),
        ("v3-v4-pseudo", IPV4_IGNORED),
        ("v3-v4-message-only", IPV4_IGNORED | IPV4_SOURCE),
        ("v3-v6-basic", IPV6_IGNORED),
    ],
)
def test_a_flipped_bit_is_noticed(name: str, ignored: dict[int, int]) -> None:
    """R3: one wrong bit anywhere but in the fields that are ignored on receipt refuses the packet."""
    local = local_from_json(VECTOR[name]["local"])
    whole = octets(name)
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        free = bool(ignored.get(bit // 8, 0) & 1 << bit % 8)
        accepted = judge(bytes(flipped), local).reason == "accepted"
        assert accepted == free, f"octet {bit // 8}, bit {bit % 8}"
