# SPDX-License-Identifier: Apache-2.0
"""The daemon's part of the PBX, where Kamailio is not there (R22)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest
from control_bench import new_root

from qx.errors import Refusal
from qx.events.log import EventLog
from qx.paths import Paths
from qx.pbx.applications import Applications
from qx.pbx.registration import REGISTRATIONS
from qx.pbx.reunion import QUESTION
from qx.pbx.telephony import Telephony
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
