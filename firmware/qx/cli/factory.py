# SPDX-License-Identifier: Apache-2.0
"""qx factory: the factory block: written at the factory, shown, and read by each start of a unit."""

from __future__ import annotations

from pathlib import Path

from .. import factory
from ..board import read_board
from ..errors import Refusal, WrongUsage
from ..identity import Identity, serial_number
from ..model import model_named
from . import output
from .arguments import Arguments, read

RELEASE = "etc/qx-release"  # NAME=value lines of the image


def run(argv: list[str]) -> int:
    options: dict[str, bool] = dict.fromkeys(("serial", "model", "revision", "lan", "wan"), True)
    arguments = read(argv, options, (2, 2))
    action, file = arguments.positional
    if action == "show":
        return _show(arguments, Path(file))
    if action == "write":
        return _write(arguments, Path(file))
    if action == "start":
        return _start(arguments, Path(file))
    raise WrongUsage(f"{action!r}; expected show, write or start")


def _plain(block: factory.Factory) -> dict[str, str]:
    found = {
        "serial": block.identity.serial,
        "model": block.identity.model.name,
        "revision": block.revision,
        "lan": block.lan.hex(":"),
    }
    return found if block.wan == factory.NO_MAC else {**found, "wan": block.wan.hex(":")}


def _say(arguments: Arguments, block: factory.Factory) -> None:
    plain = _plain(block)
    if arguments.json:
        output.json(plain)
    else:
        output.text("\n".join(f"{name}={value}" for name, value in plain.items()))


def _show(arguments: Arguments, file: Path) -> int:
    _say(arguments, factory.read_block(file))
    return 0


def _write(arguments: Arguments, file: Path) -> int:
    for name in ("serial", "model", "lan"):
        if name not in arguments:
            raise WrongUsage(f"--{name} is missing")
    identity = Identity(
        serial_number("serial", arguments.option("serial")), model_named(arguments.option("model"))
    )
    if identity.model.wan != ("wan" in arguments):
        raise Refusal(f"wan: expected {'a MAC' if identity.model.wan else 'none'} for {identity.model.title}")
    revision = arguments.option("revision", "1.0")
    if not revision.isascii() or not 1 <= len(revision) <= 8:
        raise Refusal(f"revision: {revision!r}; expected 1 to 8 characters like 1.0")
    wan = factory.mac_address("wan", arguments.option("wan")) if "wan" in arguments else factory.NO_MAC
    block = factory.Factory(identity, revision, factory.mac_address("lan", arguments.option("lan")), wan)
    with file.open("r+b" if file.exists() else "wb") as out:
        out.write(factory.encode(block))
    return 0


def _release(root: Path) -> dict[str, str]:
    lines = (root / RELEASE).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _start(arguments: Arguments, device: Path) -> int:
    """Prints the block's fields, `lan=MAC` among them, for the scripts; refuses where something is wrong."""
    paths = arguments.paths
    try:
        block = factory.read_block(device)
        _say(arguments, block)
    except Refusal as error:
        block = error
    model = _release(paths.root)["MODEL"]
    told = factory.start(paths, read_board(paths), block, model)
    if told:
        raise Refusal("; ".join(told))
    return 0
