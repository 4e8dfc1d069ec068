# SPDX-License-Identifier: Apache-2.0
"""maintenance: configuration backup and restore, reboot, factory reset; firmware and language packs."""

from __future__ import annotations

import asyncio
from typing import Any

from microdot import Response

from ...errors import Refusal
from ..site import Site, Visit
from ..uploads import uploaded
from .access import LOGIN_WAIT
from .history import download

CONFIGURATION, REBOOT, RESET = (
    "/maintenance/configuration",
    "/maintenance/reboot",
    "/maintenance/factory-reset",
)
ARCHIVE_MAX = 3 << 20  # octets; a QX2000 with everything set has half of it
WAIT = 60.0  # seconds
HOWS = (
    ("hold", "It waits until this device is back, for at most 10 minutes."),
    ("swap", "It becomes Master first; this device comes back as Backup."),
)


def register(site: Site) -> None:
    @site.page(CONFIGURATION)
    async def configuration(visit: Visit) -> Response:
        return visit.render("configuration.html", most=ARCHIVE_MAX)

    @site.page(f"{CONFIGURATION}/backup", ("POST",), back=CONFIGURATION)
    async def backup(visit: Visit) -> Response:
        made = await visit.unit.ask("backup", {"passphrase": visit.field("passphrase")}, WAIT)
        return download(made["archive"], f"{site.identity.serial}.qxb")

    @site.page(f"{CONFIGURATION}/restore", ("POST",), upload=True, back=CONFIGURATION)
    async def restore(visit: Visit) -> Response:
        async with uploaded(visit, ARCHIVE_MAX) as file:
            octets = await asyncio.to_thread(file.path.read_bytes)
            asked = {"archive": octets, "passphrase": file.fields.get("passphrase", ""), "who": visit.who}
            done: dict[str, Any] = await visit.unit.ask("restore", asked, WAIT)
        for name, text in (
            ("kept", "Passwords that the file does not have were kept:"),
            ("missing", "Passwords that neither the file nor this device has:"),
        ):
            if done.get(name):
                visit.session.say("info", f"{site.words(text)} {', '.join(done[name][:10])}")
        return visit.go(CONFIGURATION, "success", "The configuration was restored.")

    @site.page(REBOOT, who="administrator")
    async def reboot(visit: Visit) -> Response:
        return _ask(
            visit, "Reboot", REBOOT, "Reboot", ("The device starts again. This takes about a minute.",)
        )

    @site.page(REBOOT, ("POST",))
    async def reboot_now(visit: Visit) -> Response:
        said = await visit.unit.ask("reboot", {"how": chosen(visit), "who": visit.who}, WAIT)
        return visit.render("leaving.html", title="Reboot", text=str(said))

    @site.page(RESET, who="administrator")
    async def reset(visit: Visit) -> Response:
        return visit.render("reset.html", choices=choices(visit)[1:])

    @site.page(RESET, ("POST",))
    async def reset_now(visit: Visit) -> Response:
        asked = {
            "how": chosen(visit), "serial": visit.field("serial").strip(), "user": visit.who,
            "password": visit.field("password"), "from": visit.address,
        }  # fmt: skip
        said = await visit.unit.ask("factory-reset", asked, LOGIN_WAIT)
        return visit.render("leaving.html", title="Factory Reset", text=str(said))


def choices(visit: Visit) -> tuple[tuple[str, str], ...]:
    """The question of R41, where an active Backup would take over."""
    peer = visit.status.get("peer") or {}
    return HOWS if visit.status.get("role") == "master" and peer.get("state") == "backup" else ()


def chosen(visit: Visit) -> str:
    how = visit.field("how")
    if how not in ("", "hold", "swap", "now"):
        raise Refusal(f"how: {how[:20]!r}; expected hold or swap")
    return how


def _ask(visit: Visit, title: str, path: str, button: str, lines: tuple[str, ...]) -> Response:
    return visit.render(
        "confirm.html", title=title, action=path, back="/", hidden={}, choices=choices(visit), danger=False,
        button=button, lines=lines,
    )  # fmt: skip
