# SPDX-License-Identifier: Apache-2.0
"""provision: the factory step: makes a root a unit, with a serial number, a model, a board and defaults.

All or nothing: what must last is built in a folder beside data/qx and moved there by one rename, so a root
that was interrupted anywhere is not provisioned and can be provisioned again. Never touches a root that is
provisioned, nor data of a unit whose identity is lost (R1: such a unit must not start afresh by accident).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from . import board as boards
from . import durable
from . import identity as identities
from .board import LAB, UNIT, Board, interface_name
from .errors import Refusal
from .identity import Identity, serial_number
from .model import Model, model_named
from .paths import Paths
from .settings.store import Store


def provision(
    root: Path, *, model: str, serial: str, board: str = "", lan: str = "", wan: str = ""
) -> Identity:
    """Makes `root` a unit. Empty `board`: `lab` for any root but `/`, the model's own board there. Empty
    `lan` and `wan`: the board's usual names. A board that the image brought (its board.toml has that name)
    stays as it is. Raises Refusal, and leaves the root unprovisioned then."""
    identity = Identity(serial_number("serial", serial), model_named(model))
    paths = Paths(root)
    brought = None if lan or wan else _brought(paths, board)
    chosen = brought or choose_board(identity.model, root.resolve() == Path("/"), board, lan, wan)
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root):
        _refuse_data(paths)
        for folder in (paths.etc_qx, paths.master_d, paths.run_qx, paths.data_qx.parent):
            folder.mkdir(parents=True, exist_ok=True)
        paths.run_qx.chmod(0o700)
        if brought is None:
            durable.replace(paths.board_toml, boards.to_toml(chosen).encode(), 0o644)
        stage(paths, identity).rename(paths.data_qx)
        durable.flush(paths.data_qx.parent)
    return identity


def stage(paths: Paths, identity: Identity) -> Path:
    """Builds the data of a new unit beside data/qx, durable; the folder that is to be moved there."""
    staging = paths.data_qx.with_name("qx.new")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    Store.create(staging / paths.settings_db.name)
    durable.replace(staging / paths.identity.name, identities.to_toml(identity).encode(), 0o644)
    return staging


def _brought(paths: Paths, name: str) -> Board | None:
    """The board of the image, where it is a unit's and has that name."""
    try:
        found = boards.read_board(paths)
    except (Refusal, OSError):
        return None
    return found if name and found.kind == UNIT and found.name == name else None


def choose_board(model: Model, at_slash: bool, name: str, lan: str, wan: str) -> Board:
    """The board that these options describe. Pure. Raises Refusal naming the option."""
    if not at_slash and name not in ("", LAB):
        raise Refusal(f"board: {name!r}; expected {LAB!r} for any root but /")
    if at_slash and name == LAB:
        raise Refusal(f"board: {LAB!r} is for any root but /; expected the name of this unit's board")
    if not all(c.isalnum() or c in "+-_" for c in name) or len(name) > 24:
        raise Refusal(f"board: {name!r}; expected up to 24 letters, digits, '+', '-' or '_'")
    kind = UNIT if at_slash else LAB
    if wan and not model.wan:
        raise Refusal(f"wan: {wan!r}; expected none, because the {model.title} has no WAN port")
    lan = interface_name("lan", lan or "eth0")
    if not wan and model.wan and kind == UNIT:
        wan = "eth1"  # in the lab a WAN is wired only where it is named
    if wan:
        interface_name("wan", wan)
    if wan == lan:
        raise Refusal(f"wan: {wan!r} is the LAN interface; expected another one")
    return Board(name or (model.name if at_slash else LAB), kind, lan, wan)


def _refuse_data(paths: Paths) -> None:
    if paths.identity.exists():
        raise Refusal(f"{paths.root}: provisioned already; expected a root without {paths.identity}")
    if paths.data_qx.is_dir() and any(paths.data_qx.iterdir()):
        raise Refusal(f"{paths.data_qx}: holds data of a unit without its identity; expected an empty folder")


@contextmanager
def _alone(root: Path) -> Generator[None]:
    """One factory step at a time on a root."""
    handle = os.open(root, durable.FOLDER)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Refusal(f"{root}: another `qx provision` is at work here") from None
    finally:
        os.close(handle)
