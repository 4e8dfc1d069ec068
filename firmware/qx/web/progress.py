# SPDX-License-Identifier: Apache-2.0
"""progress: what a takeover that is under way has done so far (R24), from a status and the run of the phones.
Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAMED = 20  # phones that are named


@dataclass(frozen=True, slots=True)
class Progress:
    started: int  # applications
    applications: int
    done: int  # phones
    phones: int
    manual: tuple[str, ...]  # phones that somebody has to restart by hand
    under_way: bool

    @property
    def more(self) -> int:
        """Phones to be restarted by hand that are not named."""
        return max(0, len(self.manual) - NAMED)

    @property
    def named(self) -> tuple[str, ...]:
        return self.manual[:NAMED]


def progress(status: Mapping[str, Any], phones: Mapping[str, Any]) -> Progress | None:
    """None where nothing is under way and nothing needs a hand."""
    applications = status.get("applications") or ()
    serves = status.get("role") in ("master", "standalone")
    started = sum(one.get("state") == "running" for one in applications)
    waits = serves and any(one.get("state") in ("starting", "stopped") for one in applications)
    manual = tuple(str(name) for name in phones.get("manual") or ())
    under_way = waits or bool(phones.get("running"))
    if not under_way and not manual:
        return None
    done, total = int(phones.get("done") or 0), int(phones.get("total") or 0)
    return Progress(started, len(applications), done, total, manual, under_way)
