# SPDX-License-Identifier: Apache-2.0
"""collect: asks a running Kamailio for all its registrations and calls and reports them to the daemon again.

For a daemon that was started again while its applications went on: live state is in memory, and was lost.
Runs in a process of its own. Kamailio answers through a fifo: a datagram does not hold 2,000 contacts.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import ports
from ..errors import Refusal
from ..paths import Paths

ANSWER = 5.0  # seconds
BURST = 50  # reports in a row, then a pause, so that the daemon's loop keeps turning
PAUSE = 0.005  # seconds


def collect(paths: Paths) -> int:
    """How many reports were sent. Raises Refusal where no Kamailio answers."""
    folder = paths.kamailio
    dump = ask(folder, "ul.dump")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sent = 0
    with sock:
        for line in (*registrations(dump), *calls(ask(folder, "htable.dump", "dialogs"))):
            sock.sendto(line.encode(), ("127.0.0.1", ports.REPORTS))
            sent += 1
            if sent % BURST == 0:
                time.sleep(PAUSE)
    return sent


def ask(folder: Path, method: str, *parameters: str) -> Any:
    """The result of a command of Kamailio (JSON-RPC 2.0 over its fifo)."""
    reply = folder / f"reply-{os.getpid()}"  # Kamailio forbids a dot in it
    os.mkfifo(reply, 0o600)
    try:
        # Open for reading first, and without waiting: Kamailio opens the other end when it answers.
        handle = os.open(reply, os.O_RDONLY | os.O_NONBLOCK)
        request = {"jsonrpc": "2.0", "method": method, "reply_name": reply.name, "id": 1}
        if parameters:
            request["params"] = parameters
        try:
            commands = os.open(folder / "commands", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            raise Refusal("Kamailio does not run; expected it to answer") from None
        with os.fdopen(commands, "wb") as out:
            out.write(json.dumps(request).encode() + b"\n")
        octets = b"".join(_read(handle))
    finally:
        reply.unlink()
    try:
        return json.loads(octets)["result"]
    except (ValueError, KeyError, TypeError):
        raise Refusal(f"Kamailio: {method}: expected a result") from None


def _read(handle: int) -> Iterator[bytes]:
    deadline = time.monotonic() + ANSWER
    heard = False
    with os.fdopen(handle, "rb", buffering=0) as pipe:
        while True:
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise Refusal(f"Kamailio did not answer within {ANSWER:g} s")
            part = pipe.read(1 << 16)
            if part:
                heard = True
                yield part
            elif heard or time.monotonic() > deadline:
                return
            else:
                time.sleep(0.001)


def registrations(dump: Any) -> Iterator[str]:
    """`ul.dump` as the reports that its registrations would have been."""
    for domain in dump.get("Domains", ()):
        for info in domain["Domain"].get("AoRs", ()):
            aor = info["Info"]["AoR"]
            lines = [f"R\t{aor}"]
            for entry in info["Info"]["Contacts"]:
                contact = entry["Contact"]
                fields = (
                    contact["Ruid"], contact["Address"], _set(contact["Received"]), _set(contact["Path"]),
                    int(time.time()) + int(contact["Expires"]), contact["Q"], contact["Call-ID"],
                    contact["CSeq"], contact["CFlags"], _set(contact["Socket"]), "",
                    _set(contact["User-Agent"]),
                )  # fmt: skip
                lines.append("\t".join(str(field) for field in fields))
            yield "\n".join(lines)


def calls(dump: Any) -> Iterator[str]:
    """The table `dialogs` as reports."""
    for entry in dump or ():
        for slot in entry.get("slot", ()):
            yield str(slot["value"])


def _set(text: str) -> str:
    return "" if text == "[not set]" else text
