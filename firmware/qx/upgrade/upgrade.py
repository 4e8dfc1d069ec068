# SPDX-License-Identifier: Apache-2.0
"""upgrade: the daemon's side of firmware: an installation at a time, the switch, and the slot on trial.

On the daemon's loop, which waits for no flash: the installation is a process of its own (`qx flash`), the
environment is written in a thread. Decides nothing that trial, image or slots decide.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__ as FIRMWARE
from .. import child, durable
from ..errors import Refusal
from ..packing import NotPacked, pack, unpack
from .hardware import times
from .rolling import Rolling
from .slots import Slots
from .start import forget_copy
from .trial import Trial, ailment, baseline
from .version import FLOOR

if TYPE_CHECKING:
    from ..redundancy.pair import Own
    from .environment import Environment

LOOK = 1.0  # seconds between two looks at a slot on trial
EVENT = "Upgrade result"

log = logging.getLogger("qx.upgrade")


class Upgrade:
    """The firmware of this unit; `slots` is None on a board that has none."""

    def __init__(self, unit: Own, slots: Slots | None) -> None:
        self._unit, self._slots = unit, slots
        self._environment = slots.read() if slots else None
        self._idle = slots.known(slots.idle) if slots else None
        self._process: asyncio.subprocess.Process | None = None
        self._progress: dict[str, Any] | None = None
        self._ailing = ""
        self.rolling = Rolling(unit, self)

    def plain(self) -> dict[str, Any] | None:
        """{version, floor, slot, state, tries, idle: {slot, version, state}, progress, ailing, rolling}; None
        on a board without slots. `state` is confirmed, trial, or activated (the other slot starts next)."""
        slots, idle = self._slots, self._idle
        if slots is None or idle is None:
            return None
        variables = self._environment.variables if self._environment else {}
        state = "confirmed"
        if "tries" in variables:
            state = "trial" if variables.get("slot") == slots.running else "activated"
        return {
            "version": FIRMWARE,
            "floor": FLOOR,
            "slot": slots.running,
            "state": state,
            "tries": int(variables["tries"]) if variables.get("tries", "").isdigit() else None,
            "idle": {"slot": slots.idle, "version": idle.version, "state": idle.state},
            "progress": self._progress,
            "ailing": self._ailing or None,
            "rolling": self.rolling.plain(),
        }

    # --- what operations ask --------------------------------------------------------------------------
    async def install(self, file: Path) -> AsyncGenerator[dict[str, Any], None]:
        """Writes the image of that file into the idle slot: {step, percent} while it works, {version, slot}
        in the end. Who leaves before interrupts it, which harms nothing. Raises Refusal that says why not."""
        slots = self._expected()
        if self._process is not None:
            raise Refusal("upgrade: an installation is under way; expected it to end first")
        if (self.plain() or {}).get("state") == "trial":
            raise Refusal("upgrade: this firmware is on trial; expected it to be confirmed first")
        root = str(self._unit.paths.root)
        self._process = process = await asyncio.create_subprocess_exec(
            *child.command("flash", str(file), "--root", root), env=child.environment(),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stdout and process.stderr
            async for line in process.stdout:
                self._progress = told = json.loads(line)
                yield told
            words = (await process.stderr.read()).decode(errors="replace").strip()
            if await process.wait():
                why = words.removeprefix("qx: ").splitlines()[-1:] or [
                    "the installation ended without a word"
                ]
                raise Refusal(why[0])
        except Refusal as error:
            self._unit.events.add("warning", EVENT, str(error), "Firmware")
            raise
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            self._process = self._progress = None
            self._idle = await asyncio.to_thread(slots.known, slots.idle)

    async def activate(self) -> dict[str, Any]:
        """The idle slot is tried at the next start. Result: `plain()`. The restart is asked for apart."""
        slots = self._expected()
        if self._process is not None:
            raise Refusal("upgrade: an installation is under way; expected it to end first")
        before = pack(baseline(self._unit.status()))

        def write() -> Environment | None:
            slots.activate()
            durable.replace(self._unit.paths.upgrade / "before", before)
            return slots.read()

        self._environment = await _in_thread(write)
        return self.plain() or {}

    async def confirm(self) -> dict[str, Any]:
        """Somebody says that the firmware on trial is well; or takes an activation back. Result:
        `plain()`."""
        self._expected()
        state = (self.plain() or {})["state"]
        if state == "confirmed":
            raise Refusal("upgrade: nothing is on trial; this firmware is confirmed")
        await self._stay("confirmed by hand" if state == "trial" else "")
        return self.plain() or {}

    def _expected(self) -> Slots:
        if self._slots is None:
            raise Refusal("upgrade: this board has no firmware slots")
        return self._slots

    # --- the slot on trial ----------------------------------------------------------------------------
    async def run(self) -> None:
        """Tells what the boot loader did, and judges a slot on trial. Until it is cancelled or there is
        nothing more to do."""
        slots = self._slots
        if slots is None:
            return
        await self._tell_failed(slots)
        await self.rolling.resume()
        if (self.plain() or {}).get("state") != "trial":
            return
        loop = asyncio.get_running_loop()
        before = await asyncio.to_thread(self._before)
        trial = Trial(loop.time(), *times(self._unit.paths))
        while (self.plain() or {}).get("state") == "trial":
            self._ailing = ailment(self._unit.status(), before)
            match trial.look(loop.time(), self._ailing):
                case "confirm":
                    await self._stay("healthy")
                case "back":
                    await self._go_back(slots, self._ailing)
                    return
                case _:
                    await asyncio.sleep(LOOK)

    def _before(self) -> dict[str, Any]:
        try:
            found = unpack((self._unit.paths.upgrade / "before").read_bytes())
            return found if isinstance(found, dict) else {}
        except (OSError, NotPacked):
            return {}

    async def _stay(self, how: str) -> None:
        slots, paths = self._expected(), self._unit.paths

        def write() -> Environment | None:
            slots.stay()
            forget_copy(paths)
            return slots.read()

        self._environment = await _in_thread(write)
        self._ailing = ""
        if how:
            text = f"version {FIRMWARE} runs in slot {slots.running}: {how}"
            self._unit.events.add("success", EVENT, text, "Firmware")

    async def _go_back(self, slots: Slots, why: str) -> None:
        """The other slot starts again, and tells why."""

        def write() -> None:
            durable.replace(self._unit.paths.upgrade / "why", f"version {FIRMWARE}: {why}".encode())
            slots.go_back()

        log.error("this firmware did not become healthy: %s", why)
        await _in_thread(write)
        self._unit.reboot_soon("upgrade")

    async def _tell_failed(self, slots: Slots) -> None:
        """The other slot was given up, by itself or by the boot loader."""
        variables = self._environment.variables if self._environment else {}
        failed = slots.rolled_back or variables.get("failed", "")
        if not failed:
            return
        file = self._unit.paths.upgrade / "why"

        def take() -> tuple[str, Environment | None]:
            try:
                why = file.read_text(encoding="utf-8", errors="replace")
            except FileNotFoundError:
                why = "it did not come up"
            if variables.get("failed"):
                slots.environment.write({"failed": None})
            file.unlink(missing_ok=True)
            return why, slots.read()

        why, self._environment = await _in_thread(take)
        text = f"slot {failed} was given up: {why}; version {FIRMWARE} in slot {slots.running} runs again"
        self._unit.events.add("critical", EVENT, text, "Firmware")


async def _in_thread(work: Any) -> Any:
    """In a worker thread; what flash refuses is a Refusal."""
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise Refusal(f"upgrade: {error.filename or 'the environment'}: {error.strerror}") from None
