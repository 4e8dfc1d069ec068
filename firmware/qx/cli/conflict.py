# SPDX-License-Identifier: Apache-2.0
"""qx conflict: what was set on a unit that had to give it up for the other's settings: seen, kept, merged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..control import client
from ..errors import WrongUsage
from . import output
from .archive import passphrase_of, written
from .arguments import Arguments, read
from .either import FORCE, SET_WAIT, by, commit, either
from .settings import told

if TYPE_CHECKING:
    from ..settings.store import Store
    from ..sync.conflicts import Conflicts

T = TypeVar("T")
OPTIONS = {"passphrase-file": True, **FORCE}


def run(argv: list[str]) -> int:
    arguments = read(argv, OPTIONS, count=(0, None))
    word, *rest = arguments.positional or ["list"]
    command = COMMANDS.get(word)
    if command is None:
        raise WrongUsage(f"{word!r}: expected one of {', '.join(COMMANDS)}")
    least, most, does = command
    if len(rest) < least:
        raise WrongUsage(f"{word}: an argument is missing")
    if most is not None and len(rest) > most:
        raise WrongUsage(f"{rest[most]!r}: one argument too many")
    if "passphrase-file" in arguments and word != "export":
        raise WrongUsage(f"--passphrase-file: expected with export, not with {word}")
    return does(arguments, rest)


def _list(arguments: Arguments, _rest: list[str]) -> int:
    found = _asked(arguments, "conflict_list", {}, lambda o, _, kept: o.listed(kept))
    if arguments.json:
        output.json(found)
    elif found:
        from ..control.render import conflict_text  # noqa: PLC0415 - not needed for JSON

        output.text("\n".join(map(conflict_text, found)))
    return 0


def _show(arguments: Arguments, rest: list[str]) -> int:
    number = _number(rest[0])
    found = _asked(
        arguments, "conflict_show", {"number": number}, lambda o, store, kept: o.shown(store, kept, number)
    )
    if arguments.json:
        output.json(found)
        return 0
    from ..control.render import conflict_text, revision_text  # noqa: PLC0415 - not needed for JSON

    lines = [conflict_text(found), *map(revision_text, found["changes"])]
    lines += [f"  voice: {name}" for name in found["voice"]]
    output.text("\n".join(lines))
    return 0


def _diff(arguments: Arguments, rest: list[str]) -> int:
    number = _number(rest[0])
    found = _asked(
        arguments, "conflict_diff", {"number": number},
        lambda o, store, kept: o.difference(store, kept, number),
    )  # fmt: skip
    if arguments.json:
        output.json(found)
    elif found:
        from ..control.render import change_text  # noqa: PLC0415 - not needed for JSON

        output.text("\n".join(map(change_text, found)))
    return 0


def _export(arguments: Arguments, rest: list[str]) -> int:
    number, name = _number(rest[0]), rest[1]
    passphrase = passphrase_of(arguments, taken=False)
    answer = _asked(
        arguments, "conflict_export", {"number": number, "passphrase": passphrase},
        lambda o, store, kept: o.exported(store, kept, number, passphrase),
    )  # fmt: skip
    return written(name, answer, arguments.json)


def _merge(arguments: Arguments, rest: list[str]) -> int:
    number, paths = _number(rest[0]), rest[1:]
    answer = _asked(
        arguments, "conflict_merge", {"number": number, "paths": paths, **by(arguments)},
        lambda o, store, kept: _merged(arguments, o, store, kept, number, paths),
    )  # fmt: skip
    return told(answer, arguments.json)


def _merged(
    arguments: Arguments, operations: Any, store: Store, kept: Conflicts, number: int, paths: list[str]
) -> dict[str, Any]:
    changes = operations.merging(store, kept.read(number), paths)
    return commit(arguments, store, changes, f"merge conflict {number}")


def _drop(arguments: Arguments, rest: list[str]) -> int:
    number = _number(rest[0])
    answer = _asked(
        arguments, "conflict_drop", {"number": number}, lambda o, _, kept: o.dropped(kept, number)
    )
    if arguments.json:
        output.json(answer)
    return 0


COMMANDS: dict[str, tuple[int, int | None, Callable[[Arguments, list[str]], int]]] = {
    "list": (0, 0, _list),
    "show": (1, 1, _show),
    "diff": (1, 1, _diff),
    "export": (2, 2, _export),
    "merge": (2, None, _merge),
    "drop": (1, 1, _drop),
}


def _asked(
    arguments: Arguments, operation: str, values: dict[str, Any], do: Callable[[Any, Store, Conflicts], T]
) -> T:
    """Asks the daemon; where none runs, `do(conflict_operations, store, conflicts)`."""

    def on_store(_operations: Any, store: Store) -> T:
        from ..control import conflict_operations  # noqa: PLC0415 - see `either`
        from ..sync.conflicts import Conflicts  # noqa: PLC0415

        return do(conflict_operations, store, Conflicts(arguments.paths.conflicts))

    return either(
        arguments.paths, lambda: client.call(arguments.paths, operation, values, SET_WAIT), on_store
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise WrongUsage(f"{text!r}: expected the number of a conflict snapshot (see `qx conflict list`)")
    return int(text)
