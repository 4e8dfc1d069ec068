# SPDX-License-Identifier: Apache-2.0
"""langpack_operations: the unit's language pack: shown, installed, removed (R39).

The other unit is told which one it is (R5); pages read the catalogue here when it has changed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .. import __version__ as FIRMWARE
from ..errors import Refusal
from ..upgrade import language
from ..upgrade.language import BadPack, LanguagePack
from .unit import Unit


async def langpack(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: installed, see `LanguagePack.plain`, or null; trouble, why the installed one cannot be used, or
    null; in_use: the pages speak it, unless the setting language.pages names another."""
    try:
        found, trouble = await _kept(unit), None
    except BadPack as error:
        found, trouble = None, str(error)
    in_use = found is not None and await _chosen(unit, found.language)
    return {"installed": found.plain() if found else None, "trouble": trouble, "in_use": in_use}


async def langpack_catalogue(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: language and catalogue, octets of a .mo file, of the pack that pages are to speak; null, null
    for English."""
    try:
        found = await _kept(unit)
    except BadPack:
        found = None
    if found is None or not await _chosen(unit, found.language):
        return {"language": None, "catalogue": None}
    return {"language": found.language, "catalogue": found.catalogue}


async def langpack_install(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: pack, octets. Result: as `langpack`. The one before is replaced."""
    octets = arguments.get("pack")
    if not isinstance(octets, bytes):
        raise Refusal("pack: expected octets")

    async def installed() -> None:
        found = await unit.run_in_keyring(
            lambda _: language.install(unit.paths, unit.board, octets, FIRMWARE)
        )
        unit.speaks(found.title)
        unit.events.add("info", "Language pack installed", found.title, "Language")

    await asyncio.shield(installed())
    return await langpack(unit, {})


async def langpack_remove(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: as `langpack`. Raises Refusal where there is none."""

    async def removed() -> None:
        if not await unit.run_in_keyring(lambda _: language.remove(unit.paths)):
            raise Refusal("language pack: none is installed")
        unit.speaks("")
        unit.events.add("info", "Language pack removed", "the pages are in English", "Language")

    await asyncio.shield(removed())
    return await langpack(unit, {})


async def _kept(unit: Unit) -> LanguagePack | None:
    return await unit.run_in_keyring(lambda _: language.kept(unit.paths, unit.board, FIRMWARE))


async def _chosen(unit: Unit, code: str) -> bool:
    """A pack that was installed is meant to be spoken, unless somebody has set a language."""
    path = "language.pages"
    return await unit.run_in_store(
        lambda store: not store.settings.explicit(path) or store.settings.text(path) == code
    )


OPERATIONS = {
    "langpack": langpack,
    "langpack_catalogue": langpack_catalogue,
    "langpack_install": langpack_install,
    "langpack_remove": langpack_remove,
}
