# SPDX-License-Identifier: Apache-2.0
"""join: may this unit be a member of its group, and if not, what may it be instead (R1). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ..settings.view import Settings
from ..trust.bond import Permission


@dataclass(frozen=True, slots=True)
class Join:
    """`member`: redundancy is set up and licensed. `barred`: why the unit must hold no service address, empty
    where it may. `note`: why redundancy that is set up is not in force on a unit that runs standalone."""

    member: bool
    barred: str = ""
    note: str = ""


DATA_LOST = (
    "the data partition of this unit is lost, and with it what it knew of its peer; "
    "expected a factory reset, or another unit"
)


def join(settings: Settings, permission: Permission, met: str | None, lost: str = "") -> Join:
    """`met`: the serial number of the peer with which this unit was paired, None where it never was. `lost`:
    why its settings are gone, empty where they are not.

    An administrator who disables redundancy says so in the settings. A unit that was paired and whose
    settings do not speak of redundancy at all has lost them, and would take the pair's service address."""
    if settings.flag("redundancy.enabled"):
        if permission.allowed:
            return Join(True)
        if permission.fault:
            return Join(False, barred=permission.why)
        return Join(False, note=permission.why)
    if (met is not None or lost) and not settings.explicit("redundancy.enabled"):
        why = (
            f"redundancy.enabled: the settings of this unit, which is paired with {met}, are lost; "
            "expected true, or false to run it standalone"
            if met
            else "redundancy.enabled: the settings of this unit are lost; expected true, or false to run it "
            "standalone"
        )
        return Join(False, barred=f"{why} ({lost})" if lost else why)
    return Join(False)
