# SPDX-License-Identifier: Apache-2.0
"""firmware: Firmware Update of this device (R38) or of both (R42), and Language Pack (R39): uploaded, checked
and put to use."""

from __future__ import annotations

import asyncio
from typing import Any

from microdot import Response

from ...errors import Refusal
from ...upgrade.asked import PAIR_WAIT
from ..site import UPLOAD_MAX, Site, Visit
from ..uploads import Upload, uploaded
from .maintenance import choices, chosen

FIRMWARE, LANGUAGE = "/maintenance/firmware", "/maintenance/language"
PACK_MAX = 2 << 20  # octets
WAIT = 60.0  # seconds
IMAGE = "image.swu"  # while it is installed


class Installing:
    """The one installation that may be under way; it goes on when the page is left."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.step: dict[str, Any] = {}
        self.trouble = ""

    @property
    def busy(self) -> bool:
        return self.task is not None and not self.task.done()


def register(site: Site) -> None:
    installing = Installing()

    @site.page(FIRMWARE)
    async def firmware(visit: Visit) -> Response:
        trouble = installing.trouble
        try:
            slots = await visit.unit.ask("upgrade_status")
        except Refusal as error:  # a board without slots
            slots, trouble = None, trouble or str(error)
        rolling = slots["rolling"] if slots else None
        return visit.render(
            "firmware.html", slots=slots, rolling=rolling, busy=installing.busy or bool(rolling),
            step=installing.step, trouble=trouble, most=UPLOAD_MAX, choices=choices(visit),
        )  # fmt: skip

    @site.page(f"{FIRMWARE}/upload", ("POST",), upload=True, back=FIRMWARE)
    async def upload(visit: Visit) -> Response:
        if installing.busy:
            raise Refusal("firmware: an installation is under way; wait for its end")
        async with uploaded(visit, UPLOAD_MAX) as file:
            both = file.fields.get("both") == "1"
            kept = await asyncio.to_thread(_keep, file)
        installing.trouble, installing.step = "", {}
        installing.task = asyncio.create_task(_install(visit, installing, kept, both))
        if both:
            return visit.go(FIRMWARE, "success", "The image is here. Both devices are updated now.")
        return visit.go(FIRMWARE, "success", "The image is here. It is checked and installed now.")

    @site.page(FIRMWARE, ("POST",))
    async def do(visit: Visit) -> Response:
        if visit.field("do") == "confirm":
            await visit.unit.ask("upgrade_confirm", {}, WAIT)
            return visit.go(FIRMWARE, "success", "This firmware is kept.")
        await visit.unit.ask("upgrade_activate", {}, WAIT)
        said = await visit.unit.ask("reboot", {"how": chosen(visit), "who": visit.who}, WAIT)
        return visit.render("leaving.html", title="Firmware Update", text=str(said))

    @site.page(LANGUAGE)
    async def language(visit: Visit) -> Response:
        return visit.render("language.html", pack=await visit.unit.ask("langpack"), most=PACK_MAX)

    @site.page(f"{LANGUAGE}/upload", ("POST",), upload=True, back=LANGUAGE)
    async def pack(visit: Visit) -> Response:
        async with uploaded(visit, PACK_MAX) as file:
            octets = await asyncio.to_thread(file.path.read_bytes)
            await visit.unit.ask("langpack_install", {"pack": octets, "who": visit.who}, WAIT)
        return visit.go(LANGUAGE, "success", "The language pack was installed.")

    @site.page(LANGUAGE, ("POST",))
    async def remove(visit: Visit) -> Response:
        await visit.unit.ask("langpack_remove", {"who": visit.who}, WAIT)
        return visit.go(LANGUAGE, "success", "The language pack was removed.")


def _keep(file: Upload) -> str:
    """Under the name that the installation reads, for as long as that takes."""
    image = file.path.with_name(IMAGE)
    file.path.replace(image)
    return str(image)


async def _install(visit: Visit, installing: Installing, image: str, both: bool) -> None:
    loop = asyncio.get_running_loop()

    def note(step: dict[str, Any]) -> None:
        loop.call_soon_threadsafe(setattr, installing, "step", step)

    try:
        if both:
            await visit.unit.ask("upgrade_pair", {"file": image}, PAIR_WAIT)
        else:
            await visit.unit.follow("upgrade_install", {"file": image}, note)
    except Refusal as error:
        installing.trouble = str(error)
    finally:
        await asyncio.to_thread(_forget, visit)


def _forget(visit: Visit) -> None:
    (visit.unit.paths.uploads / IMAGE).unlink(missing_ok=True)
