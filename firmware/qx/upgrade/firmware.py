# SPDX-License-Identifier: Apache-2.0
"""firmware: this unit's own slots, as the upgrade of the pair uses them. Only types: `Upgrade` is the one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Protocol


class Firmware(Protocol):
    def plain(self) -> dict[str, Any] | None:
        """See `Upgrade.plain`; None on a board without slots."""
        ...

    def install(self, file: Path) -> AsyncGenerator[dict[str, Any], None]:
        """Writes the image of that file into the idle slot; its progress. Refusal says why not."""
        ...

    async def activate(self) -> dict[str, Any]:
        """The idle slot is tried at the next start."""
        ...
