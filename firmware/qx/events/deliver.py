# SPDX-License-Identifier: Apache-2.0
"""deliver: the delivery process: what a mail, a short message or a trap needs is loaded here, not in the
daemon, and is gone when nothing is to be delivered.

Jobs come on standard input, each with its settings, and what became of them goes to standard output (frames
of control.protocol). A lane is a thread that does one job after the other. The daemon closes the input when
nothing is owed; if it ends while jobs are under way the daemon is gone, and so is this process at once: the
next daemon makes the deliveries, with the same ids.
"""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
from typing import Any, BinaryIO

from ..control import protocol
from ..paths import Paths
from .queue import Outcome

FRAME_MAX = 1 << 20
SECRETS = ("password", "community", "auth_password", "privacy_password")


def run(root: str) -> int:
    paths = Paths(root)
    os.nice(5)
    for folder in paths.run_qx.glob("snmp-*"):  # of one that was killed: it has secrets
        shutil.rmtree(folder, ignore_errors=True)
    jobs, answers = sys.stdin.buffer, sys.stdout.buffer
    lock = threading.Lock()
    lanes: dict[str, queue.SimpleQueue[dict[str, Any]]] = {}

    def answer(job: dict[str, Any], outcome: Outcome, why: str) -> None:
        octets = protocol.frame({"n": job["n"], "outcome": str(outcome), "why": why}, FRAME_MAX)
        with lock:
            try:
                answers.write(octets)
                answers.flush()
            except OSError:
                os._exit(0)  # nobody is there to hear it

    def serve(lane: queue.SimpleQueue[dict[str, Any]]) -> None:
        while True:
            job = lane.get()
            answer(job, *_made(job, paths))

    while (job := _read(jobs)) is not None:
        if job["lane"] not in lanes:
            lanes[job["lane"]] = queue.SimpleQueue()
            threading.Thread(target=serve, args=(lanes[job["lane"]],), daemon=True).start()
        lanes[job["lane"]].put(job)
    os._exit(0)  # without waiting for what a server may hold up


def _made(job: dict[str, Any], paths: Paths) -> tuple[Outcome, str]:
    """What became of it; whatever goes wrong, no secret is in what is said."""
    kind, _, _ = job["way"].partition(":")
    way, event, device = job["config"], job["event"], job["device"]
    try:
        if kind == "mail":
            from . import mail  # noqa: PLC0415 - only what is needed: memory

            outcome, why = mail.deliver(way, event, device["model"])
        elif kind == "sms":
            from . import sms  # noqa: PLC0415 - see above

            outcome, why = sms.deliver(way, event, device["model"])
        else:
            from . import snmp  # noqa: PLC0415 - see above

            outcome, why = snmp.deliver({**way, "vrrp": kind == "vrrp"}, event, device, paths)
    except Exception as error:  # a fault of ours must be seen, and must not end the other lanes
        outcome, why = Outcome.LATER, f"{kind}: internal error: {type(error).__name__}: {error}"
    for name in SECRETS:
        secret = way.get(name)
        if secret and len(secret) > 2:
            why = why.replace(secret, "…")
    return outcome, why


def _read(stream: BinaryIO) -> dict[str, Any] | None:
    header = stream.read(protocol.HEADER)
    if len(header) < protocol.HEADER:
        return None
    body = stream.read(protocol.body_length(header, FRAME_MAX))
    return protocol.message(body)
