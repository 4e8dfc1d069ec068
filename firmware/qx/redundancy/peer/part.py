# SPDX-License-Identifier: Apache-2.0
"""part: what takes part in the session: settings, voice data, live state, roles. Only types.

A part has a range of message kinds (message.py). The session calls it on the daemon's loop; nothing of it may
wait there. A part holds its channel from `started` to `ended`, and both units start all parts at once, so
whoever leads may speak first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .hello import PeerHello


class Channel(Protocol):
    """The authenticated session, as a part sees it."""

    @property
    def peer(self) -> PeerHello:
        """What the peer's hello says, as of now: serial, firmware, role, mode, term."""
        ...

    def send(self, kind: int, body: Any, *, bulk: bool = False) -> None:
        """Queues a message of a kind of the part's own range; never waits (wire.Wire.send)."""
        ...

    async def room(self) -> None:
        """Waits until few bulky octets wait to go out. Raises wire.Ended."""
        ...


class Part(Protocol):
    kinds: range

    def started(self, channel: Channel) -> None:
        """A session is up, both ends authenticated and compared."""
        ...

    def received(self, kind: int, body: Any) -> None:
        """A message of one of `kinds`. Raises BadMessage where its body has not the right shape: the session
        ends then."""
        ...

    def ended(self) -> None:
        """The session is over; nothing of it comes any more. What was not acknowledged crosses anew."""
        ...
