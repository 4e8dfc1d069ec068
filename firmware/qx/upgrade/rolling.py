# SPDX-License-Identifier: Apache-2.0
"""rolling: section 9 of the guide on both units with one word (R42): the Backup, a swap, then the other.

The Master leads. It gives the image to the Backup, makes it passive, has it install and waits until it is
confirmed; then it hands what is left to the Backup and swaps. The new Master has the other one installed in
the same way and makes it active. It stops on the first problem, and an event says which and what was done;
what was not done is as it was, and the pair goes on in the roles that it has. Both halves survive a restart
of the unit that leads: the first as a stop that is told, the second goes on.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__ as FIRMWARE
from .. import durable
from ..errors import Refusal
from ..redundancy.role import Role
from .asked import CHUNK, FILE, Asked, Firmware

if TYPE_CHECKING:
    from ..redundancy.pair import Own

ASK = 10.0  # seconds for an answer; the other's flash may be slow
BACK = 900.0  # seconds for the other to install, restart and be confirmed
SWAPPED = 120.0  # seconds for the swap, as the unit sees it that is to be Master
LOOK = 1.0
EVENT = "Upgrade result"
NOTE = "rolling.json"

log = logging.getLogger("qx.upgrade")


class Rolling:
    """`begin` on the Master; `resume` once at the start of the daemon."""

    def __init__(self, unit: Own, firmware: Firmware) -> None:
        self._unit, self._firmware = unit, firmware
        self._did: list[str] = []
        self._step = ""
        self._asked = Asked(unit, firmware, self._take_over)
        unit.partner.offer(self._asked.answers)

    def plain(self) -> dict[str, Any] | None:
        """{step, did}; None where no upgrade of the pair is under way here."""
        return {"step": self._step, "did": list(self._did)} if self._step else None

    # --- the Master's half ----------------------------------------------------------------------------
    async def begin(self, file: Path, swap: Callable[[], Awaitable[str]]) -> None:
        """Does its half, with `swap` as its end; the other unit goes on then. Raises Refusal with what
        stopped it; an event was raised."""
        unit = self._unit
        if self._firmware.plain() is None:
            raise Refusal("upgrade: this board has no firmware slots")
        if self._step:
            raise Refusal("upgrade: the pair is being upgraded already; expected that to end first")
        if unit.role != Role.MASTER:
            raise Refusal(f"upgrade: this device is {unit.role}; expected the Master of a pair")
        if self._peer() is None:
            raise Refusal("upgrade: there is no session to a Backup device; expected one that is up")
        self._did = []
        try:
            await self._keep(1, "")
            own = unit.paths.upgrade / FILE
            self._step = "copy the image"
            import shutil  # noqa: PLC0415 - with its compressors half a megabyte, for this alone

            await asyncio.to_thread(shutil.copyfile, file, own)
            await self._first_half(own, swap)
        except OSError as error:
            raise await self._stopped(f"{error.filename}: {error.strerror}") from None
        except Refusal as error:
            raise await self._stopped(str(error)) from None

    async def _first_half(self, file: Path, swap: Callable[[], Awaitable[str]]) -> None:
        serial = self._peer() or ""
        self._step = f"give the image to {serial}"
        await self._give(file)
        self._done(f"{serial} has the image")
        await self._other_installs(serial)
        self._step = "swap"
        await self._ask("upgrade go on", {"did": self._did, "run": self._asked.run})
        await self._forget()
        try:
            await swap()
        finally:
            self._step = ""

    # --- the half of the unit that becomes Master -----------------------------------------------------
    def _take_over(self, did: list[str], run: str) -> None:
        self._did = did
        self._unit.spawn(self._second_half(run))

    async def _second_half(self, run: str) -> None:
        """`run`: of the other unit before the swap; it restarts by it."""
        unit, loop = self._unit, asyncio.get_running_loop()
        try:
            self._step = "swap"
            await self._keep(2, run)
            until = loop.time() + SWAPPED
            while unit.role != Role.MASTER:
                if loop.time() > until:
                    raise Refusal("the swap did not come about")
                await asyncio.sleep(0.1)
            self._done(f"{unit.identity.serial} is Master, with version {FIRMWARE}")
            until = loop.time() + BACK
            self._step = "wait for the other device"
            while not await self._restarted(run):
                if loop.time() > until:
                    raise Refusal("the other device did not come back")
                await asyncio.sleep(LOOK)
            serial = self._peer() or ""
            await self._other_installs(serial)
            self._step = f"{serial} becomes active"
            await self._ask("upgrade mode", {"mode": "active"})
            self._done(f"{serial} is active")
        except Refusal as error:
            await self._stopped(str(error))
            return
        self._step = ""
        await self._forget()
        text = f"both devices run version {FIRMWARE}: {'; '.join(self._did)}"
        unit.events.add("success", EVENT, text, "Firmware")

    async def resume(self) -> None:
        """After a start: what was under way is told, or goes on."""
        file = self._unit.paths.upgrade / NOTE
        try:
            told = json.loads(await asyncio.to_thread(file.read_text))
            half, self._did = int(told["half"]), [str(one) for one in told["did"]]
            run = str(told["run"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError):
            half, run = 1, ""
        if half == 2:
            self._unit.spawn(self._second_half(run))
        else:
            await self._stopped("this device restarted")

    async def _restarted(self, run: str) -> bool:
        try:
            return self._peer() is not None and (await self._ask("upgrade state", {}))["run"] != run
        except Refusal:
            return False

    # --- steps of both halves -------------------------------------------------------------------------
    async def _give(self, file: Path) -> None:
        at = 0
        with file.open("rb") as source:
            while octets := await asyncio.to_thread(source.read, CHUNK):
                await self._ask("upgrade put", {"offset": at, "octets": octets})
                at += len(octets)

    async def _other_installs(self, serial: str) -> None:
        self._step = f"{serial} becomes passive"
        await self._ask("upgrade mode", {"mode": "passive"})
        self._done(f"{serial} is passive")
        self._step = f"{serial} installs"
        before = await self._ask("upgrade state", {})
        await self._ask("upgrade install", {})
        version = await self._confirmed(before)
        self._done(f"{serial} runs version {version}, confirmed")

    async def _confirmed(self, before: dict[str, Any]) -> str:
        """Waits until the other unit runs the other slot for good; its version."""
        loop = asyncio.get_running_loop()
        until, told = loop.time() + BACK, before
        while loop.time() < until:
            await asyncio.sleep(LOOK)
            try:
                told = await self._ask("upgrade state", {})
            except Refusal:
                continue  # it restarts
            if told["trouble"]:
                raise Refusal(str(told["trouble"]))
            if told["state"] != "confirmed":
                continue
            if told["slot"] != before["slot"]:
                return str(told["version"])
            if told["run"] != before["run"]:
                raise Refusal("the new firmware was given up; the events of that device say why")
        raise Refusal(f"the other device was not confirmed within {BACK / 60:g} minutes")

    # --- within ---------------------------------------------------------------------------------------
    def _peer(self) -> str | None:
        peer = self._unit.partner.peer
        return peer.serial if peer is not None and peer.role == "backup" else None

    async def _ask(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return await self._unit.partner.ask(name, arguments, ASK)

    def _done(self, what: str) -> None:
        log.info("upgrade of the pair: %s", what)
        self._did.append(what)

    async def _stopped(self, why: str) -> Refusal:
        step, self._step = self._step, ""
        await self._forget()
        done = "; ".join(self._did) or "nothing"
        text = f"the upgrade of the pair stopped{f' ({step})' if step else ''}: {why}; done before: {done}"
        self._unit.events.add("critical", EVENT, text, "Firmware")
        return Refusal(f"upgrade: {text}")

    async def _keep(self, half: int, run: str) -> None:
        octets = json.dumps({"half": half, "did": self._did, "run": run}).encode()
        await asyncio.to_thread(durable.replace, self._unit.paths.upgrade / NOTE, octets)

    async def _forget(self) -> None:
        await asyncio.to_thread((self._unit.paths.upgrade / NOTE).unlink, True)
