# SPDX-License-Identifier: Apache-2.0
"""settings: every page that is made of a group of the schema: its fields, and its tables page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from microdot import Response

from ...errors import NoDaemon, Refusal
from ...settings.schema import SCHEMA
from ...settings.setting import Table
from ...settings.values import Choice, Flag
from .. import form as forms
from ..forms import SET_WAIT, Form
from ..menu import Page
from ..site import Missing, Site, Visit

ROWS = 25  # of a table on a page
COLUMNS = 4
KEYS = {"<number>": "Number", "<mac>": "MAC", "<line>": "Line", "<port>": "Port", "<user>": "User",
        "<host>": "Host", "<event>": "Event"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    title: str
    word: bool  # of a list of words, so it is translated
    flag: bool


def register(site: Site) -> None:
    for page in site.pages:
        if page.groups:
            _register(site, page)


def _register(site: Site, page: Page) -> None:
    @site.page(page.path)
    async def show(visit: Visit) -> Response:
        return await _shown(visit, page, {}, None)

    @site.page(page.path, ("POST",))
    async def save(visit: Visit) -> Response:
        form = await Form.of(visit, page.groups)
        changes: dict[str, str] = {}
        try:
            changes = await form.given(visit)
            await form.commit(visit, changes)
        except NoDaemon:
            raise
        except Refusal as error:
            return await _shown(visit, page, changes, error)
        return visit.go(page.path, *form.thanks(changes))

    @site.page(f"{page.path}/row")
    async def row(visit: Visit) -> Response:
        table = _table(visit, page, visit.argument("table"))
        return await _row(visit, table, visit.argument("row"), new=not visit.argument("row"))

    @site.page(f"{page.path}/row", ("POST",))
    async def save_row(visit: Visit) -> Response:
        return await _saved(visit, page, _table(visit, page, visit.field("table")))


def _table(visit: Visit, page: Page, name: str) -> Table:
    table = SCHEMA.tables.get(name)
    if (
        table is None
        or table.name.partition(".")[0] not in page.groups
        or not table.on(visit.site.identity.model)
    ):
        raise Missing(f"table: {name[:40]!r}; expected one of this page")
    return table


# --- a group ----------------------------------------------------------------------------------------------
async def _shown(visit: Visit, page: Page, given: dict[str, str], error: Refusal | None) -> Response:
    form = await Form.of(visit, page.groups, given, error)
    model = visit.site.identity.model
    tables = [t for t in SCHEMA.tables.values() if t.name.partition(".")[0] in page.groups and t.on(model)]
    return visit.render(
        "group.html", 409 if error else 200, fields=form.fields, advanced=form.advanced, error=form.error,
        tables=[await _listed(visit, table) for table in tables],
    )  # fmt: skip


async def _listed(visit: Visit, table: Table) -> dict[str, Any]:
    """One page of a table."""
    model = visit.site.identity.model
    columns = _columns(visit, table)
    offset = forms.whole(visit.argument("from")) or 0
    find = visit.argument("find")[:64]
    asked = {"table": table.name, "offset": offset, "count": ROWS, "find": find,
             "fields": [column.name for column in columns]}  # fmt: skip
    found = await visit.unit.ask("rows", asked)
    shown = len(found["rows"])
    return {
        "name": table.name, "title": table.name.rpartition(".")[2].capitalize(), "columns": columns,
        "rows": found["rows"], "found": found["found"], "offset": offset, "find": find,
        "open": not table.key.rows, "most": table.most(model), "key_title": KEYS.get(table.segment, "Name"),
        "before": max(0, offset - ROWS) if offset else None,
        "after": offset + ROWS if offset + shown < found["found"] else None,
        "readonly": any(forms.readable(s, str(visit.status.get("role"))) for s in table.fields.values()),
    }  # fmt: skip


def _columns(visit: Visit, table: Table) -> list[Column]:
    shown = [
        Column(name, setting.title, isinstance(setting.type, Choice), isinstance(setting.type, Flag))
        for name, setting in table.fields.items()
        if not setting.secret and setting.on(visit.site.identity.model)
    ]
    return shown[:COLUMNS]


# --- a row ------------------------------------------------------------------------------------------------
async def _row(
    visit: Visit, table: Table, row: str, *, new: bool, given: dict[str, str] | None = None,
    error: Refusal | None = None,
) -> Response:  # fmt: skip
    form = await _form(visit, table, row, new=new, given=given, error=error)
    return visit.render(
        "row.html", 409 if error else 200, table=table, row=row, new=new, fields=form.fields + form.advanced,
        error=form.error, key_title=KEYS.get(table.segment, "Name"),
        readonly=all(one.readonly for one in form.fields + form.advanced),
    )  # fmt: skip


async def _form(
    visit: Visit, table: Table, row: str, *, new: bool, given: dict[str, str] | None = None,
    error: Refusal | None = None,
) -> Form:  # fmt: skip
    model = visit.site.identity.model
    key = row if table.matches.fullmatch(row) else ""
    if not new and not key:
        raise Missing(f"{table.name}.{row[:40]}: not found; expected {table.key.expected}")
    values = {} if new else await visit.unit.values(f"{table.name}.{key}")
    settings = [
        (s, f"{table.name}.{row}.{name}") for name, s in table.fields.items() if s.on(model)
    ]  # fmt: skip
    if new:  # the names of the form's fields cannot have a key that is not known yet
        settings = [(s, f"{table.name}..{name}") for name, s in table.fields.items() if s.on(model)]
    return Form.made(visit, settings, values, given, error)


async def _saved(visit: Visit, page: Page, table: Table) -> Response:
    new, row = bool(visit.field("new")), visit.field("row").strip()
    back = page.path
    if visit.field("do") == "delete" and not new:
        await visit.unit.ask("unset", {"paths": [f"{table.name}.{row}"], "who": visit.who}, SET_WAIT)
        _forget(visit, table, row)
        return visit.go(back, "success", "Deleted.")
    form = await _form(visit, table, row, new=new)
    filled = form.filled(visit)
    secret = forms.passwords(form.fields, visit.form)
    key = table.key.canonical(row) if new and table.key.canonical else row
    changes = {path.replace(f"{table.name}..", f"{table.name}.{key}."): text for path, text in filled.items()}
    try:
        if not new:
            changes = filled = await form.given(visit)
        if new and not table.matches.fullmatch(key):
            raise Refusal(f"{row[:40]!r}: expected {table.key.expected}")
        if new and not changes and not secret:
            changes = _least(form, table, key)
        await form.commit(visit, changes)
        for text in secret.values():
            asked = {"user": key, "new": text, "change": key != visit.who, "who": visit.who}
            await visit.unit.ask("password_set", asked, SET_WAIT)
    except NoDaemon:
        raise
    except Refusal as error:
        if new and getattr(error, "fields", ()):
            error.fields = tuple(  # type: ignore[attr-defined]
                (path.replace(f"{table.name}.{key}.", f"{table.name}.."), text) for path, text in error.fields
            )  # fmt: skip
        return await _row(visit, table, row, new=new, given=filled, error=error)
    if changes or secret:
        _forget(visit, table, key)
    return visit.go(back, *(("success", "Saved.") if changes or secret else ("info", "Nothing was changed.")))


def _least(form: Form, table: Table, key: str) -> dict[str, str]:
    """A row is there when a field of it is set: of one that is left as it stands, a plain one."""
    for one in form.fields:
        if one.kind in ("flag", "choice"):
            return {one.path.replace(f"{table.name}..", f"{table.name}.{key}."): one.value}
    return {}


def _forget(visit: Visit, table: Table, row: str) -> None:
    """A user whose row was changed logs in anew; who did it stays."""
    if table.name == "users":
        visit.site.sessions.close_where(lambda one: one.user == row and one is not visit.session)
