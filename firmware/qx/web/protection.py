# SPDX-License-Identifier: Apache-2.0
"""protection: "am I protected?", answered from a status: one headline, and for each trouble what to do. Pure.

Texts are message ids of the catalogues; what fills them stands beside them, so a language may order it anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Level = Literal["success", "warning", "critical", "info"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, and what to do about it."""

    level: Level
    text: str
    advice: str
    values: dict[str, str] = field(default_factory=dict)
    link: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    level: Level
    headline: str
    text: str
    troubles: tuple[Trouble, ...] = ()


ADVICE = {
    "model": "Pair two units of the same model.",
    "firmware": "Bring both units to the same firmware: Maintenance, Firmware Update.",
    "licence": "Install the same feature keys on both units: Setup, Feature Keys.",
    "language": "Upload the same language pack on both units: Maintenance, Language Pack.",
    "redundancy.group_id": "Set the same Redundant Group ID on both units.",
    "redundancy.vrrp_version": "Set the same VRRP version on both units.",
    "redundancy.advertisement_interval": "Set the same advertisement interval on both units.",
    "redundancy.virtual_mac": "Set the same choice of Virtual MAC on both units.",
    "network.lan.address": "Set the same LAN IP Address on both units.",
    "network.wan.address": "Set the same WAN IP Address on both units.",
}
STALE = 3  # synchronization intervals


def answer(status: dict[str, Any], interval: float = 60.0) -> Answer:
    """`interval`: the Synchronization Interval in seconds."""
    role, why = status.get("role"), str(status.get("why") or "")
    troubles = tuple(_troubles(status, interval))
    if role == "fault":
        advice = Trouble("critical", "This device is in fault: %(why)s", _fault_advice(why), {"why": why},
                         "/status/events")  # fmt: skip
        return Answer(
            "critical", "Not protected", "This device holds no service address.", (advice, *troubles)
        )
    if role == "standalone":
        return Answer("info", "Not protected", "This device works alone.", tuple(_alone(status)))
    if role == "starting":
        return Answer("info", "Starting", "This device looks for the Master of its group.")
    levels: list[Level] = [trouble.level for trouble in troubles]
    level = max(levels, key=_weight, default="success")
    if level == "critical":
        return Answer("critical", "Not protected", "If the Master fails now, nobody takes over.", troubles)
    if level == "warning":
        return Answer("warning", "Protected, with a warning", "The Backup would take over.", troubles)
    text = "If the Master fails now, the Backup takes over by itself."
    return Answer("success", "Protected", text, troubles)


def _weight(level: Level) -> int:
    return ("info", "success", "warning", "critical").index(level)


def _alone(status: dict[str, Any]) -> list[Trouble]:
    licence = status.get("licence") or {}
    if not licence.get("redundancy"):
        return [Trouble("info", "No redundancy key is in force: %(why)s",
                        "Install the redundancy key for this serial number: Setup, Feature Keys.",
                        {"why": str(licence.get("why") or "-")}, "/setup/features")]  # fmt: skip
    return [
        Trouble("info", "Redundancy is disabled.", "Enable it: Setup, Redundancy.", {}, "/setup/redundancy")
    ]


def _fault_advice(why: str) -> str:
    if "key" in why.lower():
        return "Install the feature keys of this pair: Setup, Feature Keys."
    if "address" in why.lower() or "held by" in why:
        return "Take the other device with that address off the network, or change the address."
    return "The event of the same time says more: Status, System Events."


def _troubles(status: dict[str, Any], interval: float) -> list[Trouble]:
    peer = status.get("peer") or {}
    session, sync = peer.get("session") or {}, status.get("sync") or {}
    backup = status.get("role") == "backup"
    found: list[Trouble] = []
    if peer.get("state") in ("down", "unknown", None):
        found.append(Trouble("critical", "The other device is not heard.",
                             "Check that it is powered and that its LAN port is connected."))  # fmt: skip
    elif not session.get("up"):
        found.append(Trouble("critical", "There is no session to the other device: %(why)s",
                             "Check the feature keys and the Virtual IP Addresses of both units.",
                             {"why": str(session.get("why") or "-")}, "/setup/redundancy"))  # fmt: skip
    if (status.get("mode") if backup else peer.get("mode")) == "passive":
        found.append(Trouble("critical", "The Backup device is in passive mode: it does not take over.",
                             "Change Backup Device Mode to active on the Backup device: Setup, Redundancy.",
                             {}, "/setup/redundancy"))  # fmt: skip
    elif backup and status.get("why"):
        found.append(Trouble("critical", "This device would not take over: %(why)s",
                             "Wait if it says so; otherwise correct what it names.",
                             {"why": str(status["why"])}))  # fmt: skip
    elif not backup and session.get("up") and peer.get("armed") is False:
        found.append(Trouble("critical", "The Backup device is not ready to take over yet.",
                             "Wait for its first copy; its own first page says why."))  # fmt: skip
    if peer.get("deaf") or (status.get("vrrp") or {}).get("block") == "alive":
        found.append(Trouble("warning", "Advertisements are blocked between the two units.",
                             "Let the switch pass multicast to 224.0.0.18 (IP protocol 112) between "
                             "their ports."))  # fmt: skip
    age = sync.get("age_s")
    if age is not None and age > STALE * interval:
        found.append(Trouble("warning", "The Backup's copy is old: nothing has crossed for %(age)s s.",
                             "Check the session to the other device.", {"age": f"{age:.0f}"}))  # fmt: skip
    if sync.get("trouble"):
        found.append(Trouble("warning", "Synchronization: %(why)s", "See the events of the same time.",
                             {"why": str(sync["trouble"])}, "/status/events"))  # fmt: skip
    voice = sync.get("voice") or {}
    if voice.get("held"):
        found.append(Trouble("warning", "%(count)s deletions of voice files are held.",
                             "Look whether they were meant: Setup, Voice Data.",
                             {"count": str(voice["held"])}, "/setup/voice"))  # fmt: skip
    return [*found, *map(_mismatch, status.get("mismatches") or ())]


def _mismatch(one: dict[str, Any]) -> Trouble:
    parameter = str(one.get("parameter") or "?")
    values = {"parameter": parameter, "ours": str(one.get("ours")), "theirs": str(one.get("theirs"))}
    advice = ADVICE.get(
        "licence" if parameter.startswith("licence.") else parameter, "Make it the same on both units."
    )
    text = "The two units differ in %(parameter)s: here %(ours)s, there %(theirs)s."
    return Trouble("warning", text, advice, values)
