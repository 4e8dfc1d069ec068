# SPDX-License-Identifier: Apache-2.0
"""reports: the daemon's ear for Kamailio: datagrams on loopback become rows of live state (R18).

Only processes of this unit can send to loopback. A report that cannot be read is counted and changes nothing;
one that is lost is made good when the phone registers again. On a Backup nothing is taken: its rows are the
Master's.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import ports
from ..errors import Refusal
from ..packing import NotPacked, pack, unpack
from .registration import (
    CLOCK,
    DIALOGS,
    REGISTRATIONS,
    TELEPHONY,
    BadReport,
    Banned,
    Dialog,
    Ended,
    Registered,
    contacts_of,
    contacts_row,
    dialog_of,
    dialog_row,
    report,
)

if TYPE_CHECKING:
    from ..events.log import EventLog
    from ..sync.live import LiveState

log = logging.getLogger("qx.telephony")

TICK = 10.0  # seconds between two rows of the Master's clock, so that expiry times keep their meaning
TICKS = 3  # the quickest of so many counts: the others waited somewhere
SWEEP = 6  # ticks between two looks for rows that are over
GRACE = 60  # seconds that an expired registration is kept
LONGEST = 12 * 3600  # seconds after which a call whose end was never seen is forgotten
ROOM = 1 << 20  # octets of the socket: 2,000 phones that register at once


class Reports(asyncio.DatagramProtocol):
    """`touch(table, key, gone)` is told of a row before it changes."""

    def __init__(self, live: LiveState, events: EventLog, touch: Callable[[str, str, bool], None]) -> None:
        self._live, self._events, self._touch = live, events, touch
        self._transport: asyncio.BaseTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = 0
        self._delays: deque[float] = deque(maxlen=TICKS)
        self.refused = 0
        live.subscribe(TELEPHONY, self._clock)

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: self, local_addr=("127.0.0.1", ports.REPORTS)
            )
        except OSError as error:
            log.error("127.0.0.1:%d: %s: registrations do not cross", ports.REPORTS, error.strerror)
        self._tick()

    def close(self) -> None:
        if self._transport:
            self._transport.close()
        if self._timer:
            self._timer.cancel()

    @property
    def ahead(self) -> float:
        """By how many seconds this unit's clock is ahead of the one that wrote the rows; 0 where it wrote
        them itself."""
        return min(self._delays) if self._delays else 0.0

    # --- what comes ---------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(1, 33, ROOM)  # SOL_SOCKET, SO_RCVBUFFORCE: beyond net.core.rmem_max

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002 - of the protocol
        try:
            self._take(data)
        except (BadReport, Refusal) as error:
            self.refused += 1
            log.debug("a report was refused: %s", error)

    def _take(self, data: bytes) -> None:
        match report(data, time.time()):
            case Registered(aor, contacts):
                self._put(REGISTRATIONS, aor, contacts_row(contacts) if contacts else None)
            case Dialog() as dialog:
                self._put(DIALOGS, dialog.call_id, dialog_row(dialog))
            case Ended(call_id):
                self._put(DIALOGS, call_id, None)
            case Banned(address, user):
                text = f"{address} is banned for wrong credentials, at last for {user}"
                self._events.add("warning", "Registration refused", text, "Security")

    def _put(self, table: str, key: str, value: bytes | None) -> None:
        self._touch(table, key, value is None)
        if value is None:
            self._live.drop(table, key)
        else:
            self._live.put(table, key, value)

    # --- time ---------------------------------------------------------------------------------------
    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK, self._tick)
        self._ticks += 1
        try:
            self._live.put(TELEPHONY, CLOCK, pack(time.time()))
            if self._ticks % SWEEP == 0:
                self._sweep()
        except Refusal:
            pass  # a Backup

    def _clock(self, keys: frozenset[str]) -> None:
        row = self._live.table(TELEPHONY).get(CLOCK) if CLOCK in keys else None
        try:
            now = unpack(row) if row else None
        except NotPacked:
            return
        if isinstance(now, float):
            self._delays.append(time.time() - now)

    def _sweep(self) -> None:
        """What is over and nobody said so."""
        now = time.time()
        for aor, row in list(self._live.table(REGISTRATIONS).items()):
            if all(contact.expires + GRACE < now for contact in contacts_of(aor, row)):
                self._put(REGISTRATIONS, aor, None)
        for call_id, row in list(self._live.table(DIALOGS).items()):
            if dialog_of(call_id, row).since + LONGEST < now:
                self._put(DIALOGS, call_id, None)
