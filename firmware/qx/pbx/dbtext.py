# SPDX-License-Identifier: Apache-2.0
"""dbtext: tables in the form of Kamailio's db_text: a line of columns, then one a row, `:` between. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from .registration import Contact

HTABLE_COLUMNS = "id(int,auto) key_name(string) key_type(int) value_type(int) key_value(string) expires(int)"
VERSION_COLUMNS = "id(int,auto) table_name(string) table_version(int)"
LOCATION_COLUMNS = (
    "id(int,auto) ruid(string) username(string) domain(string,null) contact(string) received(string,null) "
    "path(string,null) expires(int) q(double) callid(string) cseq(int) last_modified(int) flags(int) "
    "cflags(int) user_agent(string) socket(string,null) methods(int,null) instance(string,null) reg_id(int) "
    "server_id(int) connection_id(int) keepalive(int) partition(int)"
)
VERSIONS = {"location": 9, "htable": 2}  # of the schema of Kamailio 5.6

_ESCAPED = str.maketrans({"\\": "\\\\", ":": "\\:", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"})


def escaped(text: str) -> str:
    return text.translate(_ESCAPED)


def version(tables: Iterable[tuple[str, int]]) -> str:
    """What Kamailio checks the tables against: their names and versions."""
    return _lines(
        VERSION_COLUMNS,
        (f"{number}:{name}:{version}" for number, (name, version) in enumerate(tables, 1)),
    )


def htable(rows: Iterable[tuple[str, str]]) -> str:
    """Texts by key; empty values are left out, since Kamailio takes none."""
    return _lines(
        HTABLE_COLUMNS,
        (
            f"{number}:{escaped(key)}:0:0:{escaped(value)}:0"
            for number, (key, value) in enumerate(rows, 1)
            if value
        ),
    )


def location(contacts: Iterable[Contact]) -> str:
    """Registrations. What is empty is null; `methods` null are all methods."""
    return _lines(LOCATION_COLUMNS, (_contact(number, contact) for number, contact in enumerate(contacts, 1)))


def _contact(number: int, contact: Contact) -> str:
    aor, ruid, uri, received, path, expires, q, call_id, cseq, cflags, socket, agent = map(
        escaped, map(str, contact)
    )
    return (
        f"{number}:{ruid}:{aor}::{uri}:{received}:{path}:{expires}:{q}:{call_id}:{cseq}:0:0:{cflags}:{agent}:"
        f"{socket}:::0:0:-1:0:0"
    )


def _lines(columns: str, rows: Iterable[str]) -> str:
    return "\n".join([columns, *rows]) + "\n"
