# SPDX-License-Identifier: Apache-2.0
"""R3: `qx vrrp decode`: hexadecimal packets in, the ladder's verdicts out, in the contract's shape."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packets import GROUP_V2, VECTOR, VECTORS, packet

from qx.redundancy.decode import decode_line, local_from_json, run

BASIC = VECTOR["v2-basic"]["l3"]
FIELDS = ["ver", "type", "vrid", "prio", "count", "auth", "interval_cs", "addrs"]


def applet(text: str, *argv: str) -> tuple[int, list[dict[str, Any]]]:
    stdout = io.StringIO()
    status = run(list(argv), io.StringIO(text), stdout)
    return status, [json.loads(line) for line in stdout.getvalue().splitlines()]


# --- verdicts ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    """R3: each reference packet through the applet, judged against its own group."""
    status, (decoded,) = applet(vector["l3"] + "\n", "--group", json.dumps(vector["local"]))
    assert status == 0
    assert decoded["accept"] is (vector["expect"] == "accept")
    assert decoded["reason"] == vector["reason"]
    if vector["counters"] is not None:
        assert decoded["counters"] == vector["counters"]
    for field, value in (vector["decode"] or {}).items():
        assert decoded["fields"][field] == value, field


def test_the_shape_of_an_accepted_packet() -> None:
    """R3: the contract's object, whole."""
    assert applet(BASIC)[1] == [{
        "accept": True, "reason": None, "counters": [],
        "fields": {"ver": 2, "type": 1, "vrid": 51, "prio": 100, "count": 1, "auth": 0, "interval_cs": 100,
                   "addrs": ["192.0.2.100"]},
    }]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "reason", "nulls"),
    [
        (b"\x45", "ip_header", FIELDS),
        (packet(ttl=1), "ttl", FIELDS),
        (packet(keep=7), "short", FIELDS),
        (packet(keep=8), "length", ["addrs"]),
        (packet(checksum_xor=1), "checksum", []),
        (packet(version=1), "version", ["auth", "interval_cs", "addrs"]),
        (packet(version=3, interval=0), "interval_zero", ["auth"]),
    ],
)
def test_fields_that_were_not_reached_are_null(data: bytes, reason: str, nulls: list[str]) -> None:
    """R3: a dropped packet shows as much as was read of it; a field that its version has not is null too."""
    decoded = decode_line(data.hex(), local_from_json({}))
    assert decoded["reason"] == reason
    assert list(decoded["fields"]) == FIELDS
    assert [field for field in FIELDS if decoded["fields"][field] is None] == nulls


@pytest.mark.parametrize("version", [2, 3])
def test_a_trailer_of_keepalived_is_named(version: int) -> None:
    """R3: its auth_hmac appends 28 octets, which no other sender does; the reason stays `length`."""
    group = local_from_json({"version": version})
    decoded = decode_line(packet(version=version, trailing=bytes(28)).hex(), group)
    assert decoded["reason"] == "length"
    assert decoded["hint"] == "keepalived HMAC authentication?"
    others = [packet(version=version, trailing=bytes(27)), packet(version=version, trailing=bytes(29)),
              packet(version=version, keep=8), packet(version=version),
              packet(version=version, padding=bytes(28))]  # fmt: skip
    assert not any("hint" in decode_line(data.hex(), group) for data in others)


@given(st.binary(max_size=120))
def test_any_bytes_give_an_object(data: bytes) -> None:
    """R3: one reason and one counter for a refusal, and always something that JSON can carry."""
    decoded = json.loads(json.dumps(decode_line(data.hex(), local_from_json({}))))
    assert decoded["accept"] == (decoded["reason"] is None)
    assert decoded["accept"] or len(decoded["counters"]) == 1


