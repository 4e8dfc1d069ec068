# SPDX-License-Identifier: Apache-2.0
"""network: addresses of the ports, what is reached through them, time and language of the unit."""

from __future__ import annotations

from ..setting import Setting
from ..texts import LANGUAGE, TIME_ZONE
from ..values import Address, Host, Servers

SETTINGS = (
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
    Setting("time.zone", TIME_ZONE, "UTC", "Time Zone", "In which pages and events show times.", "shared"),
    Setting("language.pages", LANGUAGE, "en", "Language",
            "Of the pages. Another than en needs its language pack, which each unit has of its own.",
            "shared"),
)  # fmt: skip
