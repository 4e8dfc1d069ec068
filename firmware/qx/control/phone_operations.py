# SPDX-License-Identifier: Apache-2.0
"""phone_operations: the phone run for its users and for its own process (R23, R24)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from ..errors import Refusal
from ..pbx.phones import PHONES
from ..pbx.registration import DIALOGS, REGISTRATIONS, contacts_of, dialog_of
from .unit import Unit

POLICIES = ("", "unreachable", "all", "none")
GATHER = 0.2  # seconds between two items of a stream


async def phones(
    unit: Unit, arguments: dict[str, Any]
) -> dict[str, Any] | AsyncGenerator[dict[str, Any], None]:
    """args: follow. Result: `Phones.status`, or a stream of it as it changes, until the run is over."""
    return _follow(unit) if arguments.get("follow") else unit.phones.status()


async def _follow(unit: Unit) -> AsyncGenerator[dict[str, Any], None]:
    news = asyncio.Event()
    end = unit.live.subscribe(PHONES, lambda _: news.set())
    try:
        yield unit.phones.status()
        while unit.phones.running:
            try:
                async with asyncio.timeout(1.0):
                    await news.wait()
            except TimeoutError:
                continue
            news.clear()
            yield unit.phones.status()
            await asyncio.sleep(GATHER)
        yield unit.phones.status()
    finally:
        end()


async def phones_start(unit: Unit, arguments: dict[str, Any]) -> None:
    """args: policy, empty for that of the settings. Begins a run. Refusal on a unit that serves nobody."""
    policy = arguments.get("policy", "")
    if policy not in POLICIES:
        raise Refusal(f"policy: {policy!r}; expected one of {', '.join(POLICIES[1:])}")
    if unit.status()["role"] not in ("master", "standalone"):
        raise Refusal("phones: this device is not Master; expected it to be")
    unit.phones.start(policy)


async def phones_stop(unit: Unit, _arguments: dict[str, Any]) -> None:
    """Ends a run; what has been sent has been sent."""
    unit.phones.stop()


async def phones_note(unit: Unit, arguments: dict[str, Any]) -> None:
    """args: phones, by MAC (state, detail, name, time); over; manual, names. For the run's own process."""
    noted, manual = arguments.get("phones"), arguments.get("manual")
    if not isinstance(noted, dict) or not isinstance(manual, tuple):
        raise Refusal("phones: expected a map; manual: expected a list")
    unit.phones.note(noted, bool(arguments.get("over")), [str(name) for name in manual])


async def phones_live(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: in_call, extensions; contacts, by extension URI, user agent and Call-ID of its first. For the
    run's process."""
    in_call: set[str] = set()
    for call_id, row in unit.live.table(DIALOGS).items():
        dialog = dialog_of(call_id, row)
        in_call |= {dialog.caller, dialog.callee}
    firsts = ((aor, contacts_of(aor, row)[0]) for aor, row in unit.live.table(REGISTRATIONS).items())
    contacts = {aor: (first.uri, first.user_agent, first.call_id) for aor, first in firsts}
    return {"in_call": sorted(in_call), "contacts": contacts}


OPERATIONS = {
    "phones": phones,
    "phones_start": phones_start,
    "phones_stop": phones_stop,
    "phones_note": phones_note,
    "phones_live": phones_live,
}
