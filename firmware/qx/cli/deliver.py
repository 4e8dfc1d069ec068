# SPDX-License-Identifier: Apache-2.0
"""qx deliver: the delivery process; the daemon starts it."""

from __future__ import annotations

from .arguments import read


def run(argv: list[str]) -> int:
    arguments = read(argv)
    from ..events import deliver  # noqa: PLC0415 - after the arguments are known to be right

    return deliver.run(str(arguments.paths.root))
