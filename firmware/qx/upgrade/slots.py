# SPDX-License-Identifier: Apache-2.0
"""slots: the two places for firmware, A and B, of which one runs: their parts, the environment, what is
known.

On a unit the parts are partitions under /dev/qx, in the lab files under the root; the layout is the same.
What was written into a slot, and whether it was read back, is noted in data/qx/upgrade, because the octets of
a slot alone do not say whether somebody interrupted their writing. Waits for flash: for threads and other
processes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import durable
from ..errors import Refusal
from .environment import BadEnvironment, Environment, EnvironmentFile
from .image import CHUNK, Image, Part

if TYPE_CHECKING:
    from ..board import Board
    from ..paths import Paths

SLOTS = ("A", "B")
PARTS = ("kernel", "rootfs")
TRIES = 3  # starts that a slot on trial has
DEVICES = "dev/qx"  # below /, made by the unit's start scripts


def other(slot: str) -> str:
    return SLOTS[1 - SLOTS.index(slot)]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a slot's content. `state`: unknown, writing, good (read back)."""

    state: str = "unknown"
    version: str = ""


class Slots:
    """`running` is the slot that was started; `rolled_back` the one that the boot loader gave up, if it
    did."""

    def __init__(self, folder: Path, notes: Path, running: str, rolled_back: str = "") -> None:
        self._folder, self._notes = folder, notes
        self.running, self.rolled_back = running, rolled_back
        self.environment = EnvironmentFile(folder / "env")

    @property
    def idle(self) -> str:
        return other(self.running)

    def part(self, slot: str, name: str) -> Path:
        return self._folder / f"{name}-{slot.lower()}"

    # --- what is known of their content ---------------------------------------------------------------
    def known(self, slot: str) -> Known:
        try:
            told = json.loads((self._notes / f"slot-{slot.lower()}.json").read_text(encoding="utf-8"))
            return Known(str(told["state"]), str(told["version"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Known()

    def note(self, slot: str, known: Known) -> None:
        """Durable when it returns."""
        text = json.dumps({"state": known.state, "version": known.version}) + "\n"
        durable.replace(self._notes / f"slot-{slot.lower()}.json", text.encode())

    # --- writing --------------------------------------------------------------------------------------
    def room_for(self, image: Image) -> None:
        """Raises Refusal where a part is larger than its place in the idle slot."""
        for part in image.parts:
            place = self.part(self.idle, part.name)
            with place.open("rb") as source:
                size = source.seek(0, os.SEEK_END)
            if part.size > size:
                raise Refusal(f"firmware: {part.name} has {part.size} octets; expected at most {size}")

    def read_back(self, slot: str, part: Part, told: Callable[[int], None]) -> None:
        """Compares a part on flash with what was to be written. Raises Refusal."""
        sha, left = hashlib.sha256(), part.size
        with self.part(slot, part.name).open("rb") as source:
            os.fsync(source.fileno())
            os.posix_fadvise(source.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # from flash, not from memory
            while left:
                octets = source.read(min(left, CHUNK))
                if not octets:
                    break
                sha.update(octets)
                left -= len(octets)
                told(len(octets))
        if left or sha.hexdigest() != part.sha256:
            raise Refusal(f"firmware: slot {slot}: {part.name} does not read back as it was written")

    # --- switching ------------------------------------------------------------------------------------
    def read(self) -> Environment | None:
        """None where neither copy is good: the boot loader starts slot A then."""
        try:
            return self.environment.read()
        except BadEnvironment:
            return None

    def activate(self) -> str:
        """The idle slot is tried at the next start. Returns it. Raises Refusal where it is not whole."""
        known = self.known(self.idle)
        if known.state != "good":
            raise Refusal(f"upgrade: slot {self.idle} holds no firmware that was read back; install it first")
        self.environment.write({"slot": self.idle, "tries": str(TRIES), "failed": None})
        return self.idle

    def stay(self) -> None:
        """The running slot is confirmed: it starts from now on."""
        self.environment.write({"slot": self.running, "tries": None, "failed": None})

    def go_back(self) -> None:
        """The other slot starts from now on; the next start tells that this one failed."""
        self.environment.write({"slot": self.idle, "tries": None, "failed": self.running})


def open_slots(paths: Paths, board: Board) -> Slots | None:
    """The slots of this unit; None on a board without. `run/qx/start` has what the start was told: on a unit
    the kernel's command line, in the lab what its boot loader wrote."""
    folder = paths.slots if board.lab else paths.root / DEVICES
    try:
        told = (paths.run_qx / "start" if board.lab else Path("/proc/cmdline")).read_text()
    except FileNotFoundError:
        return None
    words: dict[str, Any] = dict(re.findall(r"\bqx\.([a-z_]+)=(\S+)", told))
    if words.get("slot") not in SLOTS or not (folder / "env").exists():
        return None
    return Slots(folder, paths.upgrade, words["slot"], words.get("rolled_back", ""))
