# SPDX-License-Identifier: Apache-2.0
"""setting: what one setting is, what may stand in a key, and how a path finds its setting.

A segment of a path in angle brackets is the key of a table (`extensions.<number>.name`): `extensions` is the
table, `101` a row of it, `name` a field. A row is there when any of its fields is set; the rows of a fixed
table (`fxo.<line>`) are always there. Pure: knows no setting by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..model import Model
from .values import Plain, ValueType

Scope = Literal["unit", "pair", "shared"]


def every(_model: Model) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Setting:
    path: str
    type: ValueType
    default: Plain | Callable[[Model], Plain]
    title: str  # the field's name, the guide's where it has one
    help: str  # one or two sentences
    scope: Scope
    on: Callable[[Model], bool] = every  # which models have it
    secret: bool = False  # never printed back
    advanced: bool = False  # expert settings (R2)

    def default_for(self, model: Model) -> Plain:
        return self.default(model) if callable(self.default) else self.default

    @property
    def keyed(self) -> bool:
        return "<" in self.path


@dataclass(frozen=True, slots=True)
class Key:
    """What may stand in a `<segment>`."""

    pattern: str  # a regular expression, matched whole
    expected: str
    rows: tuple[str, ...] = ()  # of a fixed table: all there are
    most: Callable[[Model], int] | None = None  # rows that a model takes; None: as many as match
    canonical: Callable[[str], str] | None = None  # other spellings of a key to the one that is kept


class Place(NamedTuple):
    """Where a path lies in a table."""

    table: str
    row: str
    field: str


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    segment: str  # with its brackets
    key: Key
    matches: re.Pattern[str]
    fields: dict[str, Setting]

    def on(self, model: Model) -> bool:
        return any(setting.on(model) for setting in self.fields.values())

    def most(self, model: Model) -> int | None:
        return self.key.most(model) if self.key.most else None


class Schema:
    """A set of settings, found by path; `keys` for keyed tables by segment, like `<number>`."""

    def __init__(self, settings: Iterable[Setting], keys: Mapping[str, Key] | None = None):
        self._settings: tuple[Setting, ...] = tuple(settings)
        self._plain = {setting.path: setting for setting in self._settings if not setting.keyed}
        self.tables: dict[str, Table] = {}
        for setting in self._settings:
            if setting.keyed:
                self._add_field(setting, keys or {})
        if len({setting.path for setting in self._settings}) != len(self._settings):
            raise ValueError("a path stands twice in the schema")

    def _add_field(self, setting: Setting, keys: Mapping[str, Key]) -> None:
        table, segment, field = re.split(r"\.(?=<)|(?<=>)\.", setting.path)  # one key a path
        key = keys[segment]
        found = self.tables.setdefault(table, Table(table, segment, key, re.compile(key.pattern), {}))
        found.fields[field] = setting

    def find(self, path: str) -> Setting | None:
        """The setting at that path on any model, None where no model has one."""
        found = self._plain.get(path)
        if found is not None:
            return found
        place = self.place(path)
        return self.tables[place.table].fields[place.field] if place else None

    def place(self, path: str) -> Place | None:
        """Table, row and field of a path with a good key and a known field; None for any other."""
        table, rest = self._table_of(path)
        if table is None:
            return None
        row, _, field = rest.partition(".")
        if field not in table.fields or not table.matches.fullmatch(row):
            return None
        return Place(table.name, row, field)

    def _table_of(self, path: str) -> tuple[Table | None, str]:
        head, _, rest = path.partition(".")
        table = self.tables.get(head)
        if table is None:
            second, _, rest = rest.partition(".")
            table = self.tables.get(f"{head}.{second}")
        return table, rest

    def canonical(self, path: str) -> str:
        """The path with its key in the spelling that is kept (`phones.00-15-65-…` to `phones.00:15:65:…`)."""
        table, rest = self._table_of(path)
        if table is None or table.key.canonical is None or not rest:
            return path
        row, dot, field = rest.partition(".")
        return f"{table.name}.{table.key.canonical(row)}{dot}{field}"

    def bad_key(self, path: str) -> str:
        """What is wrong with the key in a path of a known table; empty where nothing is."""
        table, rest = self._table_of(path)
        row = rest.partition(".")[0]
        if table is None or not row or table.matches.fullmatch(row):
            return ""
        return f"{table.segment} is {table.key.expected}"

    def all(self) -> Iterator[Setting]:
        return iter(self._settings)

    def on(self, model: Model) -> Iterator[Setting]:
        """The settings of that model, in the schema's order."""
        return (setting for setting in self._settings if setting.on(model))

    def groups(self, model: Model) -> set[str]:
        """Every proper beginning of a path of that model: `redundancy`, `network`, `network.lan`."""
        paths = (setting.path.split(".") for setting in self.on(model))
        return {".".join(path[:end]) for path in paths for end in range(1, len(path))}
