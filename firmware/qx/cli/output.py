# SPDX-License-Identifier: Apache-2.0
"""output: prints results: JSON on one line, or text."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def text(lines: str) -> None:
    sys.stdout.write(lines + "\n")


def json(value: Any) -> None:
    from json import dumps  # noqa: PLC0415 - half of what `qx status` without --json imports

    sys.stdout.write(dumps(value, ensure_ascii=False) + "\n")
