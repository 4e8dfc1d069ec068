# SPDX-License-Identifier: Apache-2.0
"""The daemon's part of the PBX, where Kamailio is not there (R22)."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest
from control_bench import new_root

from qx.errors import Refusal
from qx.events.log import EventLog
from qx.model import MODELS
from qx.paths import Paths
from qx.pbx.applications import Applications
from qx.pbx.registration import REGISTRATIONS
from qx.pbx.reunion import QUESTION
from qx.pbx.telephony import Telephony
from qx.settings.view import Settings
from qx.sync.live import LiveState


def _never(*_: Any) -> NoReturn:
    raise AssertionError("not to be called here")


def test_registrations_wait_until_kamailio_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """R22, R41: a Master that starts anew is handed them before it has started Kamailio. The other unit asks
    again, and nothing went wrong: no error is logged."""
    paths = Paths(new_root(tmp_path))
    events = EventLog(paths, "QX200-000001")
    telephony = Telephony(paths, LiveState(), events, _never, Applications(paths, {}, _never), _never)
    question = {"now": time.time(), "rows": ((REGISTRATIONS, "101", 0, b""),)}
    with pytest.raises(Refusal, match="Kamailio does not take them; expected it to run"):
        asyncio.run(telephony.answers[QUESTION](question))
    assert not caplog.records


def test_a_script_that_reads_a_gate_finds_it_whole(tmp_path: Path) -> None:
    """R22: settings came in while Kamailio's script opened the gate, which nft read while it was written: an
    empty file is no error to nft, and the gate stayed closed."""
    paths = Paths(new_root(tmp_path))
    ports = [5060, 5070]
    there = [
        Settings(MODELS["qx200"], {"network.lan.address": "172.30.0.1/24", "call.sip_port": port})
        for port in ports
    ]
    telephony = Telephony(
        paths,
        LiveState(),
        EventLog(paths, "QX200-000001"),
        lambda: there[0],
        Applications(paths, {}, _never),
        _never,
    )
    paths.kamailio.mkdir(parents=True)
    whole: set[str] = set()
    for _ in there:
        telephony._write_gates()
        whole.add((paths.kamailio / "gate-closed.nft").read_text())
        there.reverse()
    found: set[str] = set()
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            found.add((paths.kamailio / "gate-closed.nft").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(500):
        telephony._write_gates()
        there.reverse()
    over.set()
    reader.join()
    assert found <= whole, found - whole
