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
        role, wrong = str(visit.status.get("role")), fields_of(error)
        given = error.given if isinstance(error, Overtaken) else given or {}
        fields: list[Field] = []
        advanced: list[Field] = []
        for setting, path in settings:
            default = _default(visit, setting)
            value = values.get(path, default)
            value = value if setting.secret else given.get(path, value)
            one = form.field(
                setting, path, value, error=wrong.pop(path, ""), default=default,
                readonly=form.readable(setting, role) or not visit.administrator,
            )  # fmt: skip
            (advanced if setting.advanced else fields).append(one)
        rest = "; ".join(f"{path}: {text}" for path, text in wrong.items())
        shown = {one.path for one in (*fields, *advanced) if one.error}
        return cls(fields, advanced, rest or ("" if shown or error is None else str(error)))

    def filled(self, visit: Visit) -> dict[str, str]:
        """In what the form differs from what is now, as paths and texts."""
        fields = self.fields + self.advanced
        boxes = {one.path: visit.form.getlist(one.path) for one in fields if visit.form}
        return form.given(fields, visit.form, boxes)

    async def given(self, visit: Visit) -> dict[str, str]:
        """What was changed, as paths and texts: what somebody else has set since the page was made is left as
        that is, where this user did not touch it. Where he did, Refusal by field."""
        changes = self.filled(visit)
        seen = form.whole(visit.field("seen"))
        if not changes or seen is None or seen == _revision(visit):
            return changes
        since = await visit.unit.ask("diff", {"since": seen})
        changes, lost = form.meanwhile(
            changes, {one["path"]: one for one in since}, self.fields + self.advanced
        )
        if lost:
            raise Overtaken(lost, changes)
        return changes

    async def commit(self, visit: Visit, changes: Mapping[str, str]) -> None:
        """Not where somebody else sets one of them at this moment: Refusal by field."""
        if changes:
            asked = {"changes": dict(changes), "who": visit.who, "since": _revision(visit)}
            await visit.unit.ask("set", asked, SET_WAIT)

    def thanks(self, changes: Mapping[str, str]) -> tuple[str, str]:
        return ("success", "Saved.") if changes else ("info", "Nothing was changed.")


class Overtaken(Refusal):
    """Somebody else has set the same fields since the page was made. Nothing was changed."""

    def __init__(self, fields: Mapping[str, str], given: Mapping[str, str]) -> None:
        super().__init__("somebody else has changed the same settings meanwhile")
        self.fields = tuple(fields.items())
        self.given = dict(given)  # what the user had filled in


def _revision(visit: Visit) -> int | None:
    """That of the settings as this visit found them."""
    return (visit.status.get("sync") or {}).get("revision")


def fields_of(error: Refusal | None) -> dict[str, str]:
    """By path what is wrong, as far as the daemon named fields."""
    return dict(getattr(error, "fields", ()) or ())


def _default(visit: Visit, setting: Setting) -> str:
    value = setting.default_for(visit.site.identity.model)
    return "" if value is None or setting.secret else setting.type.text(value)
