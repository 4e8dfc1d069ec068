# SPDX-License-Identifier: Apache-2.0
"""rules: what is to be done about an event, by the settings (R34). Pure.

A delivery is named by the way it takes: `mail:ADDRESS`, `sms:NUMBER`, `snmp:HOST`, `vrrp:HOST` (the RFCs'
trap). The name crosses to the other unit and outlives a reboot; the settings are read when it is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..settings import sms
from ..settings.view import Settings
from .event import OWED_MAX, Event
from .kinds import PROMOTIONS, kind_of


def hosts(settings: Settings) -> tuple[str, ...]:
    """The SNMP hosts that are set up."""
    return tuple(row for row in settings.rows("snmp.hosts") if not _host_lacks(settings, row))


def _host_lacks(settings: Settings, row: str) -> tuple[str, ...]:
    under = f"snmp.hosts.{row}"
    needed = ["address"]
    if settings.text(f"{under}.version") == "2c":
        needed += ["community"]
    else:
        needed += ["user"]
        for what in ("auth", "privacy"):
            if settings.text(f"{under}.{what}_protocol") != "none":
                needed += [f"{what}_password"]
    return tuple(f"{under}.{field}" for field in needed if not settings.text(f"{under}.{field}"))


def _mail_lacks(settings: Settings) -> tuple[str, ...]:
    needed = ("mail.server", "mail.sender", "mail.recipients")
    return tuple(path for path in needed if not settings.text(path))


def ways(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The deliveries of each action that is set up; an action that is not has none."""
    mail = () if _mail_lacks(settings) else settings.words("mail.recipients")
    numbers = () if sms.lacks(settings) else settings.words("sms.recipients")
    return {
        "mail": tuple(f"mail:{to}" for to in mail),
        "sms": tuple(f"sms:{to}" for to in numbers),
        "snmp": tuple(f"snmp:{row}" for row in hosts(settings)),
    }


def lacking(settings: Settings) -> dict[str, tuple[str, ...]]:
    """What is set up in part, and the settings that it lacks: mail, sms, or an SNMP host."""
    found = {"mail": _mail_lacks(settings), "sms": sms.lacks(settings)}
    begun = {name for path in settings.explicit_paths() if (name := path.partition(".")[0]) in found}
    told = {name: paths for name, paths in found.items() if name in begun}
    told |= {f"snmp:{row}": _host_lacks(settings, row) for row in settings.rows("snmp.hosts")}
    return {name: paths for name, paths in told.items() if paths}


def offered(settings: Settings) -> tuple[str, ...]:
    """The actions that can be chosen: what is not set up, or not on this model, is not offered."""
    led = ("led",) if settings.model.flash_led else ()
    return ("display", *led, *(action for action, found in ways(settings).items() if found))


def actions(settings: Settings, name: str) -> tuple[str, ...]:
    """What is done about an event of that name."""
    return settings.words(f"events.{kind_of(name).key}.actions")


def owed(settings: Settings, event: Event) -> tuple[str, ...]:
    """The deliveries that an event asks for."""
    wanted = actions(settings, event.name)
    found = [way for action, those in ways(settings).items() if action in wanted for way in those]
    if event.name in PROMOTIONS:
        found += [f"vrrp:{row}" for row in hosts(settings)]
    return tuple(found[:OWED_MAX])


class Pending(NamedTuple):
    """What waits for a person: how many warnings and critical events to be read, and does the LED blink?"""

    events: int
    led: bool


def pending(settings: Settings, events: Iterable[Event]) -> Pending:
    """Of the events that nobody has read."""
    count, led = 0, False
    for event in events:
        if event.state == "new":
            wanted = actions(settings, event.name)
            count += "display" in wanted and event.severity in ("warning", "critical")
            led |= "led" in wanted and settings.model.flash_led
    return Pending(count, led)


def lane(way: str) -> str:
    """What is done one after the other: a mail server, a gateway, a host."""
    kind, _, to = way.partition(":")
    return f"snmp:{to}" if kind == "vrrp" else kind if kind != "snmp" else way


def known(settings: Settings) -> frozenset[str]:
    """Every way that is set up."""
    found = {way for those in ways(settings).values() for way in those}
    return frozenset(found | {f"vrrp:{row}" for row in hosts(settings)})


def configuration(settings: Settings, way: str) -> dict[str, Any] | None:
    """What the delivery needs to know, secrets included; None where it is not set up any more."""
    if way not in known(settings):
        return None
    kind, _, to = way.partition(":")
    table = settings.schema.tables["snmp.hosts"]
    if kind in ("snmp", "vrrp"):
        found: dict[str, Any] = {field: settings[f"snmp.hosts.{to}.{field}"] for field in table.fields}
    else:
        group = [s.path for s in settings.schema.all() if s.path.startswith(f"{kind}.")]
        found = {path.partition(".")[2]: settings[path] for path in group}
        if kind == "sms":
            found |= sms.request(settings)._asdict()
    return {**found, "to": to}
