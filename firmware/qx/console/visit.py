# SPDX-License-Identifier: Apache-2.0
"""visit: what a page knows: the screen, the daemon, and who is logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..control import client

if TYPE_CHECKING:
    from ..paths import Paths
    from .screen import Screen

WAIT = 90.0  # seconds; a swap lets cross what has not


class Visit:
    def __init__(self, paths: Paths, screen: Screen, user: str = "", role: str = "") -> None:
        self.paths, self.screen = paths, screen
        self.user, self.role = user, role

    @property
    def administrator(self) -> bool:
        return self.role == "administrator"

    @property
    def who(self) -> str:
        """In the log of changes."""
        return f"{self.user} (console)"

    def call(self, operation: str, arguments: dict[str, Any] | None = None) -> Any:
        """Asks the daemon and shows that it works. Raises Refusal."""
        return self.screen.during(lambda: client.call(self.paths, operation, arguments or {}, WAIT))

    def heading(self, title: str) -> None:
        self.screen.say()
        title = self.screen.words(title)
        self.screen.say(title)
        self.screen.say("-" * len(title))
