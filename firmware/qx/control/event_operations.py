# SPDX-License-Identifier: Apache-2.0
"""event_operations: events to be read, ways out to be tried, deliveries to be seen (R33, R34)."""

from __future__ import annotations

from typing import Any

from ..errors import Refusal
from ..events.rules import offered
from ..settings.groups.notification import EVENTS
from .unit import Unit


async def read(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: ids, a list of events' ids (null: all). Result: {read: how many were new, pending}."""
    ids = arguments.get("ids")
    if ids is not None and not (
        isinstance(ids, list | tuple) and all(isinstance(n, int) and not isinstance(n, bool) for n in ids)
    ):
        raise Refusal("ids: expected a list of whole numbers")
    return {"read": unit.events.mark_read(ids), **await pending(unit, {})}


async def pending(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: {pending: warnings and critical events to be read, led: does the Flash LED blink?}."""
    found = unit.desk.pending()
    return {"pending": found.events, "led": found.led}


async def test(unit: Unit, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """args: action, mail, sms or snmp (empty: all that are set up). Delivers a test event now. Result: {way,
    outcome: done, later or refused, why} each."""
    action = arguments.get("action", "")
    if not isinstance(action, str):
        raise Refusal("action: expected a text")
    return await unit.desk.test(action)


async def deliveries(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: see `Desk.deliveries`."""
    return unit.desk.deliveries()


async def rules(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: {offered: the actions that can be chosen, events: {event, title, actions} each}."""

    def work(store: Any) -> dict[str, Any]:
        settings = store.settings
        return {
            "offered": list(offered(settings)),
            "events": [
                {"event": key, "title": title, "actions": list(settings.words(f"events.{key}.actions"))}
                for key, title in EVENTS.items()
            ],
        }

    return await unit.run_in_store(work)


OPERATIONS = {
    "events_read": read,
    "events_pending": pending,
    "events_test": test,
    "events_deliveries": deliveries,
    "events_rules": rules,
}
