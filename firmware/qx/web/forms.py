# SPDX-License-Identifier: Apache-2.0
"""forms: a form of settings on a page: what it shows, and how what was filled in is committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import Refusal
from ..settings.schema import SCHEMA
from ..settings.setting import Setting
from . import form
from .form import Field
from .site import Visit

SET_WAIT = 30.0  # seconds; flash may be slow, and a change of the pair's parameters takes both units


@dataclass(frozen=True, slots=True)
class Form:
    fields: list[Field]
    advanced: list[Field]
    error: str  # what is wrong and belongs to no field

    @classmethod
    async def of(
        cls, visit: Visit, groups: Iterable[str], given: Mapping[str, str] | None = None,
        error: Refusal | None = None,
    ) -> Form:  # fmt: skip
        """The settings of these groups that are in no table, as they are or as they were filled in."""
        model = visit.site.identity.model
        wanted = tuple(groups)
        settings = [s for s in SCHEMA.on(model) if not s.keyed and s.path.partition(".")[0] in wanted]
        values = await visit.unit.values(*wanted) if settings else {}
        return cls.made(visit, [(s, s.path) for s in settings], values, given, error)

    @classmethod
    def made(
        cls, visit: Visit, settings: Iterable[tuple[Setting, str]], values: Mapping[str, str],
        given: Mapping[str, str] | None = None, error: Refusal | None = None,
    ) -> Form:  # fmt: skip
        """Of these settings, each at its path."""
        role, given, wrong = str(visit.status.get("role")), given or {}, fields_of(error)
        fields: list[Field] = []
        advanced: list[Field] = []
        for setting, path in settings:
            value = values.get(path, _default(visit, setting))
            value = value if setting.secret else given.get(path, value)
            one = form.field(
                setting, path, value, error=wrong.pop(path, ""),
                readonly=form.readable(setting, role) or not visit.administrator,
            )  # fmt: skip
            (advanced if setting.advanced else fields).append(one)
        rest = "; ".join(f"{path}: {text}" for path, text in wrong.items())
        shown = {one.path for one in (*fields, *advanced) if one.error}
        return cls(fields, advanced, rest or ("" if shown or error is None else str(error)))

    def given(self, visit: Visit) -> dict[str, str]:
        """What was changed, as paths and texts."""
        filled = visit.form
        boxes = {one.path: filled.getlist(one.path) for one in self.fields + self.advanced if filled}
        return form.given(self.fields + self.advanced, filled, boxes)

    async def commit(self, visit: Visit, changes: Mapping[str, str]) -> None:
        if changes:
            await visit.unit.ask("set", {"changes": dict(changes), "who": visit.who}, SET_WAIT)

    def thanks(self, changes: Mapping[str, str]) -> tuple[str, str]:
        return ("success", "Saved.") if changes else ("info", "Nothing was changed.")


def fields_of(error: Refusal | None) -> dict[str, str]:
    """By path what is wrong, as far as the daemon named fields."""
    return dict(getattr(error, "fields", ()) or ())


def _default(visit: Visit, setting: Setting) -> str:
    value = setting.default_for(visit.site.identity.model)
    return "" if value is None or setting.secret else setting.type.text(value)
