# SPDX-License-Identifier: Apache-2.0
"""qx snmp: what snmpd asks for our tables; the daemon starts snmpd."""

from __future__ import annotations

import os
import sys
import time

from ..errors import WrongUsage
from .arguments import Arguments, read


def run(argv: list[str]) -> int:
    arguments = read(argv, count=(1, 1))
    word = arguments.positional[0]
    if word != "agent":
        raise WrongUsage(f"{word!r}: expected agent")
    return _agent(arguments)


def _agent(arguments: Arguments) -> int:
    """Started by snmpd, one for its whole life; a daemon that does not answer leaves the tables empty."""
    import socket  # noqa: PLC0415 - what only this command needs

    from ..board import read_board  # noqa: PLC0415
    from ..control import client  # noqa: PLC0415
    from ..errors import Refusal  # noqa: PLC0415
    from ..events.agent import Here, Tree, serve, tree  # noqa: PLC0415

    paths = arguments.paths
    board = read_board(paths)

    def fresh() -> Tree:
        try:
            status = client.call(paths, "status")
            events = client.call(paths, "events", {"last": 100})
            pending = client.call(paths, "events_pending")["pending"]
            (lan,) = client.call(paths, "get", {"paths": ["network.lan.address"]})
        except Refusal:
            return Tree({})
        try:
            index = socket.if_nametoindex(board.lan)
        except OSError:
            index = 0
        address = lan["text"].partition("/")[0]
        return tree(status, events, Here(index, address, pending, _running()))

    serve(fresh, sys.stdin, sys.stdout)
    return 0


def _running() -> float:
    """Seconds that snmpd runs, which started this process (proc(5), the 22nd of `stat`)."""
    with open(f"/proc/{os.getppid()}/stat", "rb") as file:  # noqa: PTH123 - pathlib costs more than all this
        started = int(file.read().rpartition(b")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
