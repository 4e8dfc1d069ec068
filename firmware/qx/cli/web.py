# SPDX-License-Identifier: Apache-2.0
"""qx web: the embedded pages, a process of its own that the daemon starts and looks after."""

from __future__ import annotations

from .arguments import read


def run(argv: list[str]) -> int:
    arguments = read(argv)
    from ..web.process import run as run_pages  # noqa: PLC0415 - microdot and Jinja2, for this alone

    return run_pages(arguments.paths)
