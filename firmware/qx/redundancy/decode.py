# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingModuleSource=false
"""`qx vrrp decode`: what the engine's packet ladder says of a captured packet.

The same C function judges here and in the engine, so what this applet prints is what a unit did or would
do with the packet. Reads hexadecimal lines, writes JSON lines; touches no socket, no file, no setting.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, TextIO

from _qx import ffi, lib

USAGE = "usage: qx vrrp decode [--group JSON] <PACKETS   (one hexadecimal IP packet a line)"

Local = Any  # a cdata `struct qx_local *`
REMARKS = [lib.QX_REMARK_PRIO_ZERO, lib.QX_REMARK_CHECKSUM_RFC9568, lib.QX_REMARK_ADDR_LIST,
           lib.QX_REMARK_ADVER_INT, lib.QX_REMARK_OWNER]  # fmt: skip


# --- the group ------------------------------------------------------------------------------------------
def _integer(low: int, high: int) -> Callable[[str, object], int]:
    def check(key: str, value: object) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{key}: expected an integer from {low} to {high}, got {value!r}")
        return value

    return check


def _one_of(*choices: object) -> Callable[[str, object], Any]:
    def check(key: str, value: object) -> object:
        if isinstance(value, bool) or value not in choices:
            raise ValueError(f"{key}: expected {' or '.join(map(str, choices))}, got {value!r}")
        return value

    return check


def _address(key: str, value: object) -> bytes:
    try:
        if isinstance(value, str) and "%" not in value:
            return ip_address(value).packed
    except ValueError:
        pass
    raise ValueError(f"{key}: expected an IPv4 or IPv6 address, got {value!r}")


def _addresses(key: str, value: object) -> list[bytes]:
    most = lib.QX_ADDRESSES_MAX
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise ValueError(f"{key}: expected a list of 1 to {most} addresses, got {value!r}")
    return [_address(f"{key}[{index}]", each) for index, each in enumerate(value)]


_KEYS: dict[str, Callable[[str, object], Any]] = {
    "family": _one_of(4, 6),
    "version": _one_of(2, 3),
    "vrid": _integer(1, 255),
    "priority": _integer(1, 255),
    "interval_cs": _integer(1, 25500),
    "auth": _integer(0, 2),
    "primary": _address,
    "peer": _address,
    "vips": _addresses,
    "v3_v4_checksum": _one_of("accept-both"),
}


def _check_interval(local: dict[str, Any]) -> None:
    """One field of the wire holds the interval: an octet of seconds, or twelve bits of centiseconds."""
    version, interval = local.get("version"), local.get("interval_cs", 100)
    if version == 2 and interval % 100:
        raise ValueError(f"interval_cs: expected whole seconds (hundreds) in version 2, got {interval}")
    if version == 3 and interval > 4095:
        raise ValueError(f"interval_cs: expected an integer from 1 to 4095 in version 3, got {interval}")


def _family_of(local: dict[str, Any]) -> int:
    """The family that is given or follows from the addresses; 0 where nothing says."""
    widths = {key: {len(local[key])} for key in ("primary", "peer") if key in local}
    widths |= {"vips": {len(each) for each in local["vips"]}} if "vips" in local else {}
    family = local.get("family", 0)
    for key, found in widths.items():
        family = family or (4 if 4 in found else 6)
        if found != {4 if family == 4 else 16}:
            raise ValueError(f"{key}: expected IPv{family} like the rest of the group")
    return family


def local_from_json(group: dict[str, Any]) -> Local:
    """The group to judge against, as `local` in the vectors; a key left out accepts anything there.

    Keys: family, version, vrid, priority, interval_cs, vips, primary, v3_v4_checksum ("accept-both"), and
    of ours: auth (type, 0-2), peer (the other unit's Virtual IP).
    Raises ValueError that names the key and what was expected.
    """
    if not isinstance(group, dict):
        raise ValueError(f"group: expected a JSON object, got {group!r}")
    for key in group:
        if key not in _KEYS:
            raise ValueError(f"{key}: unknown key, expected one of {', '.join(_KEYS)}")
    checked = {key: _KEYS[key](key, value) for key, value in group.items()}
    _check_interval(checked)
    local = ffi.new("struct qx_local *")
    local.family = _family_of(checked)
    local.version = checked.get("version", 0)
    local.vrid = checked.get("vrid", 0)
    local.priority = checked.get("priority", 0)
    local.interval_cs = checked.get("interval_cs", 0)
    local.auth_type = checked.get("auth", 0)
    local.has_primary, local.has_peer = "primary" in checked, "peer" in checked
    local.check_addresses = "vips" in checked
    ffi.memmove(local.primary, primary := checked.get("primary", b""), len(primary))
    ffi.memmove(local.peer, peer := checked.get("peer", b""), len(peer))
    local.address_count = len(checked.get("vips", []))
    for index, address in enumerate(checked.get("vips", [])):
        ffi.memmove(local.addresses[index], address, len(address))
    return local


# --- the packet -----------------------------------------------------------------------------------------
def _text(chars: Any) -> str:
    return ffi.string(chars).decode("ascii")


def _fields(advert: Any) -> dict[str, Any]:
    """What the ladder read before it stopped; null for what it did not reach or the version has not."""
    fixed, v2, v3 = advert.known >= 2, advert.version == 2, advert.version == 3
    addresses = None
    if advert.known >= 3:
        width = 16 if advert.family == 6 else 4
        octets = bytes(ffi.buffer(advert.addresses, advert.count * width))
        addresses = [str(ip_address(octets[at : at + width])) for at in range(0, len(octets), width)]
    return {
        "ver": advert.version if fixed else None,
        "type": advert.type if fixed else None,
        "vrid": advert.vrid if fixed else None,
        "prio": advert.priority if fixed else None,
        "count": advert.count if fixed else None,
        "auth": advert.auth_type if v2 else None,
        "interval_cs": advert.interval_cs if v2 or v3 else None,
        "addrs": addresses,
    }


def decode_line(line: str, local: Local) -> dict[str, Any]:
    """Judges one IP packet in hexadecimal (ValueError if it is not): the contract's object, see `run`."""
    packet = bytes.fromhex(line)
    octets = ffi.from_buffer(packet)  # kept by name: the verdict points into it
    verdict = ffi.new("struct qx_verdict *")
    lib.qx_packet_judge(octets, len(packet), local, verdict)
    accepted = verdict.reason == lib.QX_ACCEPTED
    if accepted:
        counters = [_text(lib.qx_remark_counter(remark)) for remark in REMARKS if verdict.remarks & remark]
    else:
        counters = [_text(lib.qx_reason_counter(verdict.reason))]
    decoded = {
        "accept": accepted,
        "reason": None if accepted else _text(lib.qx_reason_name(verdict.reason)),
        "counters": counters,
        "fields": _fields(verdict.advert),
    }
    hint = _text(lib.qx_surplus_hint(verdict.surplus))
    return decoded | {"hint": hint} if hint else decoded


# --- the applet -----------------------------------------------------------------------------------------
def _group_argument(argv: list[str]) -> str | None:
    """The value of --group, None without it; ValueError for anything else."""
    match argv:
        case []:
            return None
        case ["--group", text]:
            return text
        case [option] if option.startswith("--group="):
            return option.removeprefix("--group=")
    raise ValueError(USAGE)


def _group(argv: list[str]) -> Local:
    text = _group_argument(argv)
    try:
        return local_from_json({} if text is None else json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"--group: expected a JSON object: {error}") from error
    except ValueError as error:
        raise ValueError(f"--group: {error}") from error


def run(argv: list[str], stdin: TextIO, stdout: TextIO) -> int:
    """The applet: a packet a line in, an object a line out, shaped

    {"accept": bool, "reason": str|null, "counters": [...],
     "fields": {ver,type,vrid,prio,count,auth,interval_cs,addrs}}

    and "hint": str where the sender can be guessed from what is wrong.
    Returns 0 done, 1 a line was not hexadecimal (the others are decoded), 2 wrong usage.
    """
    try:
        local = _group(argv)
    except ValueError as error:
        print(f"qx vrrp decode: {error}", file=sys.stderr)
        return 2
    if isinstance(stdin, io.TextIOWrapper):
        stdin.reconfigure(errors="backslashreplace")  # octets that are no text are "not hexadecimal" too
    status = 0
    for number, line in enumerate(stdin, start=1):
        if not line.strip():
            continue
        try:
            decoded = decode_line(line, local)
        except ValueError:
            print(f"qx vrrp decode: line {number}: expected hexadecimal digits in pairs", file=sys.stderr)
            status = 1
            continue
        print(json.dumps(decoded), file=stdout, flush=True)  # a line in, a line out: it may be a live capture
    return status
