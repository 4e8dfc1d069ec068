# SPDX-License-Identifier: Apache-2.0
"""tell: what the engine reports, as events in a user's words (R32). Pure: a report in, a text out."""

from __future__ import annotations

from dataclasses import dataclass

from ..events.log import Severity
from .engine import STEPS, Block, Cause, EngineEvent, Kind, State, reason_text
from .role import Role, Standing

# Role changes in words: why this unit became Master, and why it stopped being it.
BECAME = {
    Cause.NOBODY: "no other Master was heard",
    Cause.SILENCE: "the Master fell silent",
    Cause.RELEASED: "the Master let go",
    Cause.ORDER: "Swap Master Device",
    Cause.RESUMED: "it was Master before its daemon was started again",
}
CEASED = {
    Cause.HIGHER: "a Master that goes before it was heard",
    Cause.ORDER: "Swap Master Device",
    Cause.LINK: "the LAN port lost its link",
    Cause.WAN: "the WAN port lost its link and the other unit's has link",
    Cause.LATE: "this unit was not running for longer than the other waits",
    Cause.CONTROL: "the control plane did not answer",
    Cause.PARAMETER: "the other unit is Master with another setting",
    Cause.STOP: "redundancy was stopped",
}
HOLDERS = ("Virtual IP Address", "LAN service address", "WAN service address")


@dataclass(frozen=True, slots=True)
class Report:
    severity: Severity
    name: str
    description: str = ""


def _milliseconds(later: int, earlier: int) -> str:
    return f"{max(0, later - earlier) / 1e6:.1f} ms"


def _state(event: EngineEvent, was_master: bool) -> Report | None:
    if event.a == State.MASTER:
        cause = Cause(event.b)
        up = _milliseconds(event.addresses, event.at)
        text = f"{BECAME.get(cause, cause.name.lower())}; addresses up after {up}"
        takeover = cause in (Cause.SILENCE, Cause.RELEASED)
        if takeover:
            return Report("warning", "Takeover: this device is Master", text)
        if cause == Cause.ORDER:
            return Report("success", BECAME[cause], f"this device is Master; addresses up after {up}")
        return Report("success", "This device is Master", text)
    if was_master:
        cause = Cause(event.b)
        return Report("warning", "This device is no longer Master", CEASED.get(cause, cause.name.lower()))
    return None


def _link(event: EngineEvent) -> Report:
    port = "WAN" if event.a else "LAN"
    return Report("success", f"{port} link is up") if event.b else Report("warning", f"{port} link is down")


def _block(event: EngineEvent, was_master: bool) -> Report | None:
    if event.a == Block.ALIVE:
        text = "the Master answers, but its advertisements do not arrive: look at the switches in between"
        return Report("warning", "Advertisements are blocked", text)
    if event.b == Block.ALIVE and event.a == Block.NONE and not was_master:
        return Report("success", "Advertisements arrive again")
    return None


def report(event: EngineEvent, was_master: bool) -> Report | None:
    """The event's words; None for what is no news to a user."""
    match event.kind:
        case Kind.STATE:
            return _state(event, was_master)
        case Kind.LINK:
            return _link(event)
        case Kind.BLOCK:
            return _block(event, was_master)
        case Kind.CONFLICT:
            text = f"{HOLDERS[event.b]} {event.address} is held by the station {event.mac}"
            return Report("critical", "Address conflict", text)
        case Kind.REFUSED:
            text = f"{reason_text(event.a, event.b)}, from {event.source}; further ones are counted"
            return Report("warning", "Advertisement refused", text)
        case Kind.FOREIGN:
            return Report(
                "warning", "Another router uses our Redundant Group ID", f"its address is {event.source}"
            )
        case Kind.ADDRESSES:
            return Report("warning", "Pair mismatch",
                          f"{event.source} advertises another service address: {event.address}")  # fmt: skip
        case Kind.LATE:
            return Report("warning", "This device was not running", f"for {event.b} ms")
        case Kind.LEASE:
            return Report("critical", "Control plane does not answer", "it is started again")
        case Kind.FAILED:
            why = f"{STEPS.get(event.b, 'a step')}: error {-event.a}"
            return Report("critical", "A change on the network interface failed", why)
        case Kind.OVERRUN:
            return Report("warning", "Advertisements lost in a flood", f"{event.b} packets")
        case _:
            return None


def warning(now: Standing, copying: bool) -> Report | None:
    """The words for a standing whose reason is new; `copying`: has it not had the Master's state yet?"""
    if not now.why:
        return None
    match now.role:
        case Role.FAULT:
            return Report("critical", "This device is in fault", now.why)
        case Role.BACKUP if copying:
            return Report("info", "First copy of the Master's state", now.why)
        case Role.BACKUP:
            return Report("warning", "Pair mismatch", now.why)
        case Role.STANDALONE:
            return Report("warning", "Redundancy is not in force", now.why)
        case _:
            return None
