# SPDX-License-Identifier: Apache-2.0
"""schema: every setting, declared once: path, type and range, default, help, scope, models, secret or not.

Validation, CLI and documentation (and the pages) come from this table, so a setting is added here and
nowhere else. Rules that span several settings stand in `check`. A segment of a path in angle brackets is
the key of a table (`extensions.<number>.name`); KEYS says what may stand there. Pure data.

Scopes (R13): `unit`, the unit's own, never leaves it; `pair`, the same on both, set locally only before the
first pairing and through the Master afterwards; `shared`, follows the Master.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ..model import Model
from .values import Address, Choice, Flag, Host, Plain, Seconds, Servers, ValueType, Whole

Scope = Literal["unit", "pair", "shared"]


def _every(_model: Model) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Setting:
    path: str
    type: ValueType
    default: Plain | Callable[[Model], Plain]
    title: str  # the field's name, the guide's where it has one
    help: str  # one or two sentences
    scope: Scope
    on: Callable[[Model], bool] = _every  # which models have it
    secret: bool = False  # never printed back
    advanced: bool = False  # expert settings (R2)

    def default_for(self, model: Model) -> Plain:
        return self.default(model) if callable(self.default) else self.default

    @property
    def keyed(self) -> bool:
        return "<" in self.path


@dataclass(frozen=True, slots=True)
class Key:
    """What may stand in a `<segment>`."""

    pattern: str  # a regular expression, matched whole
    expected: str


class Schema:
    """A set of settings, found by path; `KEYS` for keyed tables by segment, like `<number>`."""

    def __init__(self, settings: Iterable[Setting], keys: Mapping[str, Key] | None = None):
        self._settings: tuple[Setting, ...] = tuple(settings)
        self._keys = {segment: re.compile(key.pattern) for segment, key in (keys or {}).items()}
        self._plain = {setting.path: setting for setting in self._settings if not setting.keyed}
        self._tables = [(s.path.split("."), s) for s in self._settings if s.keyed]
        if len({setting.path for setting in self._settings}) != len(self._settings):
            raise ValueError("a path stands twice in the schema")

    def find(self, path: str) -> Setting | None:
        """The setting at that path on any model, None where no model has one."""
        return self._plain.get(path) or self._row(path.split("."))

    def _row(self, segments: list[str]) -> Setting | None:
        for template, setting in self._tables:
            if len(template) == len(segments) and all(
                self._keys[t].fullmatch(s) if t.startswith("<") else t == s
                for t, s in zip(template, segments, strict=True)
            ):
                return setting
        return None

    def on(self, model: Model) -> Iterator[Setting]:
        """The settings of that model, in the schema's order."""
        return (setting for setting in self._settings if setting.on(model))

    def groups(self, model: Model) -> set[str]:
        """Every proper beginning of a path of that model: `redundancy`, `network`, `network.lan`."""
        paths = (setting.path.split(".") for setting in self.on(model))
        return {".".join(path[:end]) for path in paths for end in range(1, len(path))}


REDUNDANCY = (
    Setting("redundancy.enabled", Flag(), False, "Enable Redundancy",
            "Makes this unit a member of the redundancy group identified by the Redundant Group ID.", "unit"),
    Setting("redundancy.group_id", Whole(1, 255), 1, "Redundant Group ID",
            "Identifies the redundancy group. The same on both units and unique in the network.", "pair"),
    Setting("redundancy.virtual_ip", Address(), None, "Virtual IP Address/Virtual Subnet Mask",
            "A second address on the LAN interface that this unit holds in every role. The units "
            "synchronise over it.", "unit"),
    Setting("redundancy.peer_virtual_ip", Host(), None, "Redundant Device Virtual IP Address",
            "The Virtual IP Address of the other unit, in the same subnet.", "unit"),
    Setting("redundancy.sync_interval", Whole(1, 86400, "seconds"), 60, "Synchronization Interval",
            "The longest time in seconds between two full comparisons of configuration and voice data. "
            "Changes cross as they happen.", "shared"),
    Setting("redundancy.backup_gui_port", Whole(1, 65535), 7777, "Backup Device GUI Access Port",
            "The Master's port on which the pages of the Backup device are reached.", "shared",
            on=lambda model: model.backup_gui_port),
    Setting("redundancy.backup_mode", Choice(("active", "passive")), "active", "Backup Device Mode",
            "An active Backup takes over by itself. A passive one only synchronises; a swap still promotes "
            "it.", "unit"),
    Setting("redundancy.vrrp_version", Whole(2, 3), 2, "VRRP version",
            "2 is RFC 3768; 3 is RFC 5798 and RFC 9568 and allows intervals below one second.", "pair",
            advanced=True),
    Setting("redundancy.advertisement_interval", Seconds(1, 25500), 100, "Advertisement interval",
            "Seconds between two advertisements of the Master. Version 2: whole seconds from 1 to 255. "
            "Version 3: 0.01 to 40.95.", "pair", advanced=True),
    Setting("redundancy.virtual_mac", Flag(), True, "Virtual MAC",
            "The Master answers for the service address with 00:00:5e:00:01:GROUP, so that phones and "
            "switches see no change at a takeover.", "pair", advanced=True),
    Setting("redundancy.accept_from", Choice(("auto", "any", "peer")), "auto", "Accept advertisements from",
            "auto: from anyone until a peer session has authenticated, from the peer afterwards.", "shared",
            advanced=True),
    Setting("redundancy.wan_tracking", Flag(), True, "WAN link tracking",
            "A Master that loses its WAN link gives way to a Backup whose WAN has link.", "shared",
            on=lambda model: model.wan, advanced=True),
)  # fmt: skip

NETWORK = (
    Setting("network.lan.address", Address(("dhcp",), optional=False), lambda model: model.lan_address,
            "LAN IP Address",
            "The regular LAN address, which phones use. In a pair it is a service address: the same on both "
            "units, held by the Master only.", "pair"),
    Setting("network.lan.gateway", Host(), None, "LAN Gateway",
            "The default route where it leads through the LAN.", "shared"),
    Setting("network.wan.address", Address(("dhcp", "pppoe")), None, "WAN IP Address",
            "The WAN address. In a pair it is a service address: static, held by the Master only.", "pair",
            on=lambda model: model.wan),
    Setting("network.wan.gateway", Host(), None, "WAN Gateway",
            "The default route where it leads through the WAN.", "shared", on=lambda model: model.wan),
    Setting("network.dns", Servers(3), (), "DNS Servers", "Used by the Master.", "shared"),
    Setting("network.ntp", Servers(4, names=True), (), "NTP Servers", "Used by the Master.", "shared"),
)  # fmt: skip

PHONE_REBOOT = (
    Setting("phone_reboot.policy", Choice(("unreachable", "all", "none")), "unreachable",
            "Reboot phones after a takeover",
            "unreachable: only phones that cannot be reached, because registrations and calls survive.",
            "shared", advanced=True),
    Setting("phone_reboot.pace", Seconds(10, 6000), 100, "Phone reboot pace",
            "Seconds between the reboots of two phones.", "shared", advanced=True),
)  # fmt: skip

KEYS: dict[str, Key] = {}

SCHEMA = Schema((*REDUNDANCY, *NETWORK, *PHONE_REBOOT), KEYS)
