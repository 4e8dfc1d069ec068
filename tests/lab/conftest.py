"""Lab tests stand on a real lab of their own: real namespaces, links and processes, beside any other lab."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from board.lab.pair import Lab

from labtools import needs_root
from pairs import default_pair, pytest_runtest_makereport

__all__ = ["default_pair", "pytest_runtest_makereport"]


@pytest.fixture
def bare_lab(tmp_path: Path) -> Iterator[Lab]:
    """Two units with links and no firmware, their Virtual IPs given by hand."""
    needs_root()
    with Lab(prefix=f"t{os.getpid()}", folder=tmp_path / "lab") as lab:
        lab.up(bare=True)
        for number, unit in enumerate(("a", "b"), 1):
            lab.exec(unit, ["ip", "address", "add", f"10.77.0.{number}/24", "dev", "lan"]).check_returncode()
        yield lab
