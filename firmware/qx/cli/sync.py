# SPDX-License-Identifier: Apache-2.0
"""qx sync: what has crossed to the Backup and how old its state is, and a full comparison now."""

from __future__ import annotations

from ..control import client
from ..errors import WrongUsage
from . import output
from .arguments import read

WORDS = {"status": "sync", "now": "sync_now", "allow-deletion": "sync_allow_deletion"}


def run(argv: list[str]) -> int:
    arguments = read(argv, count=(0, 1))
    word = (arguments.positional or ["status"])[0]
    if word not in WORDS:
        raise WrongUsage(f"{word!r}: expected one of {', '.join(WORDS)}")
    found = client.call(arguments.paths, WORDS[word])
    if arguments.json:
        output.json(found)
    else:
        from ..control.render import sync_text  # noqa: PLC0415 - not needed for JSON

        output.text(sync_text(found))
    return 0
