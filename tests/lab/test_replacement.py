# SPDX-License-Identifier: Apache-2.0
"""The guide's section 5: a broken unit is replaced by another one, of a new serial number (R5)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from board.lab import namespace
from board.lab.demo import ISSUE_KEYS, Demo, install_key

from holders import Holders
from labtools import becomes, other, qx, wait_for
from pairs import QUICK, get, in_step, pair, put, ready


@dataclass(frozen=True)
class Replacement(Demo):
    """The demo's unit with the serial number of another."""

    def serial(self, unit: str) -> str:
        return f"{super().serial(unit)}7"


def test_a_replacement_of_a_new_serial_pairs(tmp_path: Path) -> None:
    """R5: after its key set is installed on both, without a restart of the unit that works alone; it has the
    Master's state and takes over."""
    with pair("rp", tmp_path, QUICK) as lab:
        master = ready(lab)
        backup = other(master)
        put(lab, master, "extensions.101.name=Ann")
        in_step(lab)
        lab.power_off(backup)
        # While the session stands it does not work alone, and a key takes it through a restart (R37).
        wait_for(lambda: not qx(lab, master)["peer"]["session"]["up"], 6.0, "the session is over")
        put(lab, master, "extensions.101.name=Eve")
        pid = lab.units[master].daemon_pid()
        fresh = Replacement(plan=QUICK.plan, version=QUICK.version, interval=QUICK.interval)
        old, new = qx(lab, master)["serial"], fresh.serial(backup)
        unit = lab.units[backup]
        unit.erase()
        unit.provision(fresh)
        unit.configure(fresh)
        keys = namespace.run([str(ISSUE_KEYS), old, new]).split()
        install_key(unit.executable, unit.root, keys[1])
        with Holders(lab) as holders:
            since = time.monotonic()
            install_key(unit.executable, lab.units[master].root, keys[0])
            assert qx(lab, master)["licence"]["peer"] == new
            lab.power_on(backup)
            becomes(lab, backup, "backup", 5.0)
            assert ready(lab) == master
            in_step(lab)
            assert holders.held_throughout(master, since)
        assert lab.units[master].daemon_pid() == pid
        assert qx(lab, master)["peer"]["serial"] == new
        assert get(lab, backup, "extensions.101.name") == "Eve"
        lab.power_off(master)
        becomes(lab, backup, "master", 5.0)
        lab.power_on(master)
        wait_for(lambda: ready(lab) == backup, 30.0, "the old unit is the Backup")
