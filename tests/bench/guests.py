# SPDX-License-Identifier: Apache-2.0
"""rsync, csync2 and lsyncd on the product's pair: each carries the same changes, one after the other.

rsync and csync2 copy the product's own tree. lsyncd follows whatever happens, so it has a tree of its own, in
which a change is made when its turn has come.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from board.lab.namespace import LabError
from board.lab.pair import Lab

from .csync2 import CSYNC2, Csync2
from .figures import PRODUCT, RSYNC
from .lsyncd import LSYNCD, Lsyncd
from .rsync import Rsync, Run

COPIERS = (PRODUCT, RSYNC, CSYNC2, LSYNCD)
NOT_VOICE = ("--exclude=/.sync", "--exclude=/.trash")  # what the product has of its own in the tree


@dataclass(frozen=True)
class Change:
    """What is done to a tree, and whether all of it is in a copy."""

    make: Callable[[Path], None]
    there: Callable[[Path], bool]


class Guests:
    """`tree` is what is copied from unit `source` to unit `target`, `own` (empty) lsyncd's own. A context
    manager."""

    def __init__(
        self,
        lab: Lab,
        source: str,
        target: str,
        folder: Path,
        tree: Path,
        own: Path,
        options: tuple[str, ...],
    ) -> None:
        self._tree, self._options = tree, options
        with ExitStack() as stack:
            self._rsync = stack.enter_context(Rsync(lab, source, target, folder / "rsync"))
            self._csync2 = stack.enter_context(Csync2(lab, source, target, folder / "csync2", tree))
            self._lsyncd = stack.enter_context(Lsyncd(lab, source, target, folder / "lsyncd", own))
            self._running = stack.pop_all()

    def __enter__(self) -> "Guests":
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def carry(self, change: Change) -> dict[str, Run]:
        """The change is in the tree already. Nothing is on its way to the disk when one begins. Ends with the
        second: all three tell a change by size and by seconds, and would pass over the next one otherwise.
        LabError: one said that it is done, and its copy does not hold the change."""
        found: dict[str, Run] = {}
        for who, copy, run in (
            (RSYNC, self._rsync.tree("copy"), self._copy),
            (CSYNC2, self._csync2.copy, self._csync2.run),
            (LSYNCD, self._lsyncd.copy, lambda: self._lsyncd.follow(change.make, change.there)),
        ):
            os.sync()
            found[who] = run()
            if not change.there(copy):
                raise LabError(f"{who}: the change is not in its copy")
        time.sleep(1.0 - time.time() % 1.0)
        return found

    def compare(self) -> dict[str, Run]:
        """Nothing is changed."""
        return {RSYNC: self._copy(), CSYNC2: self._csync2.run(), LSYNCD: self._lsyncd.compare()}

    def _copy(self) -> Run:
        return self._rsync.run(self._tree, "copy", *self._options)