# --- the group --------------------------------------------------------------------------------------------
def test_without_a_group_any_is_accepted() -> None:
    """R3: every version, VRID, interval, list and family."""
    data = [packet(vrid=1, interval=255), packet(version=3, vrid=255), packet(version=3, family=6),
            packet(addresses=[]), packet(addresses=["10.0.0.1"] * 255)]  # fmt: skip
    status, decoded = applet("\n".join(each.hex() for each in data))
    assert status == 0
    assert [each["accept"] for each in decoded] == [True] * len(data)
    assert decoded[2]["fields"]["addrs"] == ["fe80::64", "2001:db8::64"]


@pytest.mark.parametrize("key", list(GROUP_V2))
def test_every_key_may_be_left_out(key: str) -> None:
    """R3: the rest of the group still accepts its packet."""
    group = {other: value for other, value in GROUP_V2.items() if other != key}
    assert decode_line(BASIC, local_from_json(group))["accept"]


@pytest.mark.parametrize(
    ("group", "key", "expected"),
    [
        ({"colour": 1}, "colour", "unknown key"),
        ({"family": 5}, "family", "4 or 6"),
        ({"version": 4}, "version", "2 or 3"),
        ({"version": "2"}, "version", "2 or 3"),
        ({"version": True}, "version", "2 or 3"),
        ({"vrid": 0}, "vrid", "from 1 to 255"),
        ({"vrid": 256}, "vrid", "from 1 to 255"),
        ({"vrid": True}, "vrid", "from 1 to 255"),
        ({"vrid": 1.0}, "vrid", "from 1 to 255"),
        ({"priority": 0}, "priority", "from 1 to 255"),
        ({"priority": 256}, "priority", "from 1 to 255"),
        ({"priority": None}, "priority", "from 1 to 255"),
        ({"interval_cs": 0}, "interval_cs", "from 1 to 25500"),
        ({"interval_cs": 25501}, "interval_cs", "from 1 to 25500"),
        ({"version": 2, "interval_cs": 150}, "interval_cs", "whole seconds"),
        ({"version": 3, "interval_cs": 4096}, "interval_cs", "from 1 to 4095"),
        ({"auth": 3}, "auth", "from 0 to 2"),
        ({"primary": "192.0.2"}, "primary", "IPv4 or IPv6 address"),
        ({"primary": 3221225985}, "primary", "IPv4 or IPv6 address"),
        ({"primary": "fe80::1%eth0"}, "primary", "IPv4 or IPv6 address"),
        ({"peer": "router"}, "peer", "IPv4 or IPv6 address"),
        ({"vips": "192.0.2.100"}, "vips", "list of 1 to 16"),
        ({"vips": []}, "vips", "list of 1 to 16"),
        ({"vips": ["192.0.2.100"] * 17}, "vips", "list of 1 to 16"),
        ({"vips": ["192.0.2.100", "192.0.2.256"]}, "vips[1]", "IPv4 or IPv6 address"),
        ({"vips": ["192.0.2.100", "fe80::1"]}, "vips", "IPv4"),
        ({"family": 6, "primary": "192.0.2.1"}, "primary", "IPv6"),
        ({"primary": "192.0.2.1", "peer": "fe80::1"}, "peer", "IPv4"),
        ({"v3_v4_checksum": "rfc9568"}, "v3_v4_checksum", "accept-both"),
    ],
)
def test_fail__group(
    group: dict[str, Any], key: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """R3: a wrong group is refused with the key and what was expected, exit code 2 and one line."""
    with pytest.raises(ValueError, match="expected") as caught:
        local_from_json(group)
    assert str(caught.value).startswith(f"{key}: ")
    assert expected in str(caught.value)
    assert applet(BASIC, "--group", json.dumps(group)) == (2, [])
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert f"--group: {key}: " in errors[0]


@pytest.mark.parametrize(
    "group",
    [
        {"vrid": 1, "priority": 1, "interval_cs": 1},
        {"vrid": 255, "priority": 255, "interval_cs": 25500},
        {"version": 2, "interval_cs": 25500},
        {"version": 3, "interval_cs": 4095},
        {"vips": [f"192.0.2.{last}" for last in range(16)]},
        {"family": 6, "vips": ["fe80::1"], "primary": "fe80::2", "peer": "fe80::3"},
    ],
)
def test_ok__group(group: dict[str, Any]) -> None:
    """R3: the limits themselves are allowed, and what was given arrives in the C structure."""
    local = local_from_json(group)
    for key in {"version", "vrid", "priority", "interval_cs"} & group.keys():
        assert getattr(local, key) == group[key]
    assert local.address_count == len(group.get("vips", []))
    assert local.check_addresses == ("vips" in group)
    assert (local.has_primary, local.has_peer) == ("primary" in group, "peer" in group)


def test_the_family_follows_from_the_addresses() -> None:
    """R3: a group of IPv4 addresses is no group of IPv6 packets, said or not."""
    assert local_from_json({"vips": ["192.0.2.100"]}).family == 4
    assert local_from_json({"primary": "fe80::1"}).family == 6
    assert local_from_json({"vrid": 1}).family == 0


def test_the_peer_is_forgiven_its_address_list() -> None:
    """R3: `peer` is the other unit's Virtual IP, from which another list is a remark."""
    group = json.dumps({"vips": ["192.0.2.100"], "peer": "192.0.2.11"})
    (decoded,) = applet(packet(addresses=["10.0.0.1"]).hex(), "--group", group)[1]
    assert (decoded["accept"], decoded["counters"]) == (True, ["addr_list_err"])


# --- the command line ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("argv", [["--group"], ["--groups", "{}"], ["x"], ["--group", "{}", "x"], ["-h"]])
def test_fail__usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """R3: anything but --group JSON is wrong usage: exit code 2, one line, nothing read or written."""
    assert applet(BASIC, *argv) == (2, [])
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert "usage: qx vrrp decode" in errors[0]


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "51", '"x"', "{'vrid': 1}", "[" * 5000])
def test_fail__group_is_no_object(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """R3: --group takes one JSON object."""
    assert applet(BASIC, "--group", text) == (2, [])
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert "expected a JSON object" in errors[0]


def test_group_may_stand_behind_an_equals_sign() -> None:
    """R3: both usual spellings of an option."""
    assert applet(BASIC, '--group={"vrid": 52}')[1][0]["reason"] == "vrid"


def test_blank_lines_are_skipped_and_spaces_ignored() -> None:
    """R3: one object for each packet, whatever white space a capture tool put in."""
    text = f"\n   \n{BASIC}\n\t{BASIC.upper()}  \r\n{' '.join(BASIC[at : at + 4] for at in range(0, 80, 4))}"
    status, decoded = applet(text)
    assert status == 0
    assert [each["accept"] for each in decoded] == [True] * 3


@pytest.mark.parametrize("wrong", ["zz", "450", "0x45c0", "45c0 # a comment", "４５"])
def test_a_line_that_is_not_hexadecimal(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    """R3: it is named by its number, the others are decoded, and the end is exit code 1."""
    status, decoded = applet(f"{BASIC}\n\n{wrong}\n{BASIC}\n")
    assert status == 1
    assert [each["accept"] for each in decoded] == [True, True]
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert "line 3:" in errors[0]


def test_octets_that_are_no_text_are_not_hexadecimal(capsys: pytest.CaptureFixture[str]) -> None:
    """R3: a binary capture piped in by mistake ends with a message, not with a traceback."""
    stdin = io.TextIOWrapper(io.BytesIO(b"\xd4\xc3\xb2\xa1\n" + BASIC.encode()), encoding="utf-8")
    stdout = io.StringIO()
    assert run([], stdin, stdout) == 1
    assert len(stdout.getvalue().splitlines()) == 1
    assert "line 1:" in capsys.readouterr().err


def test_each_line_is_answered_before_the_next_is_read() -> None:
    """R3: a live capture can be piped through: no answer waits for the end of the input."""
    stdout = io.StringIO()
    answered = []

    class Live(io.StringIO):
        def __next__(self) -> str:
            answered.append(len(stdout.getvalue().splitlines()))
            return super().__next__()

    run([], Live(f"{BASIC}\n{BASIC}\n"), stdout)
    assert answered == [0, 1, 2]
