# SPDX-License-Identifier: Apache-2.0
"""R3: each rung of the ladder at its limits, below and above; the order of the rungs is in test_packet.py."""

from __future__ import annotations

from typing import Any

import pytest
from packets import GROUP_V2, GROUP_V3, GROUP_V6, VECTOR, VECTORS, judge, octets, packet

from qx.redundancy.decode import local_from_json

ANY = local_from_json({})
BASES = [{"version": 2}, {"version": 3}, {"version": 3, "family": 6}]


# --- rungs one by one, at their limits -------------------------------------------------------------------
@pytest.mark.parametrize("name", [each["name"] for each in VECTORS if each["expect"] == "accept"])
@pytest.mark.parametrize("padding", [1, 6, 8, 10, 46])
def test_ethernet_padding_is_cut_off(name: str, padding: int) -> None:
    """R3: what stands behind the IP packet's own length is no part of the message, whatever its value."""
    local = local_from_json(VECTOR[name]["local"])
    plain, padded = judge(octets(name), local), judge(octets(name) + b"\xa5" * padding, local)
    assert (padded.reason, padded.counters) == ("accepted", plain.counters)
    assert padded.addresses == plain.addresses


@pytest.mark.parametrize("base", BASES, ids=["v2", "v3-ipv4", "v3-ipv6"])
def test_a_packet_cut_anywhere_is_refused(base: dict[str, Any]) -> None:
    """R3: fewer octets than the IP header promises are refused, none is read beyond the end."""
    whole = packet(**base)
    for length in range(len(whole)):
        assert judge(whole[:length], ANY).reason == "ip_header"


@pytest.mark.parametrize("base", BASES, ids=["v2", "v3-ipv4", "v3-ipv6"])
def test_a_message_cut_anywhere_is_refused(base: dict[str, Any]) -> None:
    """R3: below eight octets short, above them another length than the count says."""
    whole = len(packet(**base)) - (40 if base.get("family") == 6 else 20)
    for length in range(whole):
        assert judge(packet(**base, keep=length), ANY).reason == ("short" if length < 8 else "length")
    assert judge(packet(**base, keep=whole), ANY).reason == "accepted"


@pytest.mark.parametrize("first", [0x00, 0x10, 0x35, 0x50, 0x70, 0xF5])
def test_neither_ipv4_nor_ipv6_is_refused(first: int) -> None:
    """R3: the IP version is looked at before anything else."""
    assert judge(bytes([first]) + packet()[1:], ANY).reason == "ip_header"


@pytest.mark.parametrize(
    ("header", "total", "reason"),
    [(4, 40, "ip_header"), (5, 19, "ip_header"), (5, 20, "short"), (5, 40, "accepted"), (5, 41, "ip_header"),
     (6, 23, "ip_header"), (6, 24, "short"), (10, 40, "short"), (11, 40, "ip_header")],
)  # fmt: skip
def test_lengths_of_the_ipv4_header(header: int, total: int, reason: str) -> None:
    """R3: five words at least, all of them inside the packet's own length, that inside what was received."""
    whole = bytearray(packet())
    whole[0] = 0x40 | header
    whole[2:4] = total.to_bytes(2, "big")
    assert judge(bytes(whole), ANY).reason == reason


@pytest.mark.parametrize(
    ("field", "reason"),
    [(0x2000, "fragment"), (0x0001, "fragment"), (0x1000, "fragment"), (0x4000, "accepted")],
)
def test_ipv4_fragments(field: int, reason: str) -> None:
    """R3: first, last and middle fragments are refused; Do Not Fragment is none."""
    assert judge(packet(fragment=field), ANY).reason == reason


@pytest.mark.parametrize(
    ("next_header", "cut", "reason"), [(112, None, "fragment"), (17, None, "not_vrrp"), (112, 7, "not_vrrp")]
)
def test_ipv6_fragments(next_header: int, cut: int | None, reason: str) -> None:
    """R3: a fragment header of VRRP is a fragment; of another protocol, or cut off, it is not VRRP."""
    payload = (bytes([next_header, 0, 0, 1, 0, 0, 0, 7]) + packet(version=3, family=6)[40:])[:cut]
    header = bytearray(packet(version=3, family=6)[:40])
    header[4:6], header[6] = len(payload).to_bytes(2, "big"), 44
    assert judge(bytes(header) + payload, ANY).reason == reason


