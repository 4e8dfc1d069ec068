# SPDX-License-Identifier: Apache-2.0
"""The LED table of docs/leds.md, from the code. `python tests/panel_table.py` writes it into the page."""

from __future__ import annotations

import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/leds.md"
BEGIN, END = "writes it -->\n", "<!-- end -->"


def generated() -> str:
    from qx.panel import pattern, table

    rows = ["| state | LED | light | milliseconds on, off, … | meaning |", "|---|---|---|---|---|"]
    for row in (*table.STATES, table.UNREAD):
        steps = ", ".join(map(str, row.pattern)) if len(row.pattern) > 1 else "steady"
        light = f"{row.colour}, {pattern.words(row.pattern)}"
        rows.append(f"| {row.name} | {row.led} | {light} | {steps} | {row.meaning} |")
    return "\n".join(rows) + "\n"


def page(text: str) -> str:
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + generated() + END + rest.partition(END)[2]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "firmware"))
    PAGE.write_text(page(PAGE.read_text()))
