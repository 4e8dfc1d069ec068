# SPDX-License-Identifier: Apache-2.0
"""asked: what the other unit may ask of this one's firmware, for the upgrade of the pair (R42).

Answers over the authenticated session: it puts an image here, has it installed on this passive Backup, and
asks how that went. The image is judged here as any other: the other unit's word for it counts nothing.

    upgrade put      {offset, octets}: the next octets of the image; offset 0 begins anew
    upgrade install  {}: installs it, activates and restarts; answered at once
    upgrade state    {}: {run, slot, state, version, trouble}; `run` is another one after each start
    upgrade mode     {mode}: the Backup's mode
    upgrade go on    {did, run}: the swap comes next; this unit does the rest
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .. import durable
from ..errors import Refusal
from ..redundancy.role import Role
from .image import IMAGE_MAX

if TYPE_CHECKING:
    from ..redundancy.pair import Own

CHUNK = 64 << 10  # octets put at once
FILE = "pair.swu"  # in data/qx/upgrade, on both units
PAIR_WAIT = 1200.0  # seconds for a face: the other device installs, restarts and is confirmed


class Firmware(Protocol):
    """This unit's own slots, as the upgrade of the pair uses them: `Upgrade` is the one."""

    def plain(self) -> dict[str, Any] | None:
        """See `Upgrade.plain`; None on a board without slots."""
        ...

    def install(self, file: Path) -> AsyncGenerator[dict[str, Any], None]:
        """Writes the image of that file into the idle slot; its progress. Refusal says why not."""
        ...

    async def activate(self) -> dict[str, Any]:
        """The idle slot is tried at the next start."""
        ...


class Asked:
    def __init__(self, unit: Own, firmware: Firmware, go_on: Callable[[list[str], str], None]) -> None:
        self._unit, self._firmware, self._go_on = unit, firmware, go_on
        self.run = secrets.token_hex(8)
        self._trouble = ""
        self.answers: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "upgrade put": self._put,
            "upgrade install": self._install,
            "upgrade state": self._state,
            "upgrade mode": self._mode,
            "upgrade go on": self._told_to_go_on,
        }

    @property
    def file(self) -> Path:
        return self._unit.paths.upgrade / FILE

    async def _put(self, arguments: dict[str, Any]) -> dict[str, Any]:
        offset, octets = arguments.get("offset"), arguments.get("octets")
        if not isinstance(offset, int) or not isinstance(octets, bytes) or len(octets) > CHUNK:
            raise Refusal(f"upgrade put: expected an offset and up to {CHUNK} octets")
        if not 0 <= offset <= IMAGE_MAX - len(octets):
            raise Refusal(f"upgrade put: offset {offset}; expected an image of at most {IMAGE_MAX >> 20} MiB")
        try:
            await self._unit.run_in_store(lambda _: _written(self.file, offset, octets))
        except OSError as error:
            raise Refusal(f"upgrade put: {error.strerror}") from None
        return {}

    async def _install(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        self._passive_backup("upgrade install")
        self._trouble = ""
        self._unit.spawn(self._installed())
        return {}

    async def _installed(self) -> None:
        try:
            async for _ in self._firmware.install(self.file):
                pass
            await self._firmware.activate()
        except Refusal as error:
            self._trouble = str(error)
            return
        self._unit.reboot_soon("upgrade")

    async def _state(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        told = self._firmware.plain()
        if told is None:
            raise Refusal("upgrade: the other unit's board has no firmware slots")
        kept = {name: told[name] for name in ("slot", "state", "version")}
        return {**kept, "run": self.run, "trouble": self._trouble}

    async def _mode(self, arguments: dict[str, Any]) -> dict[str, Any]:
        mode = arguments.get("mode")
        if mode not in ("active", "passive"):
            raise Refusal(f"upgrade mode: {mode!r}; expected active or passive")
        await self._unit.set_mode(mode)
        return {}

    async def _told_to_go_on(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self._passive_backup("upgrade go on")
        did, run = arguments.get("did"), arguments.get("run")
        if not isinstance(did, tuple | list) or not all(isinstance(one, str) for one in did):
            raise Refusal("upgrade go on: did: expected texts")
        if not isinstance(run, str):
            raise Refusal("upgrade go on: run: expected a text")
        self._go_on(list(did)[:32], run)
        return {}

    def _passive_backup(self, what: str) -> None:
        if self._unit.role != Role.BACKUP or not self._unit.passive:
            raise Refusal(f"{what}: the other device is {self._unit.role}; expected a passive Backup")


def _written(file: Path, offset: int, octets: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (0 if offset else os.O_TRUNC), 0o600)
    try:
        if os.fstat(handle).st_size != offset:
            raise Refusal(f"upgrade put: offset {offset}; expected {os.fstat(handle).st_size}")
        durable.write_at(handle, octets, offset)
    finally:
        os.close(handle)
