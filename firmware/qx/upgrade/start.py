# SPDX-License-Identifier: Apache-2.0
"""start: what happens to slots and settings before the rest of the daemon is there.

Two things: the lab's boot loader, which does to the environment what board/common/boot.cmd does on a unit;
and the settings of a slot on trial, which are a copy's, so that the slot before it finds its own when it
returns.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .. import durable
from ..packing import NotPacked, unpack
from ..settings.tables import SCHEMA_VERSION
from . import environment
from .environment import BadEnvironment, EnvironmentFile
from .slots import PARTS, SLOTS, Slots, open_slots, other

if TYPE_CHECKING:
    from pathlib import Path

    from ..board import Board
    from ..paths import Paths

KEPT = "settings-before.db"
LAB_PART = {"kernel": 4 << 20, "rootfs": 16 << 20}  # octets of the lab's slots; files with holes


def boot(variables: Mapping[str, str]) -> tuple[str, str, dict[str, str | None]]:
    """Which slot starts, which one was given up for it (empty: none), and what the boot loader writes before.
    As boot.cmd. Pure."""
    slot = variables.get("slot", "")
    failed = variables.get("failed", "")
    if slot not in SLOTS:
        return "A", "", {}
    if "tries" not in variables:
        return slot, failed, {}
    tries = int(variables["tries"]) if variables["tries"].isdigit() else 0
    if tries > 0:
        return slot, failed, {"tries": str(tries - 1)}
    return other(slot), slot, {"slot": other(slot), "tries": None, "failed": slot}


def lab_boot(paths: Paths) -> None:
    """The lab's boot loader: once in each cold start. Makes the slots of a new unit."""
    told = paths.run_qx / "start"
    if told.exists():
        return  # the daemon starts again, the unit does not
    file = paths.slots / "env"
    if not file.exists():
        paths.slots.mkdir(parents=True, exist_ok=True)
        for slot in SLOTS:
            for name in PARTS:
                part = paths.slots / f"{name}-{slot.lower()}"
                with part.open("ab") as out:
                    out.truncate(LAB_PART[name])
        environment.create(file)
    env = EnvironmentFile(file)
    try:
        variables = env.read().variables
    except BadEnvironment:
        variables = {}
    slot, failed, changes = boot(variables)
    if changes:
        env.write(changes)
    told.write_text(f"qx.slot={slot}" + (f" qx.rolled_back={failed}" if failed else "") + "\n")


def ended(paths: Paths, board: Board) -> None:
    """The unit restarts: the next start of the lab's daemon is a cold one."""
    if board.lab:
        (paths.run_qx / "start").unlink(missing_ok=True)


def begin(paths: Paths, board: Board) -> Slots | None:
    """Before the settings are opened: the slots, and whose settings these are."""
    if board.lab:
        lab_boot(paths)
    slots = open_slots(paths, board)
    if slots:
        own_settings(paths, slots)
    return slots


def on_trial(slots: Slots) -> bool:
    found = slots.read()
    return bool(found and "tries" in found.variables and found.variables.get("slot") == slots.running)


def own_settings(paths: Paths, slots: Slots) -> None:
    """A slot on trial works on the settings, and a copy stays for the one before it; that one takes the copy
    back where it cannot read what the newer release made of them."""
    kept = paths.upgrade / KEPT
    if on_trial(slots):
        if not kept.exists():
            _copy(paths.settings_db, kept)
    elif kept.exists():
        if not readable(paths.settings_db):
            _copy_back(kept, paths.settings_db)
        forget_copy(paths)


def forget_copy(paths: Paths) -> None:
    """The slot is confirmed, or the one before it has taken its own back."""
    (paths.upgrade / KEPT).unlink(missing_ok=True)


def readable(file: Path) -> bool:
    """Is this settings database of a format that this release knows? One that is damaged is not for us to
    judge: the store has its own ways."""
    try:
        db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            row = db.execute("SELECT v FROM meta WHERE name = 'schema_version'").fetchone()
        finally:
            db.close()
        return row is None or int(unpack(row[0])) <= SCHEMA_VERSION
    except (sqlite3.Error, NotPacked, TypeError, ValueError):
        return True


def _copy(database: Path, kept: Path) -> None:
    """Whole or not at all. SQLite makes it, so that what an unclean end left in the log is in the copy."""
    fresh = kept.with_name(kept.name + ".new")
    fresh.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    source, copy = sqlite3.connect(database), sqlite3.connect(fresh)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
    durable.replace(kept, fresh.read_bytes())


def _copy_back(kept: Path, database: Path) -> None:
    """The newer release's log goes first: it must never be applied to the older file."""
    database.with_name(database.name + "-wal").unlink(missing_ok=True)
    durable.replace(database, kept.read_bytes())
