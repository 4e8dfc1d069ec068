# SPDX-License-Identifier: Apache-2.0
"""overview: the first page: am I protected? Both units as a picture, and what to do about each trouble."""

from __future__ import annotations

from microdot import Response

from ..picture import both
from ..protection import answer
from ..site import Site, Visit


def register(site: Site) -> None:
    @site.page("/")
    async def overview(visit: Visit) -> Response:
        found = await visit.unit.values("redundancy.sync_interval")
        interval = float(found.get("redundancy.sync_interval") or 60)
        return visit.render("overview.html", answer=answer(visit.status, interval), units=both(visit.status))
