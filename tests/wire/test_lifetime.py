# SPDX-License-Identifier: Apache-2.0
"""Service addresses live for 3 s and are renewed, so that they go when all of the product is killed. R11."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from board.lab.demo import WAN
from board.lab.pair import Lab

from counts import bound
from labtools import kill_everything, stays
from wire.conftest import Shape, service_of

FOR_EVER = 0xFFFFFFFF
Start = Callable[..., str]


def addresses(lab: Lab, unit: str) -> dict[str, Any]:
    """IPv4 addresses of a unit, with what the kernel knows of each."""
    told = json.loads(lab.exec(unit, ["ip", "-json", "-4", "address"]).stdout)
    return {entry["local"]: entry for interface in told for entry in interface["addr_info"]}


def test_three_seconds_renewed(lab: Lab, start: Start, shape: Shape) -> None:
    """R11: never more than 3 s to live, never gone; the Virtual IP stays, also when everything is killed."""
    master, service = start(plan=shape.plan, virtual_mac=shape.virtual), service_of(shape.plan)
    virtual_ip = "10.77.0.1" if master == "a" else "10.77.0.2"
    least = FOR_EVER

    def alive() -> bool:
        nonlocal least
        held = addresses(lab, master)
        lives = [held[address]["valid_life_time"] for address in (service, str(WAN.ip)) if address in held]
        least = min(least, *lives) if lives else 0
        return len(lives) == 2 and max(lives) <= 3 and held[virtual_ip]["valid_life_time"] == FOR_EVER

    stays(alive, bound(soak=6, normal=3.3), "both service addresses live, for 3 s at most")
    assert least >= 1, "renewed in time"
    kill_everything(lab, master)
    time.sleep(3.5)
    held = addresses(lab, master)
    assert service not in held
    assert str(WAN.ip) not in held
    assert held[virtual_ip]["valid_life_time"] == FOR_EVER
