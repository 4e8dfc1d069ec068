# SPDX-License-Identifier: Apache-2.0
"""settings_page: the settings of some groups as a numbered list, changed together, stored as one transaction.

Everything about a setting comes from the schema: its name, what it is for, what is expected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import Refusal
from ..settings.schema import SCHEMA
from ..settings.values import Choice, Flag
from .screen import Interrupted, refused
from .words import columns

if TYPE_CHECKING:
    from ..settings.setting import Setting
    from .visit import Visit

YES = {"y": "true", "yes": "true", "on": "true", "n": "false", "no": "false", "off": "false"}


def show(visit: Visit, title: str, groups: list[str]) -> None:
    """Until the user leaves. `groups`: of the schema, like `network`."""
    changes: dict[str, str] = {}
    while True:
        found = _read(visit, groups)
        _list(visit, title, found, changes)
        word = visit.screen.ask(_prompt(changes, visit.administrator))
        if not word:
            if not changes or visit.screen.confirmed("The changes are not stored. Leave them?"):
                return
        elif word in ("s", "save") and changes:
            if _store(visit, changes):
                changes = {}
        elif word.isdecimal() and 0 < int(word) <= len(found):
            path, text = found[int(word) - 1]
            _change(visit, path, changes.get(path, text), text, changes)
        else:
            visit.screen.say(f"{word[:40]!r}: expected a number of the list")


def _prompt(changes: dict[str, str], may: bool) -> str:
    if not may:
        return "Number to read about, Enter to go back: "
    return f"Number to change,{' s to save,' if changes else ''} Enter to go back: "


def _read(visit: Visit, groups: list[str]) -> list[tuple[str, str]]:
    """Path and text of each, those for experts last."""
    found: list[dict[str, Any]] = list(visit.call("get", {"paths": groups}))
    ordered = sorted(found, key=lambda one: _setting(one["path"]).advanced)
    return [(one["path"], one["text"]) for one in ordered]


def _setting(path: str) -> Setting:
    found = SCHEMA.find(path)
    assert found is not None, path
    return found


def _list(visit: Visit, title: str, found: list[tuple[str, str]], changes: dict[str, str]) -> None:
    rows: list[tuple[str, str]] = []
    words = visit.screen.words
    for number, (path, text) in enumerate(found, 1):
        setting = _setting(path)
        changed = f"  {words('(not saved)')}" if path in changes else ""
        rows.append((f"{number:>2}  {words(setting.title)}", f"{changes.get(path, text) or '-'}{changed}"))
    visit.heading(title)
    visit.screen.table(columns(rows))
    visit.screen.say()


def _change(visit: Visit, path: str, now: str, stored: str, changes: dict[str, str]) -> None:
    setting, screen = _setting(path), visit.screen
    screen.say()
    words = screen.words
    screen.say(f"{words(setting.title)}: {words(setting.help)}")
    told = {"expected": setting.type.expected, "now": now or "-"}
    screen.say(words("Expected: %(expected)s. Now: %(now)s", told))
    if not visit.administrator:
        return
    try:
        word = screen.ask("New value (Enter keeps it, - empties it): ", secret=setting.secret)
    except Interrupted:
        return
    if not word:
        return
    text = "" if word == "-" else meant(setting, word)
    try:
        setting.type.parse(text)
    except ValueError as error:
        screen.say(f"{'***' if setting.secret else repr(text[:40])}: expected {error}; it stays as it was")
        return
    if text == stored:
        changes.pop(path, None)
    else:
        changes[path] = text


def meant(setting: Setting, word: str) -> str:
    """yes for true, and the beginning of a choice for the whole of it."""
    if isinstance(setting.type, Flag):
        return YES.get(word.lower(), word.lower())
    if isinstance(setting.type, Choice):
        meant = [choice for choice in setting.type.words if choice.startswith(word.lower())]
        return meant[0] if len(meant) == 1 else word
    return word


def _store(visit: Visit, changes: dict[str, str]) -> bool:
    try:
        answer = visit.call("set", {"changes": changes, "who": visit.who})
    except Refusal as error:
        refused(visit.screen, error)
        return False
    durable = "both devices have it" if answer["durable"] == "both" else "this device has it"
    visit.screen.say(f"Stored; {durable}.")
    return True
