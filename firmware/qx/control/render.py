# SPDX-License-Identifier: Apache-2.0
"""render: what an operation answered, as text for a person: the command line and the console.

Pure, in the guide's words, and lenient: a key that the daemon does not deliver is left out, so an older
face can show a newer daemon. Imports next to nothing, because `qx status` does.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def mode_line(status: dict[str, Any]) -> str:
    """The guide's line on the Redundancy Settings page (R12)."""
    role, mode = status.get("role"), status.get("mode")
    if role == "fault":
        return f"Info: Current mode: Device is in fault: {status.get('why') or 'no reason was given'}"
    if role == "backup" and mode in ("active", "passive"):
        return f"Info: Current mode: Device is in Backup mode ({mode.capitalize()})"
    if role == "starting":
        return "Info: Current mode: Device is starting"
    return f"Info: Current mode: Device is in {str(role).capitalize()} mode"


def status_text(status: dict[str, Any], words: Callable[[str], str] = str) -> str:
    """The state of the unit and its pair, some ten aligned lines, in the language of `words`."""
    rows = [
        ("unit", f"{str(status.get('model', '?')).upper()} {status.get('serial', '?')}"),
        ("firmware", status.get("firmware")),
        ("since", _when(status.get("since"))),
        ("group", status.get("group_id")),
        ("Virtual IP", status.get("virtual_ip")),
        ("service", ", ".join(status.get("service_addresses") or ()) or "none held"),
        ("VRRP", _vrrp(status.get("vrrp") or {})),
        ("peer", _peer(status.get("peer") or {})),
        ("sync", _sync(status.get("sync") or {})),
        ("applications", ", ".join(_item(item) for item in status.get("applications") or ()) or "none"),
        ("licence", _licence(status.get("licence") or {})),
        *(("mismatch", _item(item)) for item in status.get("mismatches") or ()),
    ]
    told = (f"{words(name):<13} {words(str(value))}" for name, value in rows if value not in (None, ""))
    return "\n".join([words(mode_line(status)), *told])


def _vrrp(vrrp: dict[str, Any]) -> str:
    counters = vrrp.get("counters") or {}
    counted = ", ".join(f"{name} {count}" for name, count in counters.items() if count)
    state, age = str(vrrp.get("state") or ""), vrrp.get("state_since_s")
    state += f" for {duration(age)}" if state and age is not None else ""
    return "; ".join(part for part in (state, counted) if part)


def _peer(peer: dict[str, Any]) -> str:
    state = peer.get("state")
    if not state:
        return "unknown"
    mode = f" ({str(peer['mode']).capitalize()})" if peer.get("mode") else ""
    known = [str(peer["serial"])] if peer.get("serial") else []
    known += [f"firmware {peer['firmware']}"] if peer.get("firmware") else []
    session = peer.get("session") or {}
    if session and not session.get("up"):
        known.append(f"no session: {session.get('why')}" if session.get("why") else "no session")
    return ", ".join([f"{state}{mode}", *known])


def _licence(licence: dict[str, Any]) -> str:
    if licence.get("redundancy"):
        return f"{', '.join(licence.get('features') or ())}; paired with {licence.get('peer')}"
    return str(licence.get("why") or "")


def _sync(sync: dict[str, Any]) -> str:
    if sync.get("revision") is None:
        return ""
    peer, age = sync.get("peer_revision"), sync.get("age_s")
    parts = [f"revision {sync['revision']}"]
    parts += [f"peer {peer}"] if peer is not None else []
    parts += [f"{duration(age)} old"] if age is not None else []
    return ", ".join(parts)


def sync_text(sync: dict[str, Any]) -> str:
    """Settings and voice data, a line each, and the progress of a long copy."""
    voice = sync.get("voice") or {}
    files = f"{voice.get('files', '?')} files, {size(voice.get('octets') or 0)}"
    rows = [
        ("settings", ", ".join(part for part in (str(sync.get("state") or ""), _sync(sync)) if part)),
        ("", _progress(sync.get("progress"))),
        ("", sync.get("trouble")),
        ("voice data", ", ".join(part for part in (str(voice.get("state") or ""), files) if part)),
        ("", _progress(voice.get("progress"))),
        ("", f"{voice['held']} deletions are held (qx sync allow-deletion)" if voice.get("held") else ""),
        ("", voice.get("trouble")),
    ]
    return "\n".join(f"{name:<13} {value}" for name, value in rows if value not in (None, ""))


