# SPDX-License-Identifier: Apache-2.0
"""trial: is the firmware that was just started well? Confirmed when it was healthy for a while, given up when
it was not within a time. Pure; `now` is monotonic seconds.

Healthy is what an administrator would call it: the daemon answers (it asks this), the unit has a role, what
the role wants runs, the pages are served, and a unit that had a session with its peer has it again. A fault
that was there before the upgrade is no reason to give it up.
"""

from __future__ import annotations

from typing import Any, Literal

HEALTHY_FOR = 10.0  # seconds without a break
TRIAL = 300.0  # seconds from the start of the daemon

Verdict = Literal["wait", "confirm", "back"]


def ailment(status: dict[str, Any], before: dict[str, Any]) -> str:
    """Why this `status` is not healthy, as a line; empty where it is. `before`: `baseline` of the release
    before."""
    role = status.get("role")
    if role == "fault" and before.get("role") != "fault":
        return f"the device is in fault: {status.get('why')}"
    if role not in ("standalone", "master", "backup", "fault"):
        return "the device has no role yet"
    for one in status.get("applications") or ():
        if role in ("standalone", "master") and one.get("state") != "running":
            return f"application {one.get('name')}: {one.get('trouble') or one.get('state')}"
    pages = status.get("pages") or {}
    if pages.get("state", "running") != "running":
        return f"the pages are not served: {pages.get('why') or pages.get('state')}"
    session = (status.get("peer") or {}).get("session") or {}
    if role == "backup" and before.get("session") and not session.get("up"):
        return f"no session to the other device: {session.get('why') or 'it does not answer'}"
    return ""


def baseline(status: dict[str, Any]) -> dict[str, Any]:
    """What is remembered of the release before, to judge the new one by."""
    session = (status.get("peer") or {}).get("session") or {}
    return {"role": status.get("role"), "session": bool(session.get("up")), "version": status.get("firmware")}


class Trial:
    """`look` is asked every second or so."""

    def __init__(self, began: float, healthy_for: float = HEALTHY_FOR, within: float = TRIAL) -> None:
        self._until = began + within
        self._healthy_for = healthy_for
        self._since: float | None = None

    def look(self, now: float, ailing: str) -> Verdict:
        if ailing:
            self._since = None
            return "back" if now >= self._until else "wait"
        if self._since is None:
            self._since = now
        return "confirm" if now - self._since >= self._healthy_for else "wait"
