# SPDX-License-Identifier: Apache-2.0
"""kinds: which setting an event's name answers to, what it is about, and whether it says that all is well.

Whoever raises an event says severity, name and description; here stands what follows from the name: its key
in `events.<event>.actions`, and its subject. A good event clears what bad ones of its subject told, and those
of a subject that may flap are damped (damper.py). A name that is not here has the key `other`. Pure data.
"""

from __future__ import annotations

from typing import NamedTuple

OTHER = "other"


class Kind(NamedTuple):
    key: str
    subject: str = ""  # empty: it stands for itself
    good: bool = False  # it clears the subject's others
    flaps: bool = False


def _states(key: str, subject: str, bad: str, good: str, flaps: bool = False) -> dict[str, Kind]:
    return {bad: Kind(key, subject, False, flaps), good: Kind(key, subject, True, flaps)}


PEER = "Backup device"

KINDS: dict[str, Kind] = {
    # the guide's three (R32)
    "Backup device is UP (Active mode)": Kind("backup-up-active", PEER, True, True),
    "Backup device is UP (Passive mode)": Kind("backup-up-passive", PEER, True, True),
    "Backup device is DOWN": Kind("backup-down", PEER, False, True),
    # the role
    "Takeover: this device is Master": Kind("takeover"),
    "Swap Master Device": Kind("swap"),
    "This device is Master": Kind("role"),
    "This device is no longer Master": Kind("role"),
    "This device is in fault": Kind("fault"),
    "Redundancy is not in force": Kind("role"),
    "No Master was found": Kind("role"),
    "Both devices were passive": Kind("role"),
    "Passive mode has ended": Kind("role"),
    "Waiting for the Master to restart": Kind("role"),
    "The role goes to the other unit, which has the data": Kind("role"),
    "The role stays here, without the other unit's data": Kind("role"),
    "Pair mismatch": Kind("pair-mismatch"),
    # the network
    "Address conflict": Kind("address-conflict"),
    **_states("link", "LAN link", "LAN link is down", "LAN link is up", flaps=True),
    **_states("link", "WAN link", "WAN link is down", "WAN link is up", flaps=True),
    "Network interface cannot be used": Kind("network"),
    "A change on the network interface failed": Kind("network"),
    "Advertisement refused": Kind("network"),
    "Another router uses our Redundant Group ID": Kind("network"),
    "Advertisements lost in a flood": Kind("network"),
    **_states("network", "Advertisements", "Advertisements are blocked", "Advertisements arrive again"),
    # this unit
    "This device was not running": Kind("device"),
    "Control plane does not answer": Kind("device"),
    # synchronisation
    **_states("sync-stale", "Synchronization", "Synchronization is stale", "Synchronization is current"),
    "First copy of the Master's state": Kind("sync-stopped"),
    "Synchronization begins anew": Kind("sync-stopped"),
    "Synchronization stopped": Kind("sync-stopped"),
    "No session to the other unit": Kind("sync-stopped"),
    "Settings differ": Kind("sync-stopped"),
    **_states("storage", "Space", "No space for synchronization", "Synchronization has space again"),
    **_states("storage", "Settings space", "No space for settings", "Settings have space again"),
    "Settings cannot be written": Kind("storage"),
    "Settings lost": Kind("settings-restored"),
    "Settings log given up": Kind("settings-restored"),
    "Settings restored from a snapshot": Kind("settings-restored"),
    "Conflict snapshot": Kind("sync-conflict"),
    "Conflict snapshot dropped": Kind("sync-conflict"),
    "Conflict snapshot not kept": Kind("sync-conflict"),
    **_states("storage", "Voice data", "Voice data: not synchronised", "Voice data: stored again"),
    **_states("deletion-held", "Deletion", "Voice data: deletion held",
              "Voice data: deletion no longer held"),
    "Voice data: left out": Kind("storage"),
    "Voice data: not readable": Kind("storage"),
    # who may
    "Connection refused": Kind("security"),
    "Certificate changed": Kind("security"),
    "Paired": Kind("security"),
    "Login lockout": Kind("login-lockout"),
    "Feature key installed": Kind("licence"),
    # the PBX, releases
    "Application failure": Kind("application-failure"),
    "Phones need a manual reboot": Kind("phones-manual"),
    "Upgrade": Kind("upgrade"),
    **_states(OTHER, "Deliveries", "Deliveries fail", "Deliveries work again"),
    "Test": Kind(OTHER),
}  # fmt: skip

_OTHER = Kind(OTHER)

# Promotions: the RFCs' trap goes out as well.
PROMOTIONS = frozenset(("Takeover: this device is Master", "Swap Master Device", "This device is Master"))


def kind_of(name: str) -> Kind:
    return KINDS.get(name, _OTHER)
