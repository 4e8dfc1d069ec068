# SPDX-License-Identifier: Apache-2.0
"""overview: the first page: am I protected? Both units as a picture, what to do about each trouble, what a
takeover that is under way has done (R24), and what was last."""

from __future__ import annotations

import asyncio
from typing import Any

from microdot import Response

from ..picture import both
from ..progress import progress
from ..protection import answer
from ..revisions import Revisions
from ..site import Site, Visit
from ..takeovers import takeovers

EVENTS = 200  # that are looked through for takeovers
TAKEOVERS, CHANGES = 2, 4
NAMED = 2  # changes of a revision


def register(site: Site) -> None:
    revisions = Revisions(CHANGES, NAMED)

    @site.page("/")
    async def overview(visit: Visit) -> Response:
        unit, status = visit.unit, visit.status
        values, events, changes, phones = await asyncio.gather(
            unit.values("redundancy"), unit.ask("events", {"last": EVENTS}),
            revisions.of(visit), _phones(visit),
        )  # fmt: skip
        interval = float(values.get("redundancy.sync_interval") or 60)
        return visit.render(
            "overview.html", answer=answer(status, interval), takeovers=takeovers(events)[:TAKEOVERS],
            units=both(status, values.get("redundancy.peer_virtual_ip", "")), revisions=changes,
            progress=progress(status, phones),
        )  # fmt: skip


async def _phones(visit: Visit) -> dict[str, Any]:
    """The run of the phones, where there may be one."""
    if visit.status.get("role") not in ("master", "standalone"):
        return {}
    return await visit.unit.ask("phones")
