# SPDX-License-Identifier: Apache-2.0
"""Rows of a table, a page at a time, and those that have a word (R26)."""

from __future__ import annotations

import pytest

from qx.control import table_operations
from qx.errors import Refusal
from qx.model import MODELS
from qx.settings.view import Settings

SETTINGS = Settings(
    MODELS["qx200"],
    {
        "extensions.101.name": "Reception", "extensions.101.password": "desk-and-secret",
        "extensions.102.name": "Desk ÄÖ", "extensions.110.name": "desk 2",
        "phones.00:15:65:00:00:01.vendor": "yealink", "phones.00:15:65:00:00:01.extension": "101",
        "snmp.hosts.1.address": "192.0.2.7", "snmp.hosts.2.address": "192.0.2.8",
    },
)  # fmt: skip


@pytest.mark.parametrize(
    ("table", "find", "keys"),
    [
        ("extensions", "", ["101", "102", "110"]),
        ("extensions", "desk", ["102", "110"]),  # and no password
        ("extensions", "äö", ["102"]),
        ("extensions", "11", ["110"]),
        ("extensions", "yealink", []),
        ("phones", "101", ["00:15:65:00:00:01"]),
        ("snmp.hosts", "2.7", ["1"]),
        ("phones", "YEA", ["00:15:65:00:00:01"]),
    ],
)
def test_rows_that_have_a_word_in_their_key_or_a_field_that_is_no_secret(
    table: str, find: str, keys: list[str]
) -> None:
    found = table_operations.rows(SETTINGS, table, 0, 25, find, [])
    assert [row["key"] for row in found["rows"]] == keys
    assert found["found"] == len(keys)


def test_a_page_is_what_was_asked_for_and_never_more_than_it_may_be() -> None:
    found = table_operations.rows(SETTINGS, "extensions", 1, 1, "", ["name"])
    assert found == {"found": 3, "rows": [{"key": "102", "values": {"name": "Desk ÄÖ"}}]}
    many = Settings(MODELS["qx2000"], {f"extensions.{1000 + at}.name": "x" for at in range(300)})
    for asked, told in ((199, 199), (200, 200), (201, 200)):
        assert len(table_operations.rows(many, "extensions", 0, asked, "", [])["rows"]) == told


@pytest.mark.parametrize(("table", "fields"), [("nothing", []), ("extensions", ["password"]), ("isdn", [])])
def test_a_table_that_is_none_and_a_secret_are_refused_by_name(table: str, fields: list[str]) -> None:
    with pytest.raises(Refusal, match="expected"):
        table_operations.rows(SETTINGS, table, 0, 25, "", fields)
