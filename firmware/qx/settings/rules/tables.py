# SPDX-License-Identifier: Apache-2.0
"""tables: the rules of rows: how many, and that what a row refers to is there (Models, Bad input). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..field import FieldError
from ..view import Settings

# Tables whose rows name an extension, and in which field.
REFER = ("phones", "fxo", "isdn")
FIELD = "extension"


def within_limit(settings: Settings, table: str) -> Iterator[FieldError]:
    most = settings.schema.tables[table].most(settings.model)
    count = settings.count(table)
    if most is not None and count > most:
        yield FieldError(table, f"{count} rows; expected at most {most} on the {settings.model.title}")


def _extension_is_there(table: str, settings: Settings, rows: Collection[str]) -> Iterator[FieldError]:
    for row in rows:
        path = f"{table}.{row}.{FIELD}"
        number = settings.explicit_value(path)
        if isinstance(number, str) and not settings.has_row("extensions", number):
            yield FieldError(path, f"{number}: expected the number of an extension that exists")


def _still_referred_to(settings: Settings, rows: Collection[str]) -> Iterator[FieldError]:
    gone = {row for row in rows if not settings.has_row("extensions", row)}
    if not gone:
        return
    for table in REFER:
        for row in settings.rows(table):
            path = f"{table}.{row}.{FIELD}"
            number = settings.explicit_value(path)
            if number in gone:
                yield FieldError(f"extensions.{number}", f"{path} refers to it; expected it to stay")


def _forward(settings: Settings, rows: Collection[str]) -> Iterator[FieldError]:
    for row in rows:
        when = settings.explicit_value(f"extensions.{row}.forward")
        to = settings.explicit_value(f"extensions.{row}.forward_to")
        if when not in (None, "never") and to is None:
            yield FieldError(f"extensions.{row}.forward_to", f"not set; expected a number, because calls "
                             f"are forwarded: {when}")  # fmt: skip
        if to == row and when not in (None, "never"):
            yield FieldError(f"extensions.{row}.forward_to", f"{row} is the extension itself; "
                             "expected another number")  # fmt: skip


def _phones(settings: Settings, rows: Collection[str]) -> Iterator[FieldError]:
    return _extension_is_there("phones", settings, rows)


def _fxo(settings: Settings, rows: Collection[str]) -> Iterator[FieldError]:
    return _extension_is_there("fxo", settings, rows)


def _isdn(settings: Settings, rows: Collection[str]) -> Iterator[FieldError]:
    return _extension_is_there("isdn", settings, rows)


def _actions(settings: Settings, rows: Collection[str]) -> Iterator[FieldError]:
    for row in rows:
        path = f"events.{row}.actions"
        if not settings.model.flash_led and "led" in settings.words(path):
            yield FieldError(path, f"led is not on the {settings.model.title}; expected other actions")


def _hosts(settings: Settings, rows: Collection[str]) -> Iterator[FieldError]:
    for row in rows:
        under = f"snmp.hosts.{row}"
        if settings.text(f"{under}.address") and settings.text(f"{under}.version") == "3":
            if not settings.text(f"{under}.user"):
                yield FieldError(f"{under}.user", "not set; expected a user, because version is 3")
            authenticated = settings.text(f"{under}.auth_protocol") != "none"
            if not authenticated and settings.text(f"{under}.privacy_protocol") != "none":
                yield FieldError(f"{under}.privacy_protocol", "expected none, because auth_protocol is none")


RULES = {
    "extensions": (_still_referred_to, _forward),
    "phones": (_phones,),
    "fxo": (_fxo,),
    "isdn": (_isdn,),
    "events": (_actions,),
    "snmp.hosts": (_hosts,),
}
