# SPDX-License-Identifier: Apache-2.0
"""check: whether settings as a whole are valid: each value by its type, then the rules that span several.

A transaction is judged by what it would leave behind, so the order of its changes never matters. Each error
names the field and what was expected (R2, Bad input). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from .field import BadSettings, FieldError
from .rules import check
from .setting import Setting
from .values import BadValue, Plain, accept, shorten
from .view import Settings

__all__ = ["BadSettings", "FieldError", "check", "read_changes", "unknown", "validate"]


def read_changes(settings: Settings, texts: Mapping[str, str]) -> dict[str, Plain]:
    """Reads PATH=TEXT as a user gives them into plain values. Raises BadSettings with every bad one."""
    values: dict[str, Plain] = {}
    errors: list[FieldError] = []
    for given_path, text in texts.items():
        path = settings.schema.canonical(given_path)
        setting = settings.schema.find(path)
        if setting is None or not setting.on(settings.model):
            errors.append(_unknown(settings, given_path))
            continue
        if path in values:
            errors.append(FieldError(given_path, f"{path} a second time; expected it once"))
            continue
        try:
            values[path] = setting.type.parse(text)
        except BadValue as error:
            given = "this value" if setting.secret else shorten(text)
            errors.append(FieldError(path, f"{given}: expected {error}"))
    if errors:
        raise BadSettings(errors)
    return values


def validate(before: Settings, changes: Mapping[str, Plain]) -> Settings:
    """The settings after `changes`, judged whole. Raises BadSettings; `before` is left as it is."""
    errors: list[FieldError] = []
    for path, value in changes.items():
        setting = before.schema.find(path)
        if setting is None or not setting.on(before.model):
            errors.append(_unknown(before, path))
        elif value is not None:
            errors += _value_error(setting, path, value)
    if errors:
        raise BadSettings(errors)
    after = before.replaced(changes)
    errors = check(after, changes)
    if errors:
        raise BadSettings(errors)
    return after


def _value_error(setting: Setting, path: str, value: Plain) -> list[FieldError]:
    try:
        accept(setting.type, value)
    except BadValue as error:
        given = "this value" if setting.secret else shorten(str(value))
        return [FieldError(path, f"{given}: expected {error}")]
    return []


def unknown(settings: Settings, path: str) -> BadSettings:
    """The error for a path that this unit does not have, with near ones."""
    return BadSettings([_unknown(settings, path)])


def _unknown(settings: Settings, path: str) -> FieldError:
    shown = shorten(path)[1:-1]
    setting = settings.schema.find(path)
    if setting is not None and not setting.on(settings.model):
        return FieldError(path, f"not on the {settings.model.title}")
    place = settings.schema.place(path)
    if place:
        return FieldError(shown, f"not found; expected one of the {settings.count(place.table)} rows of "
                          f"{place.table}")  # fmt: skip
    bad_key = settings.schema.bad_key(path)
    if bad_key:
        return FieldError(shown, f"unknown setting; expected {bad_key}")
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistyped path needs it

    known = [setting.path for setting in settings.schema.on(settings.model)]
    # A last segment alone is a common slip, and is far from the whole path in letters.
    near = [p for p in known if p.rpartition(".")[2] == path.rpartition(".")[2]]
    near += [p for p in get_close_matches(path[:100], known, n=3, cutoff=0.6) if p not in near]
    hint = f"; near it: {', '.join(near[:3])}" if near else ""
    return FieldError(shown, f"unknown setting{hint}")
