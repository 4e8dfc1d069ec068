# SPDX-License-Identifier: Apache-2.0
"""redundancy: the guide's Redundancy Settings, and Swap Master Device."""

from __future__ import annotations

from typing import Any

from microdot import Response

from ...errors import NoDaemon, Refusal
from ..forms import Form
from ..site import Site, Visit

PATH = "/setup/redundancy"
MODE = "redundancy.backup_mode"
SET_WAIT = 30.0  # seconds
SWAP_WAIT = 60.0
SWAP = (
    "The Backup device becomes Master and starts all applications. This device reboots and then runs as "
    "Backup, in the mode that the Backup device has now.",
    "Registrations and calls that are up stay up.",
)


def register(site: Site) -> None:
    @site.page(PATH)
    async def show(visit: Visit) -> Response:
        return await _page(visit, {}, None)

    @site.page(PATH, ("POST",))
    async def save(visit: Visit) -> Response:
        form = await _form(visit)
        changes: dict[str, str] = {}
        try:
            changes = await form.given(visit)
            if visit.status.get("role") == "backup" and MODE in changes:
                # Checked first with the rest: one that is refused must not leave the mode changed.
                mode = changes[MODE]
                await form.commit(visit, {path: text for path, text in changes.items() if path != MODE})
                await visit.unit.ask("mode", {"mode": mode}, SET_WAIT)
            else:
                await form.commit(visit, changes)
        except NoDaemon:
            raise
        except Refusal as error:
            return await _page(visit, changes, error)
        return visit.go(PATH, *form.thanks(changes))

    @site.page(f"{PATH}/swap", who="administrator")
    async def ask(visit: Visit) -> Response:
        if visit.status.get("role") != "master":
            raise Refusal("swap: this device is no Master; only the Master can be swapped")
        return visit.render(
            "confirm.html", title="Swap Master Device", action=f"{PATH}/swap", back=PATH, hidden={},
            choices=(), danger=False, button="Swap Master Device",
            lines=SWAP,
        )  # fmt: skip

    @site.page(f"{PATH}/swap", ("POST",), back=PATH)
    async def swap(visit: Visit) -> Response:
        said: Any = await visit.unit.ask("swap", {"who": visit.who}, SWAP_WAIT)
        return visit.render("leaving.html", text=str(said), title="Swap Master Device")


async def _form(visit: Visit, given: dict[str, str] | None = None, error: Refusal | None = None) -> Form:
    return await Form.of(visit, ("redundancy", "phone_reboot"), given, error)


async def _page(visit: Visit, given: dict[str, str], error: Refusal | None) -> Response:
    form = await _form(visit, given, error)
    return visit.render(
        "redundancy.html", 409 if error else 200, fields=form.fields, advanced=form.advanced, error=form.error
    )
