# SPDX-License-Identifier: Apache-2.0
"""rack: what a campaign asks of a pair: of a lab's (lab_rack.py) or of the emulated one (vm_rack.py).

Units are "a" and "b"; both may be asked at a time. What cannot be asked raises; that is a violation of the
step in which it happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from board.lab.network import UNITS

from .judge import Pace
from .ledger import Answer
from .plan import Kind, Step
from .watch import Watch

Mend = Callable[[], object]
Write = tuple[str, str, str]  # unit, path, value
T = TypeVar("T")


def both(ask: Callable[[str], T]) -> dict[str, T]:
    """Both units' answers, asked at once: an emulated one takes seconds. What asking raises is raised."""
    with ThreadPoolExecutor(len(UNITS)) as pool:
        return dict(zip(UNITS, pool.map(ask, UNITS), strict=True))


class Calls(Protocol):
    """A call that is up while a step is done."""

    def open(self, master: str) -> None: ...
    def begin(self, master: str) -> None: ...
    def end(self) -> list[str]: ...
    def close(self) -> None: ...


class Rack(Protocol):
    option: str  # what `make campaign` is told for it
    kinds: Mapping[str, Kind]
    pace: Pace

    def pair(self) -> AbstractContextManager[object]:
        """A new pair, powered on; it is gone afterwards."""
        ...

    def watch(self) -> Watch: ...

    def calls(self) -> Calls | None: ...

    def rest(self) -> str:
        """Waits until the pair is one: in step, its Backup fit to take over. The Master's name."""
        ...

    def begin(self, step: Step, units: Sequence[str]) -> Mend:
        """Does the step's fault to these units. What it returns is called once, when the fault has lasted."""
        ...

    def write(self, write: Write) -> Answer: ...

    def writing(self, writes: Sequence[Write]) -> Callable[[], Sequence[Answer]]:
        """Begins to write them while something else happens; what it returns waits for their answers."""
        ...

    def settings(self, unit: str) -> Mapping[str, str]:
        """Extensions, by path."""
        ...

    def events(self, unit: str) -> Sequence[Mapping[str, Any]]: ...

    def shape(self, unit: str) -> dict[str, Any]:
        """As remains.py has it."""
        ...

    def keep_logs(self, folder: Path) -> None: ...
