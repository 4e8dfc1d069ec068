# SPDX-License-Identifier: Apache-2.0
"""words: an event in the words of a mail, a short message, a trap. Pure.

What comes from elsewhere (names of extensions, of units, what a server said) may hold anything: each text is
made one line of printable characters before it stands in a header, a request or a command.
"""

from __future__ import annotations

import time
from typing import Any

SMS_MAX = 160  # characters: one message of the plain alphabet


def line(text: Any, most: int = 600) -> str:
    """One line: whatever is not printable is a space."""
    return "".join(c if c.isprintable() else " " for c in str(text))[:most]


def host(serial: str) -> str:
    """A unit as a name of the network."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in serial.lower())[:60] or "qx"


def when(event: dict[str, Any]) -> str:
    """Local time with its distance from UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(event["time"]))


def utc(moment: float) -> str:
    """RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def subject(event: dict[str, Any]) -> str:
    return line(f"{event['name']} ({event['unit']})", 200)


def body(event: dict[str, Any], model: str) -> str:
    rows = [
        ("Event", event["name"]),
        ("", event["description"]),
        ("Severity", event["severity"]),
        ("Unit", f"{model} {event['unit']}".strip()),
        ("Source", event["source"]),
        ("Time", when(event)),
        ("Number", event["uid"]),
    ]
    told = "\n".join(f"{name:<9} {line(value)}" for name, value in rows if value)
    return f"{told}\n\nThe event stays pending on the unit until it is marked as read.\n"


def short(event: dict[str, Any]) -> str:
    text = f"{event['name']} ({event['unit']}, {when(event)[:16]})"
    if event["description"]:
        text += f": {event['description']}"
    return line(text, SMS_MAX)
