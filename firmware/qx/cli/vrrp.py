# SPDX-License-Identifier: Apache-2.0
"""qx vrrp decode: reads hexadecimal packets, one a line, and says what the ladder makes of each."""

from __future__ import annotations

import sys

from ..errors import WrongUsage


def run(argv: list[str]) -> int:
    if not argv or argv[0] != "decode":
        raise WrongUsage(f"{argv[0]!r}: expected decode" if argv else "expected decode")
    rest: list[str] = []
    words = iter(argv[1:])
    for word in words:  # the options that every applet takes mean nothing here: it touches no root
        if word == "--root":
            next(words, None)
        elif word != "--json" and not word.startswith("--root="):
            rest.append(word)
    from ..redundancy import decode  # noqa: PLC0415 - it loads the C module

    return decode.run(rest, sys.stdin, sys.stdout)
