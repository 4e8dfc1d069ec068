# SPDX-License-Identifier: Apache-2.0
"""The emulated pair with phones on its LAN and a browser at its pages."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from board.virt.cable import Cable
from board.virt.vm import Pair

import emulated
import prepared
from emulated import BOOT, started, status, wait_for
from labtools import needs_root
from pbx.phones import PC, Prober, accounts

SERVICE = "172.30.0.1/24"  # as the guide has it, and the scenarios of the phones


@dataclass
class Office:
    """A Place: the pair, and a computer on its LAN."""

    pair: Pair
    folder: Path
    network: Cable

    def exec_argv(self, host: str, argv: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.network.name(host), *argv]

    def service_addresses(self) -> list[str]:
        return [SERVICE]

    def roles(self) -> tuple[str, str]:
        """(Master, Backup), once the Master knows that the Backup would take over at once."""

        def look() -> tuple[str, str] | None:
            for one, two in (("a", "b"), ("b", "a")):
                told = status(self.pair.machines[one])
                if told.get("role") == "master" and (told.get("peer") or {}).get("armed"):
                    return one, two
            return None

        found = wait_for(look, BOOT, "a Master with a Backup that would take over", every=2)
        assert found
        return found

    def passive(self, unit: str) -> None:
        """Waits until the unit runs as passive Backup in a session with its Master."""

        def look() -> bool:
            told = status(self.pair.machines[unit])
            return (told.get("role"), told.get("mode")) == ("backup", "passive")

        wait_for(look, BOOT, f"{unit} is a passive Backup", every=2)

    def confirmed(self, unit: str, slot: str) -> None:
        """Waits until the unit runs that slot for good."""

        def look() -> bool:
            told = status(self.pair.machines[unit]).get("upgrade") or {}
            return (told.get("slot"), told.get("state")) == (slot, "confirmed")

        wait_for(look, BOOT, f"{unit} runs slot {slot}, confirmed", every=2)

    def idle(self, unit: str) -> str:
        """The slot that does not run."""
        return status(self.pair.machines[unit])["upgrade"]["idle"]["slot"]


@contextmanager
def office(folder: Path, extensions: Sequence[int]) -> Iterator[Office]:
    """A pair that is up, with accounts for these extensions, whose phones are never restarted."""
    needs_root()
    pair = Pair(folder, pages=True)
    emulated.needs_image(pair)
    more = [f"network.lan.address={SERVICE}", "phone_reboot.policy=none", "call.register_time=3600"]
    prepared.prepare(pair, (*more, *accounts(extensions)), 512 << 20)
    with pair, Cable(f"vm{os.getpid()}", folder / "lan", f"{PC}/24") as cable:
        made = Office(pair, folder, cable)
        for machine in pair.machines.values():
            machine.power_on()
        for machine in pair.machines.values():
            started(machine)
        made.roles()
        yield made


def silences(prober: Prober, since: float, least: float = 1.0) -> list[float]:
    """Seconds between two answers of the service that are further apart than that."""
    times = [since, *(at for at in prober.answered if at >= since)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return [round(gap, 2) for gap in gaps if gap > least]
