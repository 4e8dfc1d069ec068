# SPDX-License-Identifier: Apache-2.0
"""qx flash: the daemon's helper that writes an image into the idle slot: see upgrade.flash.

Not for users (`qx upgrade` is): prints a JSON object a line, {step, percent} while it works and {version,
slot} in the end. Ends with 1 and a line on standard error when the image is refused.
"""

from __future__ import annotations

from pathlib import Path

from .. import __version__ as FIRMWARE
from ..board import read_board
from ..errors import Refusal
from ..identity import read_identity
from . import output
from .arguments import read


def run(argv: list[str]) -> int:
    from ..upgrade.flash import install  # noqa: PLC0415 - for the applet's help
    from ..upgrade.hardware import revision_of  # noqa: PLC0415
    from ..upgrade.slots import open_slots  # noqa: PLC0415

    arguments = read(argv, count=(1, 1))
    paths = arguments.paths
    board, identity = read_board(paths), read_identity(paths)
    slots = open_slots(paths, board)
    if slots is None:
        raise Refusal("upgrade: this board has no firmware slots")

    def tell(step: str, percent: int) -> None:
        output.json({"step": step, "percent": percent})

    import sys  # noqa: PLC0415

    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    file = Path(arguments.positional[0])
    found = install(file, slots, paths, board, identity.model.name, revision_of(paths), FIRMWARE, tell)
    output.json({"version": found.version, "slot": slots.idle})
    return 0
