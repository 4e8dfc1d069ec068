# SPDX-License-Identifier: Apache-2.0
"""R31: the engine's view as status shows it: ages in seconds, never times of a clock that nobody else has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from _qx import ffi, lib
from qx.control.render import status_text
from qx.redundancy.engine import Engine, EngineView
from qx.redundancy.status import _vrrp


@pytest.fixture
def view() -> EngineView:
    """Of an engine that runs no group."""
    engine: Any = object.__new__(Engine)
    engine._status = ffi.new("struct qx_status *")
    return engine.view()


def shown(view: EngineView) -> dict[str, Any]:
    return {"vrrp": _vrrp(None, view)}


def test_without_a_group_there_is_no_age(view: EngineView) -> None:
    told = shown(view)
    assert told["vrrp"]["state_since_s"] is None
    assert "VRRP          initialize\n" in status_text(told) + "\n"


def test_the_state_has_an_age(view: EngineView) -> None:
    told = shown(replace(view, state_age=12.34567))
    assert told["vrrp"]["state_since_s"] == 12.346
    assert "VRRP          initialize for 12 s" in status_text(told)


def test_an_age_is_counted_from_the_engines_clock() -> None:
    engine: Any = object.__new__(Engine)
    now = lib.qx_engine_now()
    assert 5.0 <= engine._age(now - 5_000_000_000) < 6.0
    assert engine._age(now + 5_000_000_000) == 0.0
