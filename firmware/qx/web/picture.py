# SPDX-License-Identifier: Apache-2.0
"""picture: both units as the first page draws them, read from a status. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Light = bool | None  # on, off, or nothing is known of it


@dataclass(frozen=True, slots=True)
class Drawn:
    """One unit. `health` is a class of the style sheet: success, warning, critical, info."""

    own: bool
    serial: str
    role: str
    mode: str
    health: str
    firmware: str
    virtual_ip: str
    addresses: tuple[str, ...]  # service addresses that it holds
    why: str
    lan: Light = None  # has the port link?
    wan: Light = None


def both(status: dict[str, Any], peer_virtual_ip: str = "") -> tuple[Drawn, ...]:
    """This unit, and the other where one is known or expected; the Master first."""
    peer = status.get("peer") or {}
    role = str(status.get("role") or "starting")
    vrrp = status.get("vrrp") or {}
    held = tuple(status.get("service_addresses") or ())
    own = Drawn(
        True, str(status.get("serial") or ""), role, str(status.get("mode") or ""),
        _health(role, status.get("mode"), bool(status.get("why"))), str(status.get("firmware") or ""),
        str(status.get("virtual_ip") or ""), held, str(status.get("why") or ""),
        vrrp.get("lan_link"), vrrp.get("wan_link"),
    )  # fmt: skip
    if role == "standalone":
        return (own,)
    theirs = str(peer.get("state") or "unknown")
    heard = theirs in ("master", "backup", "starting")
    licence = status.get("licence") or {}
    other = Drawn(
        False, str(peer.get("serial") or licence.get("peer") or ""), theirs, str(peer.get("mode") or ""),
        _health(theirs, peer.get("mode"), peer.get("armed") is False and theirs == "backup"),
        str(peer.get("firmware") or ""), peer_virtual_ip, (), "",
        True if heard else None, peer.get("wan_link") if heard else None,
    )  # fmt: skip
    return (other, own) if theirs == "master" else (own, other)


def _health(role: str, mode: object, trouble: bool) -> str:
    if role in ("fault", "down"):
        return "critical"
    if role in ("unknown", "starting"):
        return "info"
    return "warning" if trouble or mode == "passive" else "success"
