# SPDX-License-Identifier: Apache-2.0
"""form: settings as the fields of a form, and a filled-in form as changes. Pure: schema and texts in.

A form tells nothing of a secret but whether it is set, and a field left empty leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ..settings.setting import Setting
from ..settings.texts import PASSWORD_HASH, Words
from ..settings.values import Choice, Flag, Seconds, Whole

Kind = Literal["flag", "choice", "boxes", "number", "text", "secret", "password"]


@dataclass(frozen=True, slots=True)
class Field:
    path: str
    title: str
    help: str
    expected: str
    kind: Kind
    value: str  # as `qx get` prints it
    options: tuple[str, ...]
    readonly: bool
    error: str
    default: str = ""

    @property
    def set(self) -> bool:
        """Of a secret: is there one?"""
        return self.value == "(set)"

    @property
    def chosen(self) -> tuple[str, ...]:
        return tuple(self.value.split(",")) if self.value else ()


def kind(setting: Setting) -> Kind:
    if setting.secret:
        return "password" if setting.type is PASSWORD_HASH else "secret"
    match setting.type:
        case Flag():
            return "flag"
        case Choice():
            return "choice"
        case Words(ordered=False):
            return "boxes"
        case Whole() | Seconds():
            return "number"
        case _:
            return "text"


def field(
    setting: Setting, path: str, value: str, *, readonly: bool = False, error: str = "", default: str = "",
) -> Field:  # fmt: skip
    words = getattr(setting.type, "words", ())
    found = kind(setting)
    options = tuple(words) if found in ("choice", "boxes") else ()
    expected = "" if found in ("flag", "choice", "boxes") else setting.type.expected
    return Field(path, setting.title, setting.help, expected, found, value, options, readonly, error, default)


def readable(setting: Setting, role: str) -> bool:
    """Is it only to be read in that role? A Backup's settings are its Master's, but for the unit's own (R19).
    The daemon decides; this spares a user what it would refuse."""
    return role == "backup" and setting.scope != "unit"


def given(fields: Iterable[Field], form: Mapping[str, str], boxes: Mapping[str, list[str]]) -> dict[str, str]:
    """What was changed, as path and text. `form`: the first value of each field; `boxes`: all of them.
    Passwords of users are not among them: see `passwords`."""
    changes: dict[str, str] = {}
    for one in fields:
        if one.readonly or one.kind == "password":
            continue
        if one.kind == "flag":
            text = "true" if form.get(one.path) else "false"
        elif one.kind == "boxes":
            text = ",".join(boxes.get(one.path, []))
        elif one.kind == "secret":
            if form.get(f"{one.path} clear"):
                changes[one.path] = ""
            elif form.get(one.path):
                changes[one.path] = form[one.path]
            continue
        elif one.path in form:
            text = form[one.path].strip()
        else:
            continue
        if text != one.value:
            changes[one.path] = text
    return changes


def whole(text: str) -> int | None:
    """A number that a page carries, of at most 15 digits; None for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


MEANWHILE = (
    "somebody else has set it to %(now)s since this page was opened; save again to set it all the same"
)


def meanwhile(
    changes: Mapping[str, str], since: Mapping[str, Mapping[str, str | None]], fields: Iterable[Field]
) -> tuple[dict[str, str], dict[str, str]]:
    """A form that was filled in while somebody else changed settings: what of it this user has changed
    himself, and by path what would undo the other's work. `since`: before and after of what was changed since
    the page was made, texts, None for a default."""
    kept: dict[str, str] = {}
    lost: dict[str, str] = {}
    for one in fields:
        if one.path not in changes:
            continue
        text, other = changes[one.path], since.get(one.path)
        if other is None:
            kept[one.path] = text
        elif one.kind == "secret" or text != _as_shown(other["before"], one):
            kept[one.path] = text
            lost[one.path] = MEANWHILE % {"now": _as_shown(other["after"], one) or "–"}
    return kept, lost


def _as_shown(text: str | None, one: Field) -> str:
    return one.default if text is None else text


def passwords(fields: Iterable[Field], form: Mapping[str, str]) -> dict[str, str]:
    """New passwords of users by path."""
    return {one.path: form[one.path] for one in fields if one.kind == "password" and form.get(one.path)}
