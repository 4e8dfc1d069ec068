# SPDX-License-Identifier: Apache-2.0
"""telephony: the daemon's part of the PBX: what the SIP application needs, and what it tells.

It keeps registrations and calls as live state (R18) from Kamailio's reports, writes the registrations out
before Kamailio starts (R22), has the configuration rendered by a process of its own whenever its settings
change, and closes the gate. Without a script of Kamailio in master.d it does nothing. Runs on the daemon's
loop; its files are in run/qx, which is memory.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from secrets import token_bytes
from typing import TYPE_CHECKING

from .. import child
from ..durable import replace_in_memory
from . import dbtext, gate
from .phones import Phones
from .registration import DIALOGS, REGISTRATIONS, SECRET, TELEPHONY, all_contacts
from .reports import Reports
from .reunion import QUESTION, Ask, Reunion

if TYPE_CHECKING:
    from ..events.log import EventLog
    from ..paths import Paths
    from ..settings.view import Settings
    from ..sync.live import LiveState
    from .applications import Applications

log = logging.getLogger("qx.telephony")

GATHER = 0.3  # seconds for which changes of settings gather before they are rendered
HELPER_TIME = 30.0
SOON = 2  # seconds: what expires within them is not handed on
KAMAILIO = "kamailio"  # as an application
CONCERNS = ("extensions.", "call.", "network.lan.address", "network.wan.address")


class Telephony:
    """`settings` gives those of the moment; `applications` has Kamailio among them; `ask` asks the other
    unit."""

    def __init__(
        self, paths: Paths, live: LiveState, events: EventLog, settings: Callable[[], Settings],
        applications: Applications, ask: Ask,
    ) -> None:  # fmt: skip
        self._paths, self._live = paths, live
        self._settings, self._applications = settings, applications
        self._reunion = Reunion(live, ask, self._join)
        self.answers = {QUESTION: self._reunion.take}
        self._reports = Reports(live, events, self._reunion.touch)
        self._rendering: asyncio.Task[None] | None = None
        self._due: asyncio.TimerHandle | None = None
        self._collecting: asyncio.Task[str | None] | None = None
        self.phones = Phones(paths, live, events)
        self.folder = paths.kamailio
        live.subscribe(TELEPHONY, self._told)
        self.installed = any(paths.master_d.glob("S??kamailio"))

    # --- life ---------------------------------------------------------------------------------------
    async def open(self, resumed: bool) -> None:
        """Before this unit may claim an address. `resumed`: the application of before still serves."""
        if not self.installed:
            return
        (self.folder / "tables").mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write_gates()
        if not resumed:
            await _run("nft", "-f", str(self.folder / "gate-closed.nft"))
        await self._reports.open()
        self._render_soon(0.0)
        if resumed:  # what the daemon before knew is gone, and Kamailio still has it
            self._collecting = asyncio.get_running_loop().create_task(self._helper("collect"))

    def close(self) -> None:
        self._reports.close()
        self._reunion.stop()
        self.phones.stop()
        for pending in (self._due, self._rendering, self._collecting):
            if pending is not None:
                pending.cancel()

    def became_master(self, took_over: bool) -> None:
        """`took_over`: another unit was Master before, and phones may be lost (R23)."""
        self._reunion.lead()
        if took_over and self.installed and not self.phones.running:
            self.phones.start()

    def not_master(self) -> None:
        """While live state is still this unit's own."""
        self.phones.stop()
        self._reunion.part()

    # --- what follows from settings -------------------------------------------------------------------
    def changed(self, paths: set[str]) -> None:
        """Settings were taken into use."""
        if self.installed and (not paths or any(path.startswith(CONCERNS) for path in paths)):
            self._render_soon(GATHER)

    def _render_soon(self, wait: float) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(wait, self._render)

    def _render(self) -> None:
        self._due = None
        if self._rendering is not None and not self._rendering.done():
            self._render_soon(GATHER)
            return
        self._rendering = asyncio.get_running_loop().create_task(self._rendered())

    async def _rendered(self) -> None:
        self._write_gates()
        changed = await self._helper("render")
        if changed:
            log.info("rendered: %s", changed)
            self._applications.reload(KAMAILIO, "kamailio.cfg" in changed.split())

    async def prepare(self) -> None:
        """Before the application starts: what it is set to, and every registration there is."""
        if not self.installed:
            return
        if SECRET not in self._live.table(TELEPHONY):
            self._live.put(TELEPHONY, SECRET, token_bytes(16))
        if self._due is not None:
            self._due.cancel()
            self._render()
        if self._rendering is not None:
            await asyncio.wait([self._rendering])
        await asyncio.get_running_loop().run_in_executor(None, self._write_location)

    def _told(self, keys: frozenset[str]) -> None:
        if SECRET in keys and self.installed:
            self._render_soon(0.0)

    # --- files ----------------------------------------------------------------------------------------
    def _write_gates(self) -> None:
        """Kamailio's script may read them now: of an empty file nft makes nothing, and says nothing."""
        settings = self._settings()
        interfaces = [settings.interface(f"network.{port}.address") for port in ("lan", "wan")]
        addresses = [one.ip for one in interfaces if one]
        for closed, name in ((True, "closed"), (False, "open")):
            text = gate.rules(addresses, settings.number("call.sip_port"), closed=closed)
            replace_in_memory(self.folder / f"gate-{name}.nft", text.encode())

    def _write_location(self) -> None:
        """Kamailio's table of registrations, and beside it how many there are."""
        began = time.monotonic()
        soon = time.time() + SOON
        contacts = all_contacts(dict(self._live.table(REGISTRATIONS)), self._reports.ahead)
        text = dbtext.location(contact for contact in contacts if contact.expires > soon)
        replace_in_memory(self.folder / "tables" / "location", text.encode())
        count = text.count("\n") - 1  # without the line of columns
        replace_in_memory(self.folder / "contacts", f"{count}\n".encode())
        log.info("%d registrations handed on in %.1f ms", count, (time.monotonic() - began) * 1e3)

    # --- processes ------------------------------------------------------------------------------------
    async def _helper(self, word: str, given: bytes | None = None) -> str | None:
        """`qx pbx WORD`: what it printed, None where it failed."""
        return await _run(*child.command("pbx", word, "--root", str(self._paths.root)), given=given)

    async def _join(self, registrations: bytes) -> bool:
        return self._applications.runs(KAMAILIO) and await self._helper("join", registrations) is not None

    def status(self) -> dict[str, object]:
        return {
            "registrations": len(self._live.table(REGISTRATIONS)),
            "calls": len(self._live.table(DIALOGS)),
            "reports_refused": self._reports.refused,
        }


async def _run(*argv: str, given: bytes | None = None) -> str | None:
    stdin = asyncio.subprocess.DEVNULL if given is None else asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=stdin, stdout=asyncio.subprocess.PIPE, env=child.environment()
        )
        async with asyncio.timeout(HELPER_TIME):
            told, _ = await process.communicate(given)
    except (OSError, TimeoutError) as error:
        log.error("%s: %s", argv[0], error)
        return None
    if process.returncode:
        log.error("%s: ended with %d", " ".join(argv[:3]), process.returncode)
        return None
    return told.decode(errors="replace").strip()