@pytest.mark.parametrize("destination", ["224.0.0.17", "224.0.0.19", "225.0.0.18", "192.0.2.12"])
def test_any_ipv4_destination_but_the_group_is_refused(destination: str) -> None:
    """R3: advertisements go to 224.0.0.18."""
    assert judge(packet(destination=destination), ANY).reason == "dst"


@pytest.mark.parametrize("destination", ["ff02::1", "ff05::12", "ff02::1:12", "fe80::12"])
def test_any_ipv6_destination_but_the_group_is_refused(destination: str) -> None:
    """R3: advertisements go to ff02::12."""
    assert judge(packet(family=6, version=3, destination=destination), ANY).reason == "dst"


@pytest.mark.parametrize("version", [v for v in range(16) if v not in (2, 3)])
def test_other_versions_are_refused(version: int) -> None:
    """R3: versions 2 and 3 exist, also where the group takes any."""
    assert judge(packet(version=version), ANY).reason == "version"


@pytest.mark.parametrize("vrid", [0, 1, 50, 51, 52, 255])
def test_virtual_router_identifiers(vrid: int) -> None:
    """R3: the group takes its own VRID only; without one, all but 0, which is no VRID."""
    mine = local_from_json({"vrid": 51})
    assert judge(packet(vrid=vrid), mine).reason == ("accepted" if vrid == 51 else "vrid")
    assert judge(packet(vrid=vrid), ANY).reason == ("accepted" if vrid else "vrid")


def test_the_other_family_is_not_our_virtual_router() -> None:
    """R3: a VRID belongs to one address family (RFC 9568 5.2.3)."""
    assert judge(packet(family=6, version=3), local_from_json({"family": 4})).reason == "vrid"
    assert judge(packet(), local_from_json({"family": 6})).reason == "vrid"
    assert judge(packet(family=6, version=3), local_from_json({"family": 6})).reason == "accepted"


def test_our_own_source_is_compared_in_our_family_only() -> None:
    """R3: four octets of an IPv4 address at the head of an IPv6 source are no match."""
    local = local_from_json({"primary": "254.128.0.0"})  # fe80:0000
    assert judge(packet(family=6, version=3, source="fe80::"), local).reason == "vrid"
    assert judge(packet(source="254.128.0.0"), local).reason == "own_source"


def test_an_unknown_primary_address_is_nobodys_source() -> None:
    """R3: the zeros that stand for "not known" are compared with no packet."""
    assert judge(packet(source="0.0.0.0"), ANY).reason == "accepted"
    assert judge(packet(source="0.0.0.0"), local_from_json({"primary": "0.0.0.0"})).reason == "own_source"


@pytest.mark.parametrize(("configured", "wire", "reason"), [
    (0, 0, "accepted"), (0, 1, "auth_mismatch"), (0, 2, "auth_mismatch"), (0, 3, "auth_invalid"),
    (1, 1, "accepted"), (1, 0, "auth_mismatch"), (2, 2, "accepted"), (0, 255, "auth_invalid"),
])  # fmt: skip
def test_authentication_types(configured: int, wire: int, reason: str) -> None:
    """R3: version 2 compares the type; above 2 there is none (RFC 2338 5.3.6)."""
    assert judge(packet(auth=wire), local_from_json({"auth": configured})).reason == reason


@pytest.mark.parametrize(("received", "same"), [
    (["192.0.2.100", "192.0.2.101"], True), (["192.0.2.101", "192.0.2.100"], True),
    (["192.0.2.100", "192.0.2.101", "192.0.2.100"], True),
    (["192.0.2.100"], False), (["192.0.2.100", "192.0.2.100"], False), ([], False),
    (["192.0.2.100", "192.0.2.101", "192.0.2.102"], False), (["192.0.2.100", "192.0.2.102"], False),
    (["192.0.2.100", "192.0.2.101", *["192.0.2.101"] * 253], True),
    (["192.0.2.100", "192.0.2.101", *["192.0.2.101"] * 252, "192.0.2.102"], False),
])  # fmt: skip
def test_address_lists_are_compared_as_sets(received: list[str], same: bool) -> None:
    """R3: order and repetition are nothing; one more or one less is another list, however long."""
    local = local_from_json({"vips": ["192.0.2.100", "192.0.2.101"]})
    verdict = judge(packet(addresses=received), local)
    assert verdict.reason == ("accepted" if same else "addr_list")
    assert verdict.addresses == received
    assert judge(packet(addresses=received), ANY).reason == "accepted"
    if received:
        verdict = judge(packet(version=3, addresses=received), local)
        assert (verdict.reason, verdict.counters) == ("accepted", [] if same else ["addr_list_err"])


