# SPDX-License-Identifier: Apache-2.0
"""host: what the connections of a session want of it. Only types; Session is the one host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .credentials import Credentials
    from .hello import PeerHello
    from .link import Link
    from .talk import End


class Host(Protocol):
    """Called on the loop; nothing of it may wait."""

    credentials: Credentials

    def hello(self) -> PeerHello:
        """What this unit says of itself now."""
        ...

    # --- of attempts ----------------------------------------------------------------------------------------
    def trouble(self, why: str) -> None:
        """Why there is no session, in a line for people."""
        ...

    def refuse(self, source: str, error: Exception) -> None:
        """Whoever is at that address has not authenticated: counted, told once an hour."""
        ...

    # --- of a session ---------------------------------------------------------------------------------------
    def opened(self, link: Link) -> None: ...

    def changed(self, link: Link) -> None:
        """The peer's role, mode or term is another."""
        ...

    def brought(self, link: Link, kind: int, body: Any) -> None:
        """A message that is not of the session's own kinds. Raises BadMessage."""
        ...

    def ended(self, link: Link, end: End) -> None:
        """Once, and only after `opened`."""
        ...
