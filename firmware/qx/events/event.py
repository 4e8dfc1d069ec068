# SPDX-License-Identifier: Apache-2.0
"""event: one event, and the record that stands on flash and crosses to the other unit. Pure.

What changes about an event only ever goes one way: new to read, standing to cleared, and of the deliveries
that it owes fewer and fewer. So two units that each know something of it come to the same by `merged`,
whichever spoke last and whoever is Master.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from sys import intern
from typing import Any, Literal, get_args

Severity = Literal["success", "warning", "critical", "info"]
SEVERITIES: tuple[str, ...] = get_args(Severity)

UID = 16  # hexadecimal digits
NAME_MAX = 100  # characters
DESCRIPTION_MAX = 500
OWED_MAX = 64  # deliveries that one event can owe
OWED_TEXT_MAX = 300  # characters of one: mail:ADDRESS is the longest


@dataclass(frozen=True, slots=True)
class Event:
    id: int  # counts up in this unit's log, across reboots; another one in the other unit's
    time: float  # wall clock, seconds since 1970
    monotonic: float  # CLOCK_MONOTONIC seconds, to order events within one run of the machine
    unit: str  # serial number of the unit on which it happened: its owner
    source: str  # what it is about: Redundancy, Network, …
    severity: Severity
    name: str  # in the guide's words where the guide has them
    description: str
    state: Literal["new", "read"] = "new"
    uid: str = ""  # the same on both units and in every delivery
    cleared: bool = False  # what it told is over: UP clears DOWN
    owed: tuple[str, ...] | None = None  # deliveries that are to be made; None: no Master has judged it yet

    def plain(self) -> dict[str, Any]:
        """Of JSON types, for faces, flash and wire."""
        return {name: getattr(self, name) for name in NAMES}


NAMES = tuple(field.name for field in fields(Event))


def merged(one: Event, other: Event) -> Event:
    """What both know of the same event, as an event of `one`'s log."""
    owed = one.owed if other.owed is None else other.owed
    if one.owed is not None and other.owed is not None:
        owed = tuple(way for way in one.owed if way in other.owed)
    read = "read" if "read" in (one.state, other.state) else "new"
    return replace(one, state=read, cleared=one.cleared or other.cleared, owed=owed)


def event(record: Any, number: int = 0) -> Event:
    """The event of a record, numbered anew where `number` is given. Fields that a newer firmware has more are
    left out. Raises ValueError that names what is wrong."""
    if not isinstance(record, dict):
        raise ValueError("an event: expected a map")
    got = {name: record[name] for name in NAMES if name in record}
    if number:
        got["id"] = number
    for name, check in _CHECKS.items():
        if name in got and not check(got[name]):
            raise ValueError(f"an event's {name}: {str(got[name])[:40]!r}")
    missing = [name for name in _CHECKS if name not in got and name not in _LATER]
    if missing:
        raise ValueError(f"an event: {missing[0]} is missing")
    for name in ("unit", "source", "severity", "name", "state"):
        if name in got:
            got[name] = intern(got[name])  # hundreds of events share them
    return Event(**got)


def _text(most: int, least: int = 0) -> Any:
    return lambda value: isinstance(value, str) and least <= len(value) <= most


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


def _owed(value: Any) -> bool:
    return value is None or (
        isinstance(value, tuple | list)
        and len(value) <= OWED_MAX
        and all(isinstance(way, str) and len(way) <= OWED_TEXT_MAX for way in value)
    )


_CHECKS = {
    "id": lambda value: isinstance(value, int) and 0 < value < 1 << 53,
    "time": _number,
    "monotonic": _number,
    "unit": _text(64),
    "source": _text(64),
    "severity": lambda value: value in SEVERITIES,
    "name": _text(NAME_MAX, 1),
    "description": _text(DESCRIPTION_MAX),
    "state": lambda value: value in ("new", "read"),
    "uid": _text(UID, UID),
    "cleared": lambda value: isinstance(value, bool),
    "owed": _owed,
}
_LATER = ("state", "uid", "cleared", "owed")
