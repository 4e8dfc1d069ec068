# SPDX-License-Identifier: Apache-2.0
"""history: what was set when and by whom, with undo; and conflict snapshots to compare and merge (R10)."""

from __future__ import annotations

from microdot import Response

from ..form import whole
from ..forms import SET_WAIT
from ..revisions import Revisions
from ..site import Missing, Site, Visit

HISTORY, CONFLICTS = "/status/history", "/status/conflicts"
REVISIONS = 20
CHANGES = 10  # of a revision
DIFFERENCES = 200


def register(site: Site) -> None:
    revisions = Revisions(REVISIONS, CHANGES)

    @site.page(HISTORY)
    async def history(visit: Visit) -> Response:
        before = whole(visit.argument("before"))
        return visit.render("history.html", revisions=await revisions.of(visit, before))

    @site.page(HISTORY, ("POST",))
    async def undo(visit: Visit) -> Response:
        asked = {"revision": _number(visit.field("revision")), "who": visit.who}
        await visit.unit.ask("revert", asked, SET_WAIT)
        return visit.go(HISTORY, "success", "Undone.")

    @site.page(CONFLICTS)
    async def conflicts(visit: Visit) -> Response:
        return visit.render("conflicts.html", conflicts=(await visit.unit.ask("conflict_list"))[::-1])

    @site.page(f"{CONFLICTS}/one")
    async def conflict(visit: Visit) -> Response:
        number = _number(visit.argument("number"))
        found = await visit.unit.ask("conflict_show", {"number": number})
        differs = await visit.unit.ask("conflict_diff", {"number": number})
        return visit.render("conflict.html", conflict=found, differs=differs[:DIFFERENCES], all=len(differs))

    @site.page(f"{CONFLICTS}/one", ("POST",), back=CONFLICTS)
    async def conflict_do(visit: Visit) -> Response:
        number = _number(visit.field("number"))
        if visit.field("do") == "drop":
            await visit.unit.ask("conflict_drop", {"number": number})
            return visit.go(CONFLICTS, "success", "The snapshot was dropped.")
        paths = visit.form.getlist("path")
        if not paths:
            return visit.go(f"{CONFLICTS}/one?number={number}", "info", "Nothing was chosen.")
        asked = {"number": number, "paths": paths, "who": visit.who}
        await visit.unit.ask("conflict_merge", asked, SET_WAIT)
        return visit.go(f"{CONFLICTS}/one?number={number}", "success", "Merged.")

    @site.page(f"{CONFLICTS}/export", ("POST",), back=CONFLICTS)
    async def export(visit: Visit) -> Response:
        number = _number(visit.field("number"))
        asked = {"number": number, "passphrase": visit.field("passphrase")}
        found = await visit.unit.ask("conflict_export", asked, SET_WAIT)
        return download(found["archive"], f"{site.identity.serial}-conflict-{number}.qxb")


def download(octets: bytes, name: str) -> Response:
    headers = {"Content-Type": "application/octet-stream", "Cache-Control": "no-store",
               "Content-Disposition": f'attachment; filename="{name}"'}  # fmt: skip
    return Response(octets, 200, headers)


def _number(text: str) -> int:
    found = whole(text)
    if found is None:
        raise Missing(f"{text[:20]!r}: expected a number of this list")
    return found
