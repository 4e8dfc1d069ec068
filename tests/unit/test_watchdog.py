# SPDX-License-Identifier: Apache-2.0
"""The hardware watchdog is fed while the loop turns, and never disarmed (R45)."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import pytest

from qx import watchdog


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file: it knows no ioctl, as a watchdog with a fixed time."""
    monkeypatch.setattr(watchdog, "BEAT", 0.02)
    made = tmp_path / "watchdog"
    made.touch()
    return made


def test_it_is_fed_while_the_loop_turns_and_not_while_it_is_held(device: Path) -> None:
    async def live() -> tuple[int, int, int]:
        feeding = asyncio.create_task(watchdog.feed(str(device), 30))
        await asyncio.sleep(0.3)
        turned = device.stat().st_size
        time.sleep(0.3)  # the loop is held
        held = device.stat().st_size
        await asyncio.sleep(0.1)
        again = device.stat().st_size
        feeding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await feeding
        return turned, held, again

    turned, held, again = asyncio.run(live())
    assert turned >= 3 and held == turned and again > held
    assert set(device.read_bytes()) == {0}, "the magic character would disarm it"


def test_a_watchdog_that_is_not_there_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "qx.watchdog"):
        asyncio.run(asyncio.wait_for(watchdog.feed(str(tmp_path / "none"), 30), 1))
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/none: No such file or directory: nobody restarts this unit when it hangs"
    ]


def test_one_that_knows_no_time_is_used_as_it_is(device: Path) -> None:
    found = watchdog.Watchdog(str(device), 30)
    assert found.seconds == 0
    found.feed()
    found.close()
    assert device.read_bytes() == b"\0"
