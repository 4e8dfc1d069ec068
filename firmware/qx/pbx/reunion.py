# SPDX-License-Identifier: Apache-2.0
"""reunion: what phones told the loser of a split joins what they told the Master that stays (R10, R22).

Live state goes one way, from Master to Backup, and the copy that begins a session takes the Backup's own rows
away. So a Master notes which rows changed here while no Backup had them, with a checksum of what they were
before. When it loses its role it keeps them, and hands them to the Master once there is a session. There a
process of its own (`qx pbx join`) has Kamailio take the registrations as if the phones had sent them, so that
the newest of each contact wins by Kamailio's own rules, and the rows change by its reports as ever. The
checksum tells what the Master itself has not touched since: of that the loser's word is the last, and what
was given up there is given up here.

A Master that was started anew while its Backup was passive (the guide's sections 10 and 11) is handed in the
same way all that the Backup kept for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from zlib import crc32

from ..errors import Refusal
from ..packing import pack
from .registration import DIALOGS, REGISTRATIONS

if TYPE_CHECKING:
    from ..sync.live import LiveState

log = logging.getLogger("qx.telephony")

QUESTION = "registrations"  # as the other unit is asked
PART = 200  # rows at a time
PATIENCE = 15.0  # seconds for the Master to have taken them
AGAIN = 1.0
NOTHING = crc32(b"")  # what a row was that there was not
VOID = 3600.0  # seconds after which every registration of then has expired

Ask = Callable[[str, dict[str, Any], float], Awaitable[dict[str, Any]]]
Join = Callable[[bytes], Awaitable[bool]]


class Reunion:
    """`ask` asks the other unit; `join` hands registrations to Kamailio and says whether it took them."""

    def __init__(self, live: LiveState, ask: Ask, join: Join) -> None:
        self._live, self._ask, self._join = live, ask, join
        self._since: dict[tuple[str, str], int] = {}  # changed here while no Backup had it: what it was
        self._strays: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._passing: asyncio.Task[None] | None = None
        live.given_up = self.kept

    # --- the unit that loses its role ---------------------------------------------------------------
    def touch(self, table: str, key: str, gone: bool) -> None:
        """A row is about to change on this unit as Master, or to go."""
        where = table, key
        if self._live.in_step:
            self._since.clear()
        elif not self._since.setdefault(where, self._sum(*where)) and gone:
            del self._since[where]  # it came and went here: a day's calls must not gather

    def lead(self) -> None:
        """This unit is Master."""
        self.stop()
        self._strays.clear()

    def part(self) -> None:
        """This unit is Master no more, and its tables are still its own."""
        if self._live.in_step:
            self._since.clear()
        for (table, key), before in self._since.items():
            self._strays[table, key] = before, self._live.table(table).get(key, b"")
        self._since.clear()
        self._hand_over()

    def kept(self, tables: Mapping[str, Mapping[str, bytes]]) -> None:
        """This unit is Backup and has rows that its Master knows nothing of."""
        for table in (REGISTRATIONS, DIALOGS):
            for key, row in tables.get(table, {}).items():
                self._strays.setdefault((table, key), (NOTHING, row))
        self._hand_over()

    def _hand_over(self) -> None:
        if self._strays and (self._passing is None or self._passing.done()):
            self._passing = asyncio.get_running_loop().create_task(self._pass())

    def stop(self) -> None:
        if self._passing:
            self._passing.cancel()

    async def _pass(self) -> None:
        until = time.monotonic() + VOID
        while self._strays and time.monotonic() < until:
            part = dict(list(self._strays.items())[:PART])
            rows = tuple((*where, *row) for where, row in part.items())
            try:
                await self._ask(QUESTION, {"now": time.time(), "rows": rows}, PATIENCE)
            except Refusal as error:
                log.debug("%d rows of the split wait: %s", len(self._strays), error)
                await asyncio.sleep(AGAIN)
                continue
            for where in part:
                del self._strays[where]
        self._strays.clear()

    # --- the Master that stays ----------------------------------------------------------------------
    async def take(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answers QUESTION: now, the asking unit's wall clock; rows of (table, key, checksum, value), the
        value empty where there is none any more. Raises Refusal where they cannot be taken."""
        match arguments:
            case {"now": float(now), "rows": tuple(rows)} if all(map(_sound, rows)):
                pass
            case _:
                raise Refusal(f"{QUESTION}: expected the time, and rows of table, key, checksum and value")
        ahead = time.time() - now
        registrations = [
            (key, before == self._sum(table, key), value)
            for table, key, before, value in rows
            if table == REGISTRATIONS
        ]
        for table, key, before, value in rows:
            if table == DIALOGS and before == self._sum(table, key):
                if value:
                    self._live.put(table, key, value)
                else:
                    self._live.drop(table, key)
        if registrations and not await self._join(pack((ahead, registrations))):
            raise Refusal(f"{QUESTION}: Kamailio does not take them; expected it to run")
        log.info("%d rows of the other unit's time as Master joined", len(rows))
        return {"taken": len(rows)}

    def _sum(self, table: str, key: str) -> int:
        return crc32(self._live.table(table).get(key, b""))


def _sound(row: Any) -> bool:
    match row:
        case (str(), str(), int(), bytes()):
            return True
        case _:
            return False
