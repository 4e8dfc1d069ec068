# SPDX-License-Identifier: Apache-2.0
"""qx daemon: the body of the daemon. The launcher has put the guardian above it before Python starts."""

from __future__ import annotations

from pathlib import Path

from ..daemon import run as run_daemon
from .arguments import read


def run(argv: list[str]) -> int:
    return run_daemon(Path(read(argv).option("root", "/")))
