# SPDX-License-Identifier: Apache-2.0
"""What every test may ask for: a place for the figures that it measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def record_figures(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """`record_figures(outages_ms=[12.9, 13.1], detected_ms=98)`: JSON values that `make soak` keeps.

    They stand in the junit file as properties of the test; a plain `make test` forgets them.
    """

    def record(**figures: Any) -> None:
        for name, value in figures.items():
            record_property(f"figure:{name}", json.dumps(value))

    return record
