# SPDX-License-Identifier: Apache-2.0
"""mismatch: in what the two units of a pair differ that must be the same, by name (R4, R5). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..settings.values import centiseconds_text
from .engine import EngineView, Hello, Parameter
from .peer.hello import Mismatch
from .plan import Plan

SEEN = 3.0  # seconds: the peer counts as down after that


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else str(value)


def by_hello(plan: Plan, hello: Hello) -> list[Mismatch]:
    """What a hello of the peer shows."""
    pairs: list[tuple[str, Any, Any]] = [
        ("model", plan.model, hello.model),
        ("firmware", plan.firmware, hello.firmware),
        ("redundancy.group_id", plan.vrid, hello.vrid),
        ("redundancy.vrrp_version", plan.version, hello.version),
        ("redundancy.advertisement_interval", centiseconds_text(plan.interval_cs),
         centiseconds_text(hello.interval_cs)),
        ("redundancy.virtual_mac", plan.virtual_mac, hello.virtual_mac),
        ("network.lan.address", plan.lan_service, hello.lan_service),
        ("network.wan.address", plan.wan_service, hello.wan_service),
    ]  # fmt: skip
    return [Mismatch(name, _text(ours), _text(theirs)) for name, ours, theirs in pairs if ours != theirs]


def by_advertisement(plan: Plan, view: EngineView) -> list[Mismatch]:
    """What a refused advertisement of the peer shows, where no hello has come."""
    theirs = view.parameter_theirs
    match view.parameter:
        case Parameter.GROUP:
            return [Mismatch("redundancy.group_id", str(plan.vrid), str(theirs))]
        case Parameter.VERSION:
            return [Mismatch("redundancy.vrrp_version", str(plan.version), str(theirs))]
        case Parameter.INTERVAL:
            ours = centiseconds_text(plan.interval_cs)
            return [Mismatch("redundancy.advertisement_interval", ours, centiseconds_text(theirs))]
        case _:
            return []


def mismatches(plan: Plan, view: EngineView, session: Iterable[Mismatch]) -> list[Mismatch]:
    """All that is known of the peer, in the order of their weight: first what the session shows, then
    the engine's, which nobody has authenticated. Of a peer that fell silent only its addresses count on: a
    unit that was never given them does not serve in its place."""
    if not plan.group:
        return []
    found = list(session)
    named = {mismatch.parameter for mismatch in found}
    return found + [m for m in _unauthenticated(plan, view) if m.parameter not in named]


def _unauthenticated(plan: Plan, view: EngineView) -> list[Mismatch]:
    if view.hello is None:
        return by_advertisement(plan, view)
    found = by_hello(plan, view.hello)
    if view.hello.age < SEEN:
        return found
    return by_advertisement(plan, view) + [m for m in found if m.parameter.startswith("network.")]
