# SPDX-License-Identifier: Apache-2.0
"""view: all settings at one revision, read by path, immutable, so any thread may hold and read one.

Defaults come from the schema for the unit's model; what was set explicitly lies over them. A setting that
the model does not have reads as not set, so readers need not ask for the model. Rows are counted as they
come and go, and what did not change is shared: with 20,000 settings a change costs nothing that grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface

from ..model import Model
from .layers import Layers
from .schema import SCHEMA, Schema
from .values import Plain

Rows = dict[str, dict[str, int]]  # table: row: how many of its fields are set


class Settings:
    """`explicit` maps paths to plain values; the caller hands it over and does not change it afterwards."""

    __slots__ = ("_explicit", "_rows", "model", "schema")

    def __init__(self, model: Model, explicit: Mapping[str, Plain] | None = None, schema: Schema = SCHEMA):
        self.model = model
        self.schema = schema
        self._explicit = Layers(dict(explicit or {}))
        self._rows: Rows = {}
        for path in self._explicit:
            place = schema.place(path)
            if place:
                rows = self._rows.setdefault(place.table, {})
                rows[place.row] = rows.get(place.row, 0) + 1

    def __getitem__(self, path: str) -> Plain:
        """The plain value. Not set, and not on this model: None. Raises KeyError for a path no model has."""
        value = self._explicit.get(path)
        if value is not None:
            return value
        setting = self.schema.find(path)
        if setting is None:
            raise KeyError(path)
        return setting.default_for(self.model) if setting.on(self.model) else None

    def flag(self, path: str) -> bool:
        return self[path] is True

    def number(self, path: str) -> int:
        """A whole number; seconds as centiseconds. 0 where not set."""
        value = self[path]
        return value if isinstance(value, int) else 0

    def text(self, path: str) -> str:
        """The value as `qx get` prints it; empty where not set."""
        value = self[path]
        setting = self.schema.find(path)
        return "" if value is None or setting is None else setting.type.text(value)

    def words(self, path: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self[path]
        return value if isinstance(value, tuple) else ()

    def interface(self, path: str) -> IPv4Interface | None:
        """An address with its prefix. None where not set or obtained otherwise (dhcp, pppoe)."""
        value = self[path]
        return IPv4Interface(value) if isinstance(value, str) and "/" in value else None

    def host(self, path: str) -> IPv4Address | None:
        value = self[path]
        return IPv4Address(value) if isinstance(value, str) else None

    # --- rows of tables ----------------------------------------------------------------------------
    def rows(self, table: str) -> list[str]:
        """The keys of a table's rows, sorted; of a fixed table all, on a model that has it."""
        fixed = self.schema.tables[table]
        if fixed.key.rows:
            return list(fixed.key.rows) if fixed.on(self.model) else []
        return sorted(self._rows.get(table, ()))

    def has_row(self, table: str, row: str) -> bool:
        return row in self.schema.tables[table].key.rows or row in self._rows.get(table, ())

    def count(self, table: str) -> int:
        """How many rows are set."""
        return len(self._rows.get(table, ()))

    # --- paths -------------------------------------------------------------------------------------
    def paths(self, under: str = "") -> Iterator[str]:
        """The paths that this unit has at or below `under`: those without a key in the schema's order, then
        fixed rows, then the rows of other tables, sorted. Empty `under`: all."""
        setting = self.schema.find(under)
        if setting is not None:
            return iter([under] if self._shown(under) else [])
        found = [s.path for s in self.schema.on(self.model) if not s.keyed]
        found += self._fixed()
        found += self._open(under)
        return (path for path in found if not under or path.startswith(under + "."))

    def _shown(self, path: str) -> bool:
        setting = self.schema.find(path)
        if setting is None or not setting.on(self.model):
            return False
        place = self.schema.place(path)
        return place is None or self.has_row(place.table, place.row)

    def _fixed(self) -> Iterator[str]:
        for table in self.schema.tables.values():
            for row in table.key.rows:
                for field, setting in table.fields.items():
                    if setting.on(self.model):
                        yield f"{table.name}.{row}.{field}"

    def _open(self, under: str) -> list[str]:
        """What is set at or below `under` in the tables that are not fixed, sorted."""
        for table in self.schema.tables.values():
            row = under.removeprefix(f"{table.name}.")
            if row != under and row in self._rows.get(table.name, ()):
                return sorted(p for f in table.fields if (p := f"{under}.{f}") in self._explicit)
        below = f"{under}." if under else ""
        tables = self.schema.tables
        return sorted(
            path for path in self._explicit
            if path.startswith(below) and (place := self.schema.place(path))
            and not tables[place.table].key.rows
        )  # fmt: skip

    def explicit(self, path: str) -> bool:
        """Was it set, as opposed to left at its default?"""
        return path in self._explicit

    def explicit_value(self, path: str) -> Plain:
        """What was set; None where nothing was."""
        return self._explicit.get(path)

    def holds(self, path: str, value: Plain) -> bool:
        """Was exactly this value set, or nothing for None?"""
        kept = self._explicit.get(path)
        return type(kept) is type(value) and kept == value

    def explicit_paths(self) -> Iterator[str]:
        return iter(self._explicit)

    def replaced(self, changes: Mapping[str, Plain]) -> Settings:
        """These settings with `changes` over them; None takes the explicit value away."""
        after = Settings(self.model, None, self.schema)
        after._explicit = self._explicit.replaced(changes)
        rows = after._rows = self._rows.copy()
        copied: set[str] = set()
        for path, value in changes.items():
            change = (value is not None) - (path in self._explicit)
            place = self.schema.place(path) if change else None
            if place is None:
                continue
            if place.table not in copied:
                copied.add(place.table)
                rows[place.table] = dict(rows.get(place.table, {}))
            _count(rows[place.table], place.row, change)
        return after


def _count(rows: dict[str, int], row: str, change: int) -> None:
    rows[row] = rows.get(row, 0) + change
    if not rows[row]:
        del rows[row]
