# SPDX-License-Identifier: Apache-2.0
"""Computers that are plugged into the LAN of the emulated pair hear each other; no emulator is needed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from board.virt.cable import Cable
from board.virt.switch import Switch

from labtools import needs_root


def test_two_computers_on_the_switch(tmp_path: Path) -> None:
    """R46: frames from the shortest to the longest cross whole, and nothing is left behind."""
    needs_root()
    lan = Switch(tmp_path / "lan")
    one, two = (Cable(f"cb{number}-{os.getpid()}", lan.path, f"172.30.0.{number}/24") for number in (1, 2))
    with one, two:
        for size in ("0", "56", "1472", "4000"):  # the last comes in fragments
            argv = ["ping", "-c", "3", "-i", "0.02", "-W", "2", "-s", size, "172.30.0.2"]
            argv = ["ip", "netns", "exec", one.name("pc"), *argv]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            assert "3 received" in done.stdout, done.stdout + done.stderr
    lan.stop()
    assert not list(Path("/run/netns").glob(f"cb?-{os.getpid()}-*"))
