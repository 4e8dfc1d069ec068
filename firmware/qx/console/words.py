# SPDX-License-Identifier: Apache-2.0
"""words: text for a terminal that has 80 columns and ASCII, whatever it came from. Pure."""

from __future__ import annotations

import textwrap
import unicodedata

COLUMNS = 79
_ASCII = str.maketrans(
    {"…": "...", "–": "-", "—": "-", "→": "->", "“": '"', "”": '"', "„": '"', "’": "'", "ä": "ae", "ö": "oe",
     "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}
)  # fmt: skip


def plain(text: str) -> str:
    """Without anything that a terminal would obey: what others named must not move the cursor."""
    return "".join(
        c if c == "\n" or c.isprintable() else "?"
        for c in _bare(text.translate(_ASCII)).encode("ascii", "replace").decode("ascii")
    )


def _bare(text: str) -> str:
    """Letters without their accents, as ASCII has them."""
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFD", text)
    return "".join(c for c in parts if not unicodedata.combining(c))


def wrapped(text: str, indent: str = "") -> str:
    """Lines of at most 79 columns; what a line is broken into is indented like it, and a little more."""
    lines: list[str] = []
    for line in plain(text).splitlines() or [""]:
        lead = indent + " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(
            line.lstrip(), COLUMNS, initial_indent=lead, subsequent_indent=f"{lead}  "
        ) or [""]
    return "\n".join(lines)


def columns(rows: list[tuple[str, str]]) -> str:
    """Two columns, the first as wide as its longest."""
    width = min(max((len(left) for left, _ in rows), default=0), 3 * COLUMNS // 5)
    lines: list[str] = []
    for left, right in rows:
        broken = textwrap.wrap(plain(right), COLUMNS - width - 2) or [""]
        lines.append(f"{plain(left)[:width]:<{width}}  {broken[0]}".rstrip())
        lines += [" " * (width + 2) + line for line in broken[1:]]
    return "\n".join(lines)
