# SPDX-License-Identifier: Apache-2.0
"""Work in threads of its own for as long as a `with` block runs: what watches a pair, or writes on it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self


class Background:
    """Each work returns soon after `_over` is set; `_close` follows when all have."""

    def __init__(self, *works: Callable[[], None]) -> None:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._close()

    def _close(self) -> None:
        """What the work used."""
