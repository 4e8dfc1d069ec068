# SPDX-License-Identifier: Apache-2.0
"""rules: what holds between settings, each asked only when something that it reads was touched, so that one
change among 20,000 settings costs what one change costs.

A rule of a group sees the settings as they would be; a rule of a table sees the rows that were touched as
well (None: all of them). Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from ..field import FieldError
from ..view import Settings
from . import network, notification, ports, tables

Rule = Callable[[Settings], Iterator[FieldError]]
RowRule = Callable[[Settings, Collection[str]], Iterator[FieldError]]

GROUP_RULES: tuple[tuple[tuple[str, ...], tuple[Rule, ...]], ...] = (
    (network.GROUPS, network.RULES),
    (notification.GROUPS, notification.RULES),
    (ports.GROUPS, ports.RULES),
)
ROW_RULES: dict[str, tuple[RowRule, ...]] = tables.RULES


def check(settings: Settings, touched: Collection[str] | None = None) -> list[FieldError]:
    """Every rule that a change of the `touched` paths can break; all of them without it."""
    groups = None if touched is None else {path.partition(".")[0] for path in touched}
    errors: list[FieldError] = []
    for reads, rules in GROUP_RULES:
        if groups is None or not groups.isdisjoint(reads):
            errors += [error for rule in rules for error in rule(settings)]
    for table, rows in _rows(settings, touched).items():
        errors += tables.within_limit(settings, table)
        errors += [error for rule in ROW_RULES.get(table, ()) for error in rule(settings, rows)]
    return errors


def _rows(settings: Settings, touched: Collection[str] | None) -> dict[str, Collection[str]]:
    if touched is None:
        return {table: settings.rows(table) for table in settings.schema.tables}
    found: dict[str, set[str]] = {}
    for path in touched:
        place = settings.schema.place(path)
        if place:
            found.setdefault(place.table, set()).add(place.row)
    return {table: sorted(keys) for table, keys in found.items()}
