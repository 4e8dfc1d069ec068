# SPDX-License-Identifier: Apache-2.0
"""What many unit tests begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from control_bench import Bench, new_root


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """The operations of a provisioned unit, served on its control socket."""
    with Bench(new_root(tmp_path / "a")) as served:
        yield served
