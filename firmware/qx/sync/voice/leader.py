# SPDX-License-Identifier: Apache-2.0
"""leader: the Master's side of voice data in one session: tells what changed, and hears what the Backup has.

Changes go out one by one while the Backup keeps up with them; where it does not, it is told the root alone,
and compares. The files that only the Backup has are taken from it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from ...errors import Refusal
from ...redundancy.peer.message import BadMessage
from ...redundancy.peer.part import Channel
from . import messages
from .manifest import Manifest, State
from .messages import Entry
from .session import WINDOW, Counts, Job, Means, Session


class Leader(Session):
    def __init__(self, means: Means, channel: Channel) -> None:
        super().__init__(means, channel)
        self._number = self._acked = 0  # of the STATE and CHANGES: the last one, and what is durable there
        self._behind = False  # something was not told one by one: a comparison is due
        self._their_root = b""
        self._asked_root = b""  # when the last STATE was told
        self._theirs: Counts = (0, 0)
        self.their_trouble = ""

    @property
    def in_step(self) -> bool:
        return (
            not self._behind
            and self._acked == self._number
            and self._their_root == self._stock.rows.root
            and not self._looking.scanner.held
        )

    def left(self) -> str:
        """What the Backup lacks, for people."""
        files = max(self._stock.rows.files - self._theirs[0], 0)
        octets = max(self._stock.rows.octets - self._theirs[1], 0)
        why = f" ({self.their_trouble})" if self.their_trouble else ""
        return f"{files} files, {octets} octets have not crossed" + (
            why if files or why else ", or changes of some"
        )

    def _crossed(self) -> tuple[Counts, Counts]:
        return self._theirs, (self._stock.rows.files, self._stock.rows.octets)

    # --- what the Backup is told --------------------------------------------------------------------------
    def stand(self) -> None:
        rows = self._stock.rows
        self._number += 1
        self._behind = False
        self._asked_root = self._their_root
        self._began = self._began if self._began[0] else (asyncio.get_running_loop().time(), 0)
        self._channel.send(messages.STATE, (self._number, rows.root, rows.files, rows.octets))

    def publish(self, entries: list[Entry], gone: list[bytes]) -> None:
        if self._behind or self._number - self._acked >= WINDOW:
            self._behind = True
            return
        self._number += 1
        more = self._looking.scanner.telling
        root = bytes(messages.HASH_SIZE) if more else self._stock.rows.root
        self._channel.send(messages.CHANGES, (self._number, root, tuple(entries), tuple(gone)))

    # --- what the Backup says -----------------------------------------------------------------------------
    def _heard(self, kind: int, fields: tuple[Any, ...]) -> None:
        match kind:
            case messages.AT:
                self._acknowledged(*fields)
            case messages.FOLDERS_WANTED | messages.ENTRIES_WANTED:
                self._source.asked(kind, fields)
            case messages.HERE:
                self.stand()
            case messages.DOUBT:
                self._stock.begin(self._read_again(fields[0]))
            case messages.SURPLUS:
                self._job(kind, fields)
            case messages.TROUBLE:
                self.their_trouble = fields[0]
            case _:
                pass  # of the other role

    def _acknowledged(self, number: int, root: bytes, files: int, octets: int) -> None:
        if number > self._number:
            raise BadMessage(f"voice: acknowledged {number}; expected at most {self._number}")
        begun = not self._their_root
        self._acked = max(self._acked, number)
        self._their_root, self._theirs = root, (files, octets)
        if begun and self._began[0]:
            self._began = (self._began[0], octets)
        if number < self._number:
            return
        if self._behind:
            self.stand()
        elif root == self._stock.rows.root:
            self._began = (0.0, 0)
            self.their_trouble = ""
            self._stock.begin(self._equal(root))
        elif root != self._asked_root:  # it got on since it was asked: further
            self.stand()

    async def _equal(self, root: bytes) -> None:
        with suppress(Refusal):
            await self._stock.equal(root)

    async def _read_again(self, path: bytes) -> None:
        """The Backup read other content than the row says."""
        await self._stock.in_manifest(lambda m: _unsettle(m, path))
        self._looking.again(path)

    # --- files that only the Backup has -------------------------------------------------------------------
    async def _do(self, job: Job) -> None:
        _, (entries,) = job
        await self._stock.ready()
        before = self._stock.rows.files
        await self._sink.take(list(entries), [], uniting=True)
        await self._sink.settled()
        self._channel.send(messages.TAKEN, (max(self._stock.rows.files - before, 0),))

    def _gave_up(self) -> None:
        self._channel.send(messages.TAKEN, (0,))


def _unsettle(manifest: Manifest, path: bytes) -> None:
    row = manifest.row(path)
    if row is not None and row.live:
        with manifest.moving() as move:
            move.mark(path, State.UNSETTLED)
