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
    """Only what was set is looked at: asking for each field of thousands of rows takes most of the time."""
    texts = {name: setting.type.text for name, setting in table.fields.items() if not setting.secret}
    having = {key for key in keys if wanted in key}
    begin = f"{table.name}."
    for path in settings.explicit_paths():
        if path.startswith(begin):
            key, _, name = path.removeprefix(begin).rpartition(".")
            if name in texts and wanted in texts[name](settings.explicit_value(path)).casefold():
                having.add(key)
    return [key for key in keys if key in having]
