# SPDX-License-Identifier: Apache-2.0
"""qx version: the firmware's version."""

from __future__ import annotations

from .. import __version__
from . import output
from .arguments import read


def run(argv: list[str]) -> int:
    output.json({"firmware": __version__}) if read(argv).json else output.text(__version__)
    return 0
