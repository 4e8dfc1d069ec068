# SPDX-License-Identifier: Apache-2.0
"""given: what a command takes whole: the content of a file, or standard input for "-"."""

from __future__ import annotations

import sys

from ..errors import Refusal


def octets(name: str, most: int, what: str) -> bytes:
    """At most `most` of them. Raises Refusal that names the file and says that `what` was expected."""
    try:
        if name == "-":
            name = "standard input"
            found = sys.stdin.buffer.read(most + 1)
        else:
            with open(name, "rb") as source:  # noqa: PTH123 - as typed; pathlib is dear to import
                found = source.read(most + 1)
    except OSError as error:
        raise Refusal(f"{name}: {error.strerror}; expected {what}") from None
    if len(found) > most:
        raise Refusal(f"{name}: more than {most} octets; expected {what}")
    return found
