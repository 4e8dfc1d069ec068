# SPDX-License-Identifier: Apache-2.0
"""state: Hardware Status, the timeline of takeovers, Voice Data."""

from __future__ import annotations

from microdot import Response

from ...panel import pattern, table
from ..site import Site, Visit
from ..takeovers import takeovers


def register(site: Site) -> None:
    @site.page("/status/hardware")
    async def hardware(visit: Visit) -> Response:
        leds = [(row, pattern.words(row.pattern)) for row in (*table.STATES, table.UNREAD)]
        return visit.render("hardware.html", leds=leds)

    @site.page("/status/takeovers")
    async def timeline(visit: Visit) -> Response:
        return visit.render("takeovers.html", takeovers=takeovers(await visit.unit.ask("events")))

    @site.page("/setup/voice")
    async def voice(visit: Visit) -> Response:
        return visit.render("voice.html", sync=await visit.unit.ask("sync"))

    @site.page("/setup/voice", ("POST",))
    async def voice_do(visit: Visit) -> Response:
        if visit.field("do") == "allow":
            await visit.unit.ask("sync_allow_deletion", {"who": visit.who})
            return visit.go("/setup/voice", "success", "The deletions cross to the Backup device now.")
        await visit.unit.ask("sync_now", {"who": visit.who})
        return visit.go("/setup/voice", "success", "A full comparison was started.")
