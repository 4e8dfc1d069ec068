# SPDX-License-Identifier: Apache-2.0
"""doors: where the pages are served: HTTP, HTTPS, and in a pair the passage between the two units.

What has to be open follows role and settings; it is looked at every LOOK seconds, and what cannot be opened
(a port that is taken, an address that is not there yet) is tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from .. import ports
from ..board import Board
from ..errors import Refusal
from ..trust.files import Damaged
from . import certificate, passage
from .connections import Connections, Stream, listening
from .site import Site
from .stamp import stamp

log = logging.getLogger("qx.web")

LOOK = 2.0  # seconds
SETTINGS = ("redundancy.virtual_ip", "redundancy.peer_virtual_ip", "redundancy.backup_gui_port")

Opening = Callable[[], Awaitable[asyncio.Task[None]]]


class Doors:
    def __init__(self, site: Site, board: Board) -> None:
        self._site, self._board = site, board
        self._pages = Connections(site.answer)
        self._open: dict[str, tuple[object, asyncio.Task[None]]] = {}  # by name: what for, and the listener
        self._said: dict[str, str] = {}
        paths = site.unit.paths
        self._trust, self._own = paths.trust, paths.pages_pem

    async def keep(self) -> None:
        """Opens and closes, for ever."""
        while True:
            await self._door("http", self._board.http_port, self._http)
            await self._door("https", self._served(), self._https)
            with suppress(Refusal):  # the daemon starts, or has gone
                await self._pair()
            await asyncio.sleep(LOOK)

    async def _pair(self) -> None:
        status = await self._site.unit.ask("status")
        member = status.get("role") in ("master", "backup")
        values = await self._site.unit.values("redundancy") if member else {}
        where = await asyncio.to_thread(passage.place, self._trust, values) if member else None
        port = values.get("redundancy.backup_gui_port", "")
        leads = where is not None and status.get("role") == "master" and port.isdigit()
        await self._door("passage", where, lambda: self._inward(where))
        await self._door(
            "backup's pages", (where, port) if leads else None, lambda: self._outward(where, port)
        )

    async def _door(self, name: str, wanted: object, opening: Opening) -> None:
        """Open for `wanted`, or closed without it."""
        found = self._open.get(name)
        if found and (found[0] != wanted or found[1].done()):
            found[1].cancel()
            await asyncio.wait((found[1],))
            del self._open[name]
            found = None
        if found or wanted is None:
            return
        try:
            self._open[name] = wanted, await opening()
            self._said.pop(name, None)
        except (OSError, Refusal, Damaged) as error:
            why = getattr(error, "strerror", None) or str(error)
            if self._said.get(name) != why:
                log.error("%s: %s; tried again every %g s", name, why, LOOK)
            self._said[name] = why

    async def _http(self) -> asyncio.Task[None]:
        return self._pages.listen(listening("", self._board.http_port))

    def _served(self) -> object:
        """What the door of HTTPS is open for."""
        return self._board.https_port, stamp(self._own)

    async def _https(self) -> asyncio.Task[None]:
        context = await certificate.ready(self._own, self._site.identity.serial)
        task = self._pages.listen(listening("", self._board.https_port), context)
        self._said.pop("https", None)
        # The file may just have been made.
        asyncio.get_running_loop().call_soon(self._note_https)
        return task

    def _note_https(self) -> None:
        found = self._open.get("https")
        if found:
            self._open["https"] = self._served(), found[1]

    async def _inward(self, where: passage.Place | None) -> asyncio.Task[None]:
        assert where
        context = await asyncio.to_thread(
            passage.context, self._trust, self._site.identity.serial, where, True
        )

        async def first(stream: Stream) -> None:
            await passage.introduced(stream, where.pin)
            stream.through = True

        return self._pages.listen(listening(where.own, ports.PASSAGE), context, first)

    async def _outward(self, where: passage.Place | None, port: str) -> asyncio.Task[None]:
        assert where
        context = await asyncio.to_thread(
            passage.context, self._trust, self._site.identity.serial, where, False
        )

        async def answer(stream: Stream) -> None:
            await passage.carry(stream, where, context)

        return Connections(answer, passage.PLACES).listen(listening("", int(port)))
