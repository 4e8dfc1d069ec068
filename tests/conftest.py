# SPDX-License-Identifier: Apache-2.0
"""What every test may ask for: a place for the figures that it measured. What every test of time has: another
try, where the machine itself stood still while it failed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from standstill import MachineStoodStillError, Watch

TIMELESS = {Path(__file__).parent / "unit", Path(__file__).parent / "fuzz"}  # which take time as an argument
WATCH = pytest.StashKey[Watch]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Watches the machine for as long as there are tests in which milliseconds count."""
    if any(_counts(item) for item in session.items) and not session.config.option.collectonly:
        watch = session.config.stash[WATCH] = Watch()
        session.config.add_cleanup(watch.__exit__)
        watch.__enter__()


def _counts(item: pytest.Item) -> bool:
    return not (TIMELESS & {*item.path.parents} or item.get_closest_marker("vm"))


def _judged(item: pytest.Item) -> Generator[None, Any, Any]:
    """MachineStoodStillError instead of what the test failed with, where it did; pytest runs it again."""
    began, watch = time.monotonic(), item.config.stash.get(WATCH, None)
    try:
        return (yield)
    except (Exception, pytest.fail.Exception) as failure:
        stood = watch.since(began) if watch else []
        if not stood:
            raise
        raise MachineStoodStillError(f"for {', '.join(f'{1000 * one:.0f}' for one in stood)} ms") from failure


pytest_runtest_setup = pytest.hookimpl(_judged, wrapper=True)
pytest_runtest_call = pytest.hookimpl(_judged, wrapper=True)


@pytest.fixture
def record_figures(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """`record_figures(outages_ms=[12.9, 13.1], detected_ms=98)`: JSON values that `make soak` keeps.

    They stand in the junit file as properties of the test; a plain `make test` forgets them.
    """

    def record(**figures: Any) -> None:
        for name, value in figures.items():
            record_property(f"figure:{name}", json.dumps(value))

    return record
