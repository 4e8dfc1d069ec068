# SPDX-License-Identifier: Apache-2.0
"""redundancy: the guide's Redundancy Settings and the expert ones (R2)."""

from __future__ import annotations

from ..setting import Setting
from ..values import Address, Choice, Flag, Host, Seconds, Whole

SETTINGS = (
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
    Setting("redundancy.passive_limit", Whole(0, 1440, "minutes"), 0, "Passive Mode Ends After",
            "Minutes after which a passive Backup is active again by itself; 0: never. It waits while an "
            "upgrade is under way or the Master restarts.", "shared", advanced=True),
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
