# SPDX-License-Identifier: Apache-2.0
"""events: System Events and Event Settings (R33, R34)."""

from __future__ import annotations

from typing import Any

from microdot import Response

from ...errors import Refusal
from ..form import whole
from ..forms import SET_WAIT
from ..site import Site, Visit

PATH, SETTINGS = "/status/events", "/status/event-settings"
ROWS = 25
COLUMNS = {
    "state": "Status",
    "time": "Time",
    "source": "Source",
    "name": "Name",
    "description": "Description",
}
ACTIONS = {
    "display": "Display notification",
    "led": "Flash LED",
    "mail": "Mail",
    "sms": "SMS",
    "snmp": "SNMP trap",
}


def register(site: Site) -> None:
    @site.page(PATH)
    async def listed(visit: Visit) -> Response:
        found: list[dict[str, Any]] = list(await visit.unit.ask("events"))
        by, order = visit.argument("by"), visit.argument("order")
        by = by if by in COLUMNS else "time"
        found.sort(key=lambda event: str(event[by]) if by != "time" else event["time"])
        if order != "up":
            found.reverse()
        offset = whole(visit.argument("from")) or 0
        return visit.render(
            "events.html", events=found[offset : offset + ROWS], count=len(found), offset=offset, rows=ROWS,
            columns=COLUMNS, by=by, order="up" if order == "up" else "down",
        )  # fmt: skip

    @site.page(PATH, ("POST",))
    async def read(visit: Visit) -> Response:
        ids = [number for text in visit.form.getlist("id") if (number := whole(text)) is not None]
        everything = visit.field("do") == "all"
        if not ids and not everything:
            return visit.go(PATH, "info", "No event was chosen.")
        await visit.unit.ask("events_read", {"ids": None if everything else ids, "who": visit.who})
        return visit.go(PATH)

    @site.page(SETTINGS)
    async def rules(visit: Visit) -> Response:
        return visit.render("event-settings.html", titles=ACTIONS, rules=await visit.unit.ask("events_rules"))

    @site.page(SETTINGS, ("POST",))
    async def save(visit: Visit) -> Response:
        if visit.field("do") == "test":
            return await _tested(visit)
        found = await visit.unit.ask("events_rules")
        changes: dict[str, str] = {}
        for rule in found["events"]:
            if not visit.form.get(f"{rule['event']} shown"):
                continue
            hidden = [one for one in rule["actions"] if one not in found["offered"]]  # kept as they were
            chosen = [*visit.form.getlist(str(rule["event"])), *hidden]
            if set(chosen) != set(rule["actions"]):
                changes[f"events.{rule['event']}.actions"] = ",".join(sorted(set(chosen)))
        if changes:
            await visit.unit.ask("set", {"changes": changes, "who": visit.who}, SET_WAIT)
        return visit.go(SETTINGS, *(("success", "Saved.") if changes else ("info", "Nothing was changed.")))


async def _tested(visit: Visit) -> Response:
    done = await visit.unit.ask("events_test", {"action": "", "who": visit.who}, 60.0)
    for one in done:
        good = one.get("outcome") == "done"
        text = ": ".join(str(one[name]) for name in ("way", "outcome", "why") if one.get(name))
        visit.session.say("success" if good else "warning", text)
    if not done:
        raise Refusal("test: neither mail nor SMS nor SNMP is set up")
    return visit.go(SETTINGS)