def test_ipv6_address_lists_are_compared_in_all_their_octets() -> None:
    """R3: the last octet of sixteen makes another address."""
    local = local_from_json(GROUP_V6)
    other = packet(version=3, family=6, addresses=["fe80::64", "2001:db8::65"])
    assert judge(other, local).counters == ["addr_list_err"]


def test_a_foreign_address_list_is_forgiven_the_configured_peer() -> None:
    """R3: version 2 drops another list, but from the pair's other unit it is counted and taken."""
    local = local_from_json(GROUP_V2 | {"peer": "192.0.2.13"})
    foreign = {"addresses": ["192.168.1.1"]}
    verdict = judge(packet(source="192.0.2.13", **foreign), local)
    assert (verdict.reason, verdict.counters) == ("accepted", ["addr_list_err"])
    assert judge(packet(source="192.0.2.11", **foreign), local).reason == "addr_list"
    assert judge(packet(source="192.0.2.11", priority=255, **foreign), local).reason == "accepted"
    assert judge(packet(source="192.0.2.13", interval=2, **foreign), local).reason == "adver_int"
    no_peer = local_from_json(GROUP_V2)
    assert judge(packet(source="0.0.0.0", **foreign), no_peer).reason == "addr_list"


@pytest.mark.parametrize(
    ("wire", "configured", "reason"),
    [(1, 100, "accepted"), (2, 100, "adver_int"), (255, 25500, "accepted"), (254, 25500, "adver_int"),
     (1, None, "accepted"), (255, None, "accepted"), (0, None, "adver_int"), (0, 100, "adver_int")],
)  # fmt: skip
def test_version_2_intervals(wire: int, configured: int | None, reason: str) -> None:
    """R3: seconds must be equal; 0 s never is."""
    local = local_from_json({} if configured is None else {"interval_cs": configured})
    verdict = judge(packet(interval=wire), local)
    assert (verdict.reason, verdict.advert.interval_cs) == (reason, wire * 100)


@pytest.mark.parametrize(
    ("wire", "interval", "reason", "counters"),
    [(100, 100, "accepted", []), (99, 99, "accepted", ["adver_int_err"]),
     (1, 1, "accepted", ["adver_int_err"]), (0xFFF, 4095, "accepted", ["adver_int_err"]),
     (0xF064, 100, "accepted", []),
     (0, 0, "interval_zero", ["adver_int_err"]), (0xF000, 0, "interval_zero", ["adver_int_err"])],
)  # fmt: skip
def test_version_3_intervals(wire: int, interval: int, reason: str, counters: list[str]) -> None:
    """R3: twelve bits of centiseconds, another one is a remark, 0 is refused (RFC 9568 erratum 8301)."""
    verdict = judge(packet(version=3, interval=wire), local_from_json(GROUP_V3))
    assert (verdict.reason, verdict.counters) == (reason, counters)
    assert verdict.advert.interval_cs == interval


@pytest.mark.parametrize(
    ("first", "reason"),
    [("fe80::1", "accepted"), ("febf:ffff::1", "accepted"), ("fec0::1", "linklocal"),
     ("fe7f::1", "linklocal"), ("::1", "linklocal"), ("ff80::1", "linklocal")],
)  # fmt: skip
def test_the_first_ipv6_address_is_link_local(first: str, reason: str) -> None:
    """R3: fe80::/10 and nothing beside it (RFC 9568 erratum 8300)."""
    assert judge(packet(version=3, family=6, addresses=[first]), ANY).reason == reason


def test_remarks_add_up_and_a_refusal_has_none() -> None:
    """R3: everything that is odd in an accepted packet is counted; a refused one counts its reason once."""
    odd: dict[str, Any] = {"version": 3, "pseudo": False, "priority": 0, "addresses": ["192.0.2.9"]}
    local = local_from_json(GROUP_V3 | {"priority": 255})
    assert judge(packet(**odd, interval=300), local).counters == [
        "prio_zero_rcvd", "checksum_rfc9568_form", "addr_list_err", "adver_int_err", "owner_conflict",
    ]  # fmt: skip
    assert judge(packet(**odd, interval=0), local).counters == ["adver_int_err"]
