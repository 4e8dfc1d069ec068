# SPDX-License-Identifier: Apache-2.0
"""journal: the events on flash: msgpack records one after another, written by a thread of its own.

What has gathered is written together and flushed once. A torn tail (power went while writing) costs the torn
record only and is written over. When the file has grown to twice what it was when it was written whole, it is
written whole again beside the old one and takes its place. When flash refuses, records wait in memory, and
where too many do the file is written whole as soon as it works again. Knows nothing of what the records say.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import durable
from ..gathering import Gathering
from ..packing import pack, unpack_all

if TYPE_CHECKING:
    from pathlib import Path

GROWN = 256 << 10  # octets that the file may always have before it is written whole
RETRY = 5.0  # seconds before a write that failed is tried again
PENDING_MAX = 1000  # records that wait for flash at most

Record = dict[str, Any]


class Journal:
    """`whole()` gives the records that make the whole file; it is called in the journal's thread. `gather`:
    seconds for which records gather."""

    def __init__(self, file: Path, gather: float, whole: Callable[[], list[Record]]) -> None:
        self._file, self._whole = file, whole
        self._gathering = Gathering("events", self._work, gather, RETRY)
        self._lock = threading.Lock()
        self._pending: list[Record] = []
        self._anew = False  # too much waits: the whole file is to be written
        self._good = 0  # octets that are whole records
        self._least = 0  # of the file when it was last written whole
        self.trouble = ""  # why the last write failed; empty when it did not

    def read(self) -> list[Record]:
        """The records of the file; an unreadable log must not keep a PBX from starting. Once, first."""
        try:
            octets = self._file.read_bytes()
        except OSError:
            return []
        values, self._good = unpack_all(octets)
        return [value for value in values if isinstance(value, dict)]

    def write(self, record: Record) -> None:
        """Never waits."""
        with self._lock:
            if len(self._pending) < PENDING_MAX:
                self._pending.append(record)
            else:
                self._anew = True
        self._gathering.ask()

    def settled(self, seconds: float) -> bool:
        """Waits until all is on flash; for a worker thread."""
        return self._gathering.settled(seconds)

    def close(self) -> None:
        """Writes what has gathered and ends the writer. Waits for flash; call it from a worker thread."""
        self._gathering.close()

    # --- the writer's thread ------------------------------------------------------------------------
    def _work(self) -> bool:
        with self._lock:
            batch, self._pending = self._pending, []
            anew, self._anew = self._anew, False
        try:
            if anew or self._good > max(GROWN, 2 * self._least):
                self._write_whole()
            else:
                self._append(batch)
            self.trouble = ""
        except OSError as error:
            self.trouble = f"{self._file}: {error.strerror}"
            with self._lock:
                self._pending = batch + self._pending
                self._anew |= anew or len(self._pending) > PENDING_MAX
                del self._pending[PENDING_MAX:]
        return not self.trouble

    def _append(self, batch: list[Record]) -> None:
        """Behind what is good, so neither a torn tail nor a write that failed half way stays."""
        if not batch:
            return
        octets = b"".join(pack(record) for record in batch)
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(handle, self._good)
            durable.write_at(handle, octets, self._good)
            os.fdatasync(handle)
        finally:
            os.close(handle)
        self._good += len(octets)

    def _write_whole(self) -> None:
        octets = b"".join(pack(record) for record in self._whole())
        durable.replace(self._file, octets)
        self._good = self._least = len(octets)
