# SPDX-License-Identifier: Apache-2.0
"""qx status: the state of the unit and its pair. Imports as little as can be: it may run every second."""

from __future__ import annotations

from ..control import client
from . import output
from .arguments import read


def run(argv: list[str]) -> int:
    arguments = read(argv)
    status = client.call(arguments.paths, "status")
    if arguments.json:
        output.json(status)
    else:
        from ..control.render import status_text  # noqa: PLC0415 - not needed for JSON

        output.text(status_text(status))
    return 0
