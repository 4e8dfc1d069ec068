# SPDX-License-Identifier: Apache-2.0
"""pbx_operations: what processes of the PBX ask the daemon, and what users see of registrations and calls."""

from __future__ import annotations

from typing import Any

from ..pbx.registration import DIALOGS, REGISTRATIONS, SECRET, TELEPHONY, contacts_of, dialog_of
from ..settings.store import Store
from .unit import Unit

# Of which Kamailio's configuration is made, and the phone run's plan.
RENDERED = ("extensions", "call", "network", "phones", "phone_reboot")


async def pbx_settings(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: model; explicit: path to plain value of the groups RENDERED, passwords among them; secret: what
    nonces are made with. For processes that may read the settings' file as well; never printed."""
    secret = unit.live.table(TELEPHONY).get(SECRET, b"").hex()

    def read(store: Store) -> dict[str, Any]:
        settings = store.settings
        paths = (path for path in settings.explicit_paths() if path.partition(".")[0] in RENDERED)
        explicit = {path: settings.explicit_value(path) for path in paths}
        return {"model": settings.model.name, "explicit": explicit, "secret": secret}

    return await unit.run_in_store(read)


async def pbx_live(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: registrations, a list of contacts by address of record; calls, a list of dialogs."""
    live = unit.live
    registrations = dict(live.table(REGISTRATIONS))
    dialogs = dict(live.table(DIALOGS))
    return {
        "registrations": {
            aor: [contact._asdict() for contact in contacts_of(aor, row)]
            for aor, row in sorted(registrations.items())
        },
        "calls": [dialog_of(call_id, row)._asdict() for call_id, row in sorted(dialogs.items())],
    }


OPERATIONS = {"pbx_settings": pbx_settings, "pbx_live": pbx_live}