def _progress(progress: dict[str, Any] | None) -> str:
    if not progress:
        return ""
    left = progress.get("seconds_left")
    done = f"{size(progress['octets'])} of {size(progress['of'])}"
    return f"{done}, {duration(left)} left" if left is not None else done


def size(octets: float) -> str:
    """12 octets, 1.2 kB, 35 MB: in powers of ten, two digits are enough to judge by."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if octets >= factor:
            return f"{octets / factor:.{1 if octets < 10 * factor else 0}f} {unit}"
    return f"{octets:.0f} octets"


def _item(item: Any) -> str:
    """A text, or a map of texts with its name first, or anything that there may be later."""
    if isinstance(item, dict):
        return " ".join(str(value) for value in item.values() if value not in (None, ""))
    return "" if item is None else str(item)


def _when(since: Any) -> str:
    if not isinstance(since, int | float) or isinstance(since, bool):
        return "" if since is None else str(since)
    return f"{_clock(since)} ({duration(max(0.0, time.time() - since))} ago)"


def _clock(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))


def duration(seconds: float) -> str:
    """2.3 s, 5 min, 3 h, 12 d: two digits are enough to judge by."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds:.1f} s" if unit == "s" and seconds < 10 else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def event_text(event: dict[str, Any]) -> str:
    """One event on one line: time, severity, state, unit, name, description."""
    description = f": {event['description']}" if event.get("description") else ""
    return (
        f"{_clock(event['time'])}  {event['severity']:<8}  {event['state']:<4}  "
        f"{event['unit']}  {event['name']}{description}"
    )


def licence_text(licence: dict[str, Any]) -> str:
    """The installed keys, one a line, below what they make of the unit."""
    if licence.get("redundancy"):
        lines = [f"Redundancy: {licence.get('serial')} is paired with {licence.get('peer')}"]
    else:
        lines = [f"Redundancy: not available: {licence.get('why')}"]
    pin = licence.get("pin") or {}
    if pin.get("waiting"):
        lines.append(f"The peer's certificate has changed to {pin['waiting']}; confirm it on both units")
    if pin.get("asked"):
        lines.append("The other unit asks about this unit's changed certificate; confirm it on both units")
    return "\n".join([*lines, *map(_key_text, licence.get("keys") or ()), *licence.get("refused", ())])


def _key_text(key: dict[str, Any]) -> str:
    expires = f", to be installed until {key['expires']}" if key.get("expires") else ""
    rest = "" if key.get("in_force") else ", not in force"
    return (
        f"{', '.join(key['features'])}: {key['serial']} with {key['peer']}, set {key['set']}, "
        f"issued {key['issued']} by {key['signer']}{expires}{rest}"
    )


def installed_text(done: dict[str, Any]) -> str:
    """What installing a key did."""
    key = done["installed"]
    did = "Installed" if done.get("changed") else "Installed already"
    lines = [f"{did}: {_key_text({**key, 'in_force': True})}"]
    if done.get("removed"):
        lines.append(f"No longer licensed: {', '.join(done['removed'])}")
    if done.get("reboot"):
        lines.append("The device reboots now and returns in the role and mode it had.")
    return "\n".join(lines)


def revision_text(revision: dict[str, Any]) -> str:
    """A revision on one line, with its changes below."""
    who = f"{revision['who'] or '?'}, {revision['what']}"
    changes = [f"    {change_text(change)}" for change in revision["changes"][:CHANGES_SHOWN]]
    more = len(revision["changes"]) - CHANGES_SHOWN
    changes += [f"    and {more} more (--json has all)"] if more > 0 else []
    return "\n".join([f"{revision['revision']}  {_clock(revision['when'])}  {who}", *changes])


def change_text(change: dict[str, Any]) -> str:
    """One setting's change."""
    before, after = (
        "default" if change[name] is None else change[name] or "''" for name in ("before", "after")
    )
    return f"{change['path']}: {before} → {after}" if before != after else f"{change['path']}: changed"


def conflict_text(found: dict[str, Any]) -> str:
    """A conflict snapshot on one line."""
    if found.get("damage"):
        return f"{found['number']}  {found['damage']}"
    return (
        f"{found['number']}  {_clock(found['when'])}  {found['unit']} at revision "
        f"{found['position']['revision']}, {found['revisions']} of its own after {found['parting']}; "
        f"gave way to {found['peer']} at revision {found['theirs']['revision']}: {found['why']}"
    )


CHANGES_SHOWN = 12
