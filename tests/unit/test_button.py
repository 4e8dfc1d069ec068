# SPDX-License-Identifier: Apache-2.0
"""The power button's script, run as on a unit: in a root of its own with the overlay's files, and events as
the kernel writes them. What shuts a machine down is the only thing in it that is not a unit's."""

from __future__ import annotations

import os
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

OVERLAY = Path(__file__).parents[2] / "rootfs"
KEY, POWER, RESTART = 1, 116, 408  # linux/input-event-codes.h

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a root of its own needs root")

ROOM = """
set -e
cd "$1"
mount --rbind /usr usr
mount --bind "$2/usr/libexec" usr/libexec
mount --rbind /proc proc
mount --bind "$1/null" dev/null
exec chroot . /usr/bin/env PATH=/tmp/bin:/usr/bin:/usr/sbin sh /usr/libexec/qx/button /tmp/event0
"""


class Unit:
    """The script at work; `told` is what came of it, in order."""

    def __init__(self, folder: Path) -> None:
        for name in ("usr", "proc", "dev", "run/qx", "data", "tmp/bin"):
            (folder / name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (folder / name).symlink_to(f"usr/{name}")
        os.mknod(folder / "null", 0o666 | 0o020000, os.makedev(1, 3))
        (folder / "dev/null").touch()
        for name in ("reboot", "poweroff"):
            (folder / "tmp/bin" / name).write_text(f"#!/bin/sh\necho {name} >>/tmp/told\n")
            (folder / "tmp/bin" / name).chmod(0o755)
        os.mkfifo(folder / "tmp/event0")
        self.folder = folder
        self.process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", ROOM, "sh", folder, OVERLAY],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._events = (folder / "tmp/event0").open("wb", buffering=0)

    def key(self, value: int, wall: float, code: int = POWER, kind: int = KEY) -> None:
        seconds, micro = divmod(round(wall * 1e6), 1_000_000)
        self._events.write(struct.pack("<qqHHi", seconds, micro, kind, code, value))
        self._events.write(struct.pack("<qqHHi", seconds, micro, 0, 0, 0))  # EV_SYN

    def press(self, seconds: float, code: int = POWER, step: float = 0.0) -> None:
        """Held so long; meanwhile a time server moves the wall's clock by `step`."""
        wall = time.time()
        self.key(1, wall, code)
        self.key(2, wall, code)  # it repeats
        time.sleep(seconds)
        self.key(0, wall + seconds + step, code)

    def end(self) -> tuple[str, str]:
        """What was called, and what was said on the console."""
        self._events.close()
        said, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, said
        told, console = self.folder / "tmp/told", self.folder / "dev/console"
        return told.read_text() if told.exists() else "", console.read_text() if console.exists() else ""

    @property
    def presence(self) -> Path:
        return self.folder / "run/qx/presence"

    @property
    def reset(self) -> Path:
        return self.folder / "data/reset"


def together(works: list[threading.Thread]) -> None:
    for work in works:
        work.start()
    for work in works:
        work.join()


def test_how_long_the_button_is_held(tmp_path: Path) -> None:
    """R45, docs/console.md: at, below and above both limits: power off, somebody is here, factory reset; a
    clock that is set in the middle of a press makes no factory reset of it."""
    units = {name: Unit(tmp_path / name) for name in ("1.9", "2.0", "9.8", "10.0", "set", "0")}
    presses = [
        threading.Thread(target=units["1.9"].press, args=(1.9,)),
        threading.Thread(target=units["2.0"].press, args=(2.05,)),
        threading.Thread(target=units["9.8"].press, args=(9.8,)),
        threading.Thread(target=units["10.0"].press, args=(10.05,)),
        threading.Thread(target=units["set"].press, args=(0.2, POWER, 3600.0)),
        threading.Thread(target=units["0"].key, args=(0, time.time())),  # released, and never pressed
    ]
    together(presses)
    ended = {name: unit.end() for name, unit in units.items()}
    assert {name: told for name, (told, _) in ended.items()} == {
        "1.9": "poweroff\n", "2.0": "", "9.8": "", "10.0": "reboot\n", "set": "poweroff\n", "0": "",
    }  # fmt: skip
    assert [name for name, unit in units.items() if unit.presence.exists()] == ["2.0", "9.8"]
    assert [name for name, unit in units.items() if unit.reset.exists()] == ["10.0"]
    assert "the button was held for a moment: somebody is here" in ended["2.0"][1]


def test_presence_is_the_uptime_and_other_keys_are_nothing(tmp_path: Path) -> None:
    """docs/console.md: what the password reset asks for; a reset key says it at once, and other events say
    nothing."""
    unit = Unit(tmp_path)
    unit.press(0.05, code=30)
    unit.key(1, time.time(), kind=5, code=POWER)  # a switch of that number
    unit.press(0.05, code=RESTART)
    told, _ = unit.end()
    assert told == ""
    assert 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - float(unit.presence.read_text()) < 5
