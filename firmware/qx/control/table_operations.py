# SPDX-License-Identifier: Apache-2.0
"""table_operations: the rows of a table a page at a time, so that 2,000 phones cost a face no more than 25.

As `store_operations`: in the store's thread. Imports no asyncio.
"""

from __future__ import annotations

from typing import Any

from ..errors import Refusal
from ..settings.setting import Table
from ..settings.view import Settings

COUNT_MAX = 200


def rows(
    settings: Settings, table: str, offset: int, count: int, find: str, fields: list[str]
) -> dict[str, Any]:
    """{found, rows: [{key, values: {field: text}}]}: `found` rows have `find` in their key or a field that is
    no secret (empty: all), in the order of their keys; `count` of them from `offset` on are told."""
    known = settings.schema.tables.get(table)
    if known is None or not known.on(settings.model):
        raise Refusal(f"table: {table[:40]!r}; expected one of {', '.join(settings.schema.tables)}")
    for field in fields:
        if field not in known.fields or known.fields[field].secret:
            raise Refusal(f"fields: {field[:40]!r}; expected fields of {table} that are no secrets")
    keys = settings.rows(table)
    if find:
        keys = _having(settings, known, keys, find.casefold())
    told = keys[offset : offset + min(count, COUNT_MAX)]
    return {
        "found": len(keys),
        "rows": [
            {"key": key, "values": {field: settings.text(f"{table}.{key}.{field}") for field in fields}}
            for key in told
        ],
    }


def _having(settings: Settings, table: Table, keys: list[str], wanted: str) -> list[str]:
    """A field at a time, by paths: finding the setting of each of thousands would take most of the time."""
    having = {key for key in keys if wanted in key}
    for name, setting in table.fields.items():
        if not setting.secret:
            text, explicit = setting.type.text, settings.explicit_value
            values = ((key, explicit(f"{table.name}.{key}.{name}")) for key in keys)
            having |= {key for key, value in values if value is not None and wanted in text(value).casefold()}
    return [key for key in keys if key in having]
