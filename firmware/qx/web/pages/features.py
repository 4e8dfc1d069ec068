# SPDX-License-Identifier: Apache-2.0
"""features: Feature Keys: what is licensed, installing a key, confirming a changed certificate (R37)."""

from __future__ import annotations

from microdot import Response

from ..site import Site, Visit
from .maintenance import choices, chosen

PATH = "/setup/features"
INSTALL_WAIT = 60.0  # seconds; a swap lets cross what has not


def register(site: Site) -> None:
    @site.page(PATH)
    async def show(visit: Visit) -> Response:
        return visit.render("features.html", licence=await visit.unit.ask("licence"), choices=choices(visit))

    @site.page(PATH, ("POST",))
    async def do(visit: Visit) -> Response:
        if visit.field("do") == "confirm":
            await visit.unit.ask("licence_confirm", {}, INSTALL_WAIT)
            return visit.go(PATH, "success", "Confirmed on this device. Confirm it on the other one as well.")
        asked = {"key": visit.field("key"), "how": chosen(visit)}
        done = await visit.unit.ask("licence_install", asked, INSTALL_WAIT)
        if done.get("reboot"):
            text = (
                done.get("said")
                or "Installed. The device reboots now and returns in the role and mode it had."
            )
            return visit.render("leaving.html", title="Feature Keys", text=str(text))
        return visit.go(PATH, "success", "Installed." if done.get("changed") else "Installed already.")
