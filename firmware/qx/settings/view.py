# SPDX-License-Identifier: Apache-2.0
"""view: all settings at one revision, read by path, immutable, so any thread may hold and read one.

Defaults come from the schema for the unit's model; what was set explicitly lies over them. A setting that
the model does not have reads as not set, so readers need not ask for the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface

from ..model import Model
from .schema import SCHEMA, Schema
from .values import Plain


class Settings:
    """`explicit` maps paths to plain values; the caller hands it over and does not change it afterwards."""

    __slots__ = ("_explicit", "model", "schema")

    def __init__(self, model: Model, explicit: Mapping[str, Plain] | None = None, schema: Schema = SCHEMA):
        self.model = model
        self.schema = schema
        self._explicit: Mapping[str, Plain] = explicit or {}

    def __getitem__(self, path: str) -> Plain:
        """The plain value. Not set, and not on this model: None. Raises KeyError for a path no model has."""
        if path in self._explicit:
            return self._explicit[path]
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

    def paths(self, under: str = "") -> Iterator[str]:
        """The paths that this unit has at or below `under`: those without a key in the schema's order, then
        the rows of keyed tables, sorted. Empty `under`: all."""
        plain = [setting.path for setting in self.schema.on(self.model) if not setting.keyed]
        rows = sorted(path for path in self._explicit if path not in set(plain))
        return (path for path in plain + rows if not under or path == under or path.startswith(under + "."))

    def explicit(self, path: str) -> bool:
        """Was it set, as opposed to left at its default?"""
        return path in self._explicit

    def replaced(self, changes: Mapping[str, Plain]) -> Settings:
        """These settings with `changes` over them; None takes the explicit value away."""
        merged = {**self._explicit, **changes}
        return Settings(self.model, {p: v for p, v in merged.items() if v is not None}, self.schema)
