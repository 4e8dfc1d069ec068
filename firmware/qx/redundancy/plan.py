# SPDX-License-Identifier: Apache-2.0
"""plan: what the unit is to be on its interfaces, made from settings, identity and board.

Pure. The engine gets a plan and makes it true; whether the settings fit together was checked when they were
stored, so a plan can always be made from them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface

from ..board import Board
from ..identity import Identity
from ..settings.view import Settings
from .join import Join

# Changes of these need no new start of the group.
LIVE = frozenset({"passive", "only_peer", "wan_tracking"})


@dataclass(frozen=True, slots=True)
class Plan:
    """Fields as in `struct qx_plan` (cext/engine.h). Addresses are None where there is none."""

    group: bool
    claim: bool  # outside a group: the service addresses are this unit's
    passive: bool
    lan: str
    wan: str
    version: int
    vrid: int
    interval_cs: int
    hang_ms: int
    virtual_mac: bool
    only_peer: bool
    wan_tracking: bool
    virtual_ip: IPv4Interface | None
    peer: IPv4Address | None
    lan_service: IPv4Interface | None
    lan_gateway: IPv4Address | None
    wan_service: IPv4Interface | None
    wan_gateway: IPv4Address | None
    serial: str
    model: str
    firmware: str

    @property
    def services(self) -> list[IPv4Interface]:
        return [address for address in (self.lan_service, self.wan_service) if address]

    def differs_live(self, other: Plan) -> bool:
        """Is `other` the same but for what can be changed on a running group?"""
        return replace(self, **{name: getattr(other, name) for name in LIVE}) == other

    def same_seat(self, other: Plan) -> bool:
        """May a Master of this plan go on as Master of `other`: same port, group and own address?"""
        return (self.group, self.lan, self.vrid, self.virtual_ip) == (
            other.group, other.lan, other.vrid, other.virtual_ip
        )  # fmt: skip


def make_plan(
    settings: Settings, identity: Identity, board: Board, firmware: str, joined: Join, *,
    met: bool = False, held: bool = False,
) -> Plan:  # fmt: skip
    """`met`: the peer has authenticated. `held`: this Backup is passive for a while (R41)."""
    wan = board.wan if identity.model.wan else ""
    # A unit that is barred holds its Virtual IP, so that its pages are reached, and never takes over.
    listens = joined.member or bool(joined.barred and settings.flag("redundancy.enabled"))
    passive = settings.text("redundancy.backup_mode") == "passive"
    return Plan(
        group=listens,
        claim=not listens and not joined.barred,
        passive=passive or held or bool(joined.barred),
        lan=board.lan,
        wan=wan,
        version=settings.number("redundancy.vrrp_version"),
        vrid=settings.number("redundancy.group_id"),
        interval_cs=settings.number("redundancy.advertisement_interval"),
        hang_ms=board.hang_ms,
        virtual_mac=settings.flag("redundancy.virtual_mac"),
        only_peer=settings.text("redundancy.accept_from") in (("peer", "auto") if met else ("peer",)),
        wan_tracking=settings.flag("redundancy.wan_tracking"),
        virtual_ip=settings.interface("redundancy.virtual_ip"),
        peer=settings.host("redundancy.peer_virtual_ip"),
        lan_service=settings.interface("network.lan.address"),
        lan_gateway=settings.host("network.lan.gateway"),
        wan_service=settings.interface("network.wan.address") if wan else None,
        wan_gateway=settings.host("network.wan.gateway") if wan else None,
        serial=identity.serial,
        model=identity.model.name,
        firmware=firmware,
    )
