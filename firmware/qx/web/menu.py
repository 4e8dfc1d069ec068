# SPDX-License-Identifier: Apache-2.0
"""menu: the menus and pages, as the guide names them (R26). Data: what is where, on which models.

A page of settings is a line here: the groups of the schema that it shows. A group that no line names gets a
page of its own, so that a new one never stays out of sight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..model import Model
from ..settings.schema import SCHEMA, Schema


def every(_model: Model) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Page:
    menu: str  # Setup, Status, Maintenance
    path: str
    title: str
    groups: tuple[str, ...] = ()  # of settings; empty for a page that is more than settings
    on: Callable[[Model], bool] = every
    under: str = ""  # the menu between, as the guide's Licensed Features


PAGES = (
    Page("Status", "/", "Overview"),
    Page("Status", "/status/hardware", "Hardware Status"),
    Page("Status", "/status/events", "System Events", under="Events"),
    Page("Status", "/status/event-settings", "Event Settings", under="Events"),
    Page("Status", "/status/takeovers", "Takeovers"),
    Page("Status", "/status/history", "Change History"),
    Page("Status", "/status/conflicts", "Conflicts"),
    Page("Setup", "/setup/redundancy", "Redundancy"),
    Page("Setup", "/setup/features", "Feature Keys", under="Licensed Features"),
    Page("Setup", "/setup/extensions", "Extensions", ("extensions",)),
    Page("Setup", "/setup/phones", "IP Phones", ("phones",)),
    Page("Setup", "/setup/network", "Network", ("network",)),
    Page("Setup", "/setup/fxo", "FXO", ("fxo",), on=lambda model: model.fxo),
    Page("Setup", "/setup/isdn", "ISDN", ("isdn",), on=lambda model: model.isdn),
    Page("Setup", "/setup/calls", "Calls", ("call",)),
    Page("Setup", "/setup/voice", "Voice Data"),
    Page("Setup", "/setup/mail", "Mail", ("mail",), under="Notifications"),
    Page("Setup", "/setup/sms", "SMS", ("sms",), under="Notifications"),
    Page("Setup", "/setup/snmp", "SNMP", ("snmp",), under="Notifications"),
    Page("Setup", "/setup/time", "Time and Language", ("time", "language")),
    Page("Setup", "/setup/users", "Users", ("users",)),
    Page("Setup", "/setup/web", "Web Pages", ("web",)),
    Page("Maintenance", "/maintenance/firmware", "Firmware Update"),
    Page("Maintenance", "/maintenance/language", "Language Pack"),
    Page("Maintenance", "/maintenance/configuration", "Configuration"),
    Page("Maintenance", "/maintenance/certificate", "HTTPS Certificate"),
    Page("Maintenance", "/maintenance/reboot", "Reboot"),
    Page("Maintenance", "/maintenance/factory-reset", "Factory Reset"),
)

# Groups that a page of another kind shows.
ELSEWHERE = ("redundancy", "phone_reboot", "events")


def pages(model: Model, schema: Schema = SCHEMA) -> tuple[Page, ...]:
    """The pages of that model, in their order."""
    shown = {group for page in PAGES for group in page.groups} | set(ELSEWHERE)
    groups = dict.fromkeys(setting.path.partition(".")[0] for setting in schema.on(model))
    more = (
        Page("Setup", f"/setup/{group.replace('_', '-')}", group.replace("_", " ").capitalize(), (group,))
        for group in groups if group not in shown
    )  # fmt: skip
    return (*(page for page in PAGES if page.on(model)), *more)


def menus(found: tuple[Page, ...]) -> Iterator[tuple[str, list[Page]]]:
    for name in ("Status", "Setup", "Maintenance"):
        yield name, sorted((page for page in found if page.menu == name), key=found.index)


def at(found: tuple[Page, ...], path: str) -> Page | None:
    """The page at that path, or the one that it is a part of."""
    fitting = [page for page in found if path == page.path or path.startswith(page.path.rstrip("/") + "/")]
    return max(fitting, key=lambda page: len(page.path), default=None)
