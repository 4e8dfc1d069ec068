# SPDX-License-Identifier: Apache-2.0
"""The settings under which all are measured, and the addresses that all hold."""

from dataclasses import dataclass

from board.lab.demo import PLANS, VIRTUAL_IP

PLAN = "same"
SERVICE = str(PLANS[PLAN].ip)
OWN = {unit: f"address add {address} brd + dev lan" for unit, address in VIRTUAL_IP.items()}  # words of `ip`


@dataclass(frozen=True)
class Setting:
    """VRRP version and advertisement interval (decimal seconds, as all are configured)."""

    name: str
    version: int
    interval: str
    model: str = "qx200"
    pbx: bool = False  # with Kamailio
    phones: int = 2000  # accounts that it has

    @property
    def seconds(self) -> float:
        return float(self.interval)


DEFAULT = Setting("v2 1 s", 2, "1")
FAST = Setting("v3 100 ms", 3, "0.1")
FASTEST = Setting("v3 10 ms", 3, "0.01")
OFFICE = Setting("v3 100 ms, QX2000", 3, "0.1", "qx2000")  # as many extensions as settings want
SERVING = Setting("v3 100 ms, QX2000 with Kamailio", 3, "0.1", "qx2000", pbx=True)
SETTINGS = (DEFAULT, FAST, FASTEST)
