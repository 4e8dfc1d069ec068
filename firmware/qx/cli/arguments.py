# SPDX-License-Identifier: Apache-2.0
"""arguments: reads a command line, with options anywhere after the applet.

By hand, because argparse costs more to import than `qx status` costs to run. Pure.
"""

from __future__ import annotations

from ..errors import WrongUsage
from ..paths import Paths

WHO = "command line"  # in the history, where nobody has logged in
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Arguments:
    """What stood on the command line: `positional`, and options by name (`--json` gives json)."""

    __slots__ = ("_options", "positional")

    def __init__(self, positional: list[str], options: dict[str, str]) -> None:
        self.positional = positional
        self._options = options

    def __contains__(self, name: str) -> bool:
        return name in self._options

    def option(self, name: str, default: str = "") -> str:
        return self._options.get(name, default)

    @property
    def json(self) -> bool:
        return "json" in self._options

    @property
    def paths(self) -> Paths:
        return Paths(self.option("root", "/"))


def read(
    argv: list[str], options: Mapping[str, bool] | None = None, count: tuple[int, int | None] = (0, 0)
) -> Arguments:
    """Reads `argv` (behind the applet). `options` maps names to whether they take a value, over `--root DIR`
    and `--json` that all have; `count` is the least and most positional arguments. Raises WrongUsage."""
    known = {"root": True, "json": False, **(options or {})}
    positional: list[str] = []
    found: dict[str, str] = {}
    rest = iter(argv)
    for word in rest:
        if word == "--":
            positional += rest
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name not in known:
                raise WrongUsage(f"--{name}: unknown option; expected {', '.join(f'--{k}' for k in known)}")
            if known[name] and not equals:
                value = next(rest, "")
            if known[name] and not value:
                raise WrongUsage(f"--{name}: expected a value")
            if not known[name] and equals:
                raise WrongUsage(f"--{name}: expected no value")
            if name in found:
                raise WrongUsage(f"--{name}: given twice")
            found[name] = value
        elif word.startswith("-") and len(word) > 1:
            raise WrongUsage(f"{word}: unknown option; expected {', '.join(f'--{k}' for k in known)}")
        else:
            positional.append(word)
    least, most = count
    if len(positional) < least:
        raise WrongUsage("an argument is missing")
    if most is not None and len(positional) > most:
        raise WrongUsage(f"{positional[most]!r}: one argument too many")
    return Arguments(positional, found)
