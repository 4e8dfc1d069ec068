# SPDX-License-Identifier: Apache-2.0
"""qx langpack, qx langpack install, qx langpack remove: the language of the unit's pages (R39)."""

from __future__ import annotations

from typing import Any

from ..control import client
from ..errors import WrongUsage
from . import given, output
from .arguments import read
from .either import SET_WAIT

FILE_MAX = 2 << 20  # octets read; the format's own limit is below


def run(argv: list[str]) -> int:
    arguments = read(argv, count=(0, 2))
    word, *rest = arguments.positional or ["show"]
    if (word, len(rest)) not in (("show", 0), ("install", 1), ("remove", 0)):
        raise WrongUsage("expected install FILE, remove, or nothing")
    values = {"pack": given.octets(rest[0], FILE_MAX, "a language pack")} if rest else {}
    operation = "langpack" if word == "show" else f"langpack_{word}"
    found: dict[str, Any] = client.call(arguments.paths, operation, values, SET_WAIT)
    output.json(found) if arguments.json else output.text(_text(found))
    return 0


def _text(found: dict[str, Any]) -> str:
    pack = found["installed"]
    if pack is None:
        return found["trouble"] or "no language pack; the pages are in English"
    used = "" if found["in_use"] else "; not in use: language.pages names another language"
    first, last = pack["firmware"]
    return f"{pack['name']} {pack['version']} ({pack['language']}), for firmware {first} to {last}{used}"
