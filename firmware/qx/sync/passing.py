# SPDX-License-Identifier: Apache-2.0
"""passing: conflict snapshots of the Backup go to the Master as well, where the administrator is (R10).

A Backup's settings are read-only, so what is to be merged must be on the Master; and a copy on each unit
outlives the replacement of one. `Giver` is the Backup's side, `Taker` the Master's. What the Master has taken
is noted in the store (unit_state), so that it comes once, and not again when somebody dropped it there.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..errors import Refusal
from ..redundancy.peer.message import BadMessage
from ..redundancy.peer.part import Channel
from ..redundancy.peer.wire import Ended
from . import messages
from .conflicts import KEPT_MAX, SIZE_MAX, BadConflict, Kept, parse
from .means import Means
from .messages import Part, Taken
from .staging import CHUNK, digest_of

PASSED = "conflicts_passed"  # in unit_state: digests of what the other unit has taken


class Giver:
    """One at a time, each until the Master has it durable."""

    def __init__(self, means: Means, channel: Channel) -> None:
        self._means = means
        self._channel = channel
        self._taken: asyncio.Future[bytes] | None = None
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """There may be something to pass on."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._give())

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def heard(self, taken: Taken) -> None:
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(taken.digest)

    async def _give(self) -> None:
        try:
            for found in await asyncio.to_thread(self._means.conflicts.found):
                if found.conflict is not None and found.conflict.unit == self._means.unit:
                    await self._give_one(found.number)
        except (Ended, Refusal, OSError):
            pass  # the session is over, or it was dropped meanwhile; a damaged one is listed as such

    async def _give_one(self, number: int) -> None:
        octets = await asyncio.to_thread(self._means.conflicts.octets, number)
        digest = await asyncio.to_thread(digest_of, octets)
        passed: tuple[bytes, ...] = self._means.store.unit_state_get(PASSED, ())
        if digest in passed:
            return
        self._taken = asyncio.get_running_loop().create_future()
        for offset in range(0, len(octets), CHUNK):
            await self._channel.room()
            part = octets[offset : offset + CHUNK]
            self._channel.send(messages.CONFLICT, (digest, len(octets), offset, part), bulk=True)
        if await self._taken == digest:
            note: dict[str, Any] = {PASSED: (*passed, digest)[-2 * KEPT_MAX :]}
            await self._means.run_in_store(lambda store: store.unit_state_put(note))


class Taker:
    def __init__(self, means: Means, channel: Channel) -> None:
        self._means = means
        self._channel = channel
        self._digest = b""
        self._content = bytearray()
        self._task: asyncio.Task[None] | None = None

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def heard(self, part: Part) -> None:
        """Raises BadMessage for what does not follow."""
        if part.offset == 0:
            self._digest, self._content = part.digest, bytearray()
        if (part.digest, part.offset) != (self._digest, len(self._content)) or part.of > SIZE_MAX:
            raise BadMessage(f"settings: octet {part.offset} of a conflict snapshot; expected the next")
        self._content += part.octets
        if len(self._content) == part.of:
            content, self._content = bytes(self._content), bytearray()
            self._task = asyncio.get_running_loop().create_task(self._keep(content, part.digest))

    async def _keep(self, content: bytes, digest: bytes) -> None:
        try:
            kept = await asyncio.to_thread(self._kept, content, digest)
        except BadConflict as error:
            self._means.tell("warning", "Conflict snapshot", f"of the other unit: {error}")
            return
        except OSError as error:
            why = f"of the other unit, not kept here: {error.strerror}; it is kept there"
            self._means.tell("warning", "Conflict snapshot", why)
            return
        for number in kept.dropped:
            dropped = f"conflict {number}: the oldest of too many"
            self._means.tell("warning", "Conflict snapshot dropped", dropped)
        if not kept.again:
            about = f"conflict {kept.number}: of {self._channel.peer.serial}, to be looked at and merged here"
            self._means.tell("warning", "Conflict snapshot", about)
        self._channel.send(messages.TAKEN, (digest,))

    def _kept(self, content: bytes, digest: bytes) -> Kept:
        """In a worker thread."""
        if digest_of(content) != digest:
            raise BadConflict("conflict snapshot: with another digest; expected it as announced")
        return self._means.conflicts.keep(parse(content))
