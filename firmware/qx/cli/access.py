# SPDX-License-Identifier: Apache-2.0
"""qx password: who may log in; and `qx hash`, with which the daemon checks a password outside of itself.

A password comes from the terminal without being shown, or from standard input, never as an argument, where
everybody could see it.
"""

from __future__ import annotations

import os
import sys

from ..control import client
from ..errors import Refusal
from . import output
from .arguments import WHO, read
from .either import SET_WAIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HASH_MAX = 4096  # octets of a request
NICE = 5  # a login waits for the telephone, not the telephone for a login


def run_password(argv: list[str]) -> int:
    """Gives a user a password: who may run this command is the machine's administrator."""
    arguments = read(argv, {"change": False}, count=(0, 1))
    user = arguments.positional[0] if arguments.positional else "admin"
    answer: dict[str, Any] = client.call(
        arguments.paths,
        "password_set",
        {"user": user, "new": _typed(user), "change": "change" in arguments, "who": WHO},
        SET_WAIT,
    )
    if arguments.json:
        output.json(answer)
    else:
        output.text(f"{user}: password changed; durable: {answer['durable']}")
    return 0


def _typed(user: str) -> str:
    if not sys.stdin.isatty():
        text = sys.stdin.buffer.read(HASH_MAX).decode("utf-8", "replace").partition("\n")[0].rstrip("\r")
        if not text:
            raise Refusal("new password: standard input is empty; expected it on its first line")
        return text
    from getpass import getpass  # noqa: PLC0415 - for people alone

    text = getpass(f"New password of {user}: ")
    if getpass("Once more: ") != text:
        raise Refusal("new password: typed differently the second time; expected the same")
    return text


def run_hash(argv: list[str]) -> int:
    """{do: check, text, hashed} to true or false, {do: make, text} to a hash; msgpack in and out."""
    from ..packing import pack, unpack  # noqa: PLC0415 - not for `qx password`
    from ..trust import password  # noqa: PLC0415

    read(argv)
    os.nice(NICE)
    request = unpack(sys.stdin.buffer.read(HASH_MAX))
    if not isinstance(request, dict) or not isinstance(text := request.get("text"), str):
        raise Refusal("hash: expected {do, text}")
    if request.get("do") == "make":
        answer: Any = password.make(text).hashed
    else:
        answer = password.matches(password.Password(str(request.get("hashed"))), text)
    sys.stdout.buffer.write(pack(answer))
    return 0
