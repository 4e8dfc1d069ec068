# SPDX-License-Identifier: Apache-2.0
"""What every test may ask for: a place for the figures that it measured, and logs where one failed."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pluggy
import pytest
from board.lab.pair import Lab


@pytest.fixture
def record_figures(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """`record_figures(outages_ms=[12.9, 13.1], detected_ms=98)`: JSON values that `make soak` keeps.

    They stand in the junit file as properties of the test; a plain `make test` forgets them.
    """

    def record(**figures: Any) -> None:
        for name, value in figures.items():
            record_property(f"figure:{name}", json.dumps(value))

    return record


def _labs(item: pytest.Item) -> Iterator[Path]:
    """Folders of the labs that a test had."""
    arguments: dict[str, object] = getattr(item, "funcargs", {})
    for value in arguments.values():
        for one in value if isinstance(value, tuple) else (value,):  # pyright: ignore[reportUnknownVariableType]
            if isinstance(one, Lab):
                yield one.folder
            elif isinstance(one, Path):
                yield one / "lab"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """A failure shows the end of both units' logs."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for folder in _labs(item):
            for log in sorted(folder.glob("[ab].log")):
                report.sections.append((f"log of unit {log.stem}", log.read_text(errors="replace")[-4000:]))
