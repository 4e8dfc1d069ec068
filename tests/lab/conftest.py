"""Lab tests stand on a real lab of their own: real namespaces, links and processes, beside any other lab."""

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pluggy
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from board.lab.pair import Lab

from pairs import default_pair

__all__ = ["default_pair"]


@pytest.fixture
def bare_lab(tmp_path: Path) -> Iterator[Lab]:
    """Two units with links and no firmware, their Virtual IPs given by hand."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    with Lab(prefix=f"t{os.getpid()}", folder=tmp_path / "lab") as lab:
        lab.up(bare=True)
        for number, unit in enumerate(("a", "b"), 1):
            lab.exec(unit, ["ip", "address", "add", f"10.77.0.{number}/24", "dev", "lan"]).check_returncode()
        yield lab


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
