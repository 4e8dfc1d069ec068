# SPDX-License-Identifier: Apache-2.0
"""status: everything that faces show of the pair, as one dictionary of JSON types. Pure."""

from __future__ import annotations

from typing import Any

from .. import __version__ as FIRMWARE
from ..identity import Identity
from ..settings.values import centiseconds_text
from .engine import EngineView, Hello, State
from .mismatch import SEEN
from .plan import Plan
from .role import Known, Standing


def _peer(hello: Hello | None) -> dict[str, Any]:
    """The other unit as it said of itself; `state` is down 3 s after it last spoke, unknown before."""
    if hello is None:
        return {
            "state": "unknown",
            "mode": None,
            "serial": None,
            "firmware": None,
            "model": None,
            "age_s": None,
        }
    state = "down"
    if hello.age < SEEN:
        state = {State.MASTER: "master", State.BACKUP: "backup"}.get(hello.state, "starting")
        if hello.passive and hello.state == State.INITIALIZE:
            state = "backup"
    mode = ("passive" if hello.passive else "active") if state == "backup" else None
    return {
        "state": state,
        "mode": mode,
        "serial": hello.serial,
        "firmware": hello.firmware,
        "model": hello.model,
        "armed": hello.armed,
        "wan_link": hello.wan_link,
        "deaf": hello.deaf,
        "age_s": round(hello.age, 3),
    }


def _vrrp(plan: Plan | None, view: EngineView) -> dict[str, Any]:
    return {
        "state": view.state.name.lower(),
        "version": plan.version if plan else None,
        "advertisement_interval": float(centiseconds_text(plan.interval_cs)) if plan else None,
        "priority": view.priority,
        "cause": view.cause.name.lower(),
        "block": view.block.name.lower(),
        "armed": view.armed,
        "realtime": view.realtime,
        "lan_link": view.link,
        "wan_link": view.wan_link,
        "master": str(view.master) if view.master else None,
        "state_since_s": None if view.state_age is None else round(view.state_age, 3),
        "up_s": None if view.up_age is None else round(view.up_age, 3),
        "counters": view.counters,
    }


def status(
    known: Known,
    standing: Standing,
    view: EngineView,
    identity: Identity,
    since: float,
    partner: dict[str, Any],
    applications: list[dict[str, Any]],
    licence: dict[str, Any],
) -> dict[str, Any]:
    plan = known.plan
    holding = [str(address) for address in plan.services] if plan and view.holding else []
    return {
        "model": identity.model.name,
        "serial": identity.serial,
        "firmware": FIRMWARE,
        "role": str(standing.role),
        "mode": standing.mode,
        "why": standing.why or None,
        "since": since,
        "group_id": plan.vrid if plan and plan.group else None,
        "virtual_ip": str(plan.virtual_ip) if plan and plan.group else None,
        "service_addresses": holding,
        "vrrp": _vrrp(plan, view),
        "peer": {**_peer(view.hello), "session": partner["session"]},
        "sync": partner["sync"],
        "applications": applications,
        "licence": {name: licence[name] for name in ("redundancy", "why", "features", "peer")},
        "mismatches": [mismatch._asdict() for mismatch in known.mismatches],
    }
