# SPDX-License-Identifier: Apache-2.0
"""notice: what the store has to tell, as an event's words; whoever opened it raises the event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Notice:
    severity: Literal["warning", "critical"]
    name: str
    description: str

    def plain(self) -> tuple[str, str, str]:
        return (self.severity, self.name, self.description)


def read(value: Any) -> Notice:
    """What `plain` gave."""
    severity, name, description = value
    return Notice("critical" if severity == "critical" else "warning", str(name), str(description))
