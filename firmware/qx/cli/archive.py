# SPDX-License-Identifier: Apache-2.0
"""qx backup, qx restore: the configuration as one file, and back (R40).

A passphrase comes from a file or from standard input, never as an argument, where everybody could see it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from .. import durable
from ..control import client
from ..errors import Refusal, WrongUsage
from ..identity import read_identity
from . import given, output
from .arguments import Arguments, read
from .either import FORCE, SET_WAIT, by, commit, either

OPTIONS = {"passphrase-file": True}
FILE_MAX = 4 << 20  # octets read; the format's own limit is below


def run_backup(argv: list[str]) -> int:
    arguments = read(argv, OPTIONS, count=(0, 1))
    name = arguments.positional[0] if arguments.positional else _name(arguments)
    passphrase = passphrase_of(arguments, taken=False)
    answer: dict[str, Any] = either(
        arguments.paths,
        lambda: client.call(arguments.paths, "backup", {"passphrase": passphrase}, SET_WAIT),
        lambda operations, store: operations.backed_up(store, passphrase),
    )
    return written(name, answer, arguments.json)


def written(name: str, answer: dict[str, Any], as_json: bool) -> int:
    """Writes a backup ({archive, left_out}) to a new file, or to standard output for "-", and says so."""
    octets, left_out = answer["archive"], len(answer["left_out"])
    said = (
        f"; {left_out} secrets are not in it (give a passphrase to have them encrypted)" if left_out else ""
    )
    if name == "-":
        sys.stdout.buffer.write(octets)
        if said:
            sys.stderr.write(f"qx: backup{said}\n")
        return 0
    _write(name, octets)
    if as_json:
        output.json({"file": name, "octets": len(octets), "left_out": answer["left_out"]})
    else:
        output.text(f"{name}: {len(octets)} octets{said}")
    return 0


def run_restore(argv: list[str]) -> int:
    arguments = read(argv, {**OPTIONS, **FORCE}, count=(1, 1))
    name = arguments.positional[0]
    passphrase = passphrase_of(arguments, taken=name == "-")
    octets = given.octets(name, FILE_MAX, "a configuration backup")
    answer: dict[str, Any] = either(
        arguments.paths,
        lambda: client.call(
            arguments.paths,
            "restore",
            {"archive": octets, "passphrase": passphrase, **by(arguments)},
            SET_WAIT,
        ),
        lambda operations, store: _restored(arguments, operations, store, octets, passphrase),
    )
    if arguments.json:
        output.json(answer)
    else:
        parts = [f"{len(answer['changed'])} settings changed", f"durable: {answer['durable']}"]
        parts += [f"{len(answer['kept'])} secrets kept as they were"] if answer["kept"] else []
        parts += [f"{len(answer['missing'])} secrets to be set anew"] if answer["missing"] else []
        output.text("; ".join(parts))
    return 0


def _restored(
    arguments: Arguments, operations: Any, store: Any, octets: bytes, passphrase: str
) -> dict[str, Any]:
    found = operations.restoring(store, octets, passphrase)
    answer = commit(arguments, store, found.changes, "restore", new_history=True)
    return {**answer, "kept": found.kept, "missing": found.missing}


def _name(arguments: Arguments) -> str:
    serial = read_identity(arguments.paths).serial
    return f"{serial}-{time.strftime('%Y%m%d-%H%M%S')}.qxbackup"


def passphrase_of(arguments: Arguments, taken: bool) -> str:
    """From the file that --passphrase-file names; empty without. `taken`: standard input is taken."""
    name = arguments.option("passphrase-file")
    if not name:
        return ""
    if name == "-" and taken:
        raise WrongUsage("--passphrase-file: standard input is the backup; expected a file")
    octets = given.octets(name, FILE_MAX, "a passphrase on its first line")
    passphrase = octets.decode("utf-8", "replace").partition("\n")[0].rstrip("\r")
    if not passphrase:
        raise Refusal(f"{name}: empty; expected a passphrase on its first line")
    return passphrase


def _write(name: str, octets: bytes) -> None:
    try:
        durable.create(Path(name), octets)
    except OSError as error:
        raise Refusal(f"{name}: {error.strerror}; expected the name of a new file") from None
