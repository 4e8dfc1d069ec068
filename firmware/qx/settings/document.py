# SPDX-License-Identifier: Apache-2.0
"""document: the reference of all settings, made from the schema.

`python -m qx.settings.document > docs/settings.md`; a test holds the file to it. Reads nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ..model import MODELS, Model
from .groups.notification import EVENTS
from .schema import SCHEMA, Setting, Table

SCOPES = {"unit": "the unit's own", "pair": "pair parameter", "shared": "shared"}

HEAD = """# Settings

Made from the schema by `python -m qx.settings.document`; do not edit. `qx get PATH` shows a setting, `qx set
PATH=VALUE …` changes several at once, all or none, and `qx unset PATH|ROW …` takes settings back to their
defaults or rows away. Empty defaults mean *not set*.

**Scope** (R13): *shared* settings follow the Master; *pair parameters* are the same on both units, set
locally only before the first pairing and through the Master afterwards; *the unit's own* never leave it.
Secrets are never printed back.
"""


def document() -> str:
    groups: dict[str, list[Setting]] = {}
    for setting in SCHEMA.all():
        table = setting.path.partition(".<")[0]
        groups.setdefault(table if setting.keyed else setting.path.split(".")[0], []).append(setting)
    return "\n".join([HEAD, *(line for group, found in groups.items() for line in _group(group, found))])


def _group(name: str, settings: list[Setting]) -> Iterator[str]:
    table = SCHEMA.tables.get(name)
    yield f"## `{name}" + (f".{table.segment}`" if table else "`")
    yield ""
    if table:
        yield from _table(table)
    yield "| setting | value | default | scope | |"
    yield "|---|---|---|---|---|"
    for setting in settings:
        yield f"| {' | '.join(_cells(setting, table))} |"
    yield ""
    if name == "events":
        yield "| event | |"
        yield "|---|---|"
        yield from (f"| `{event}` | {title} |" for event, title in EVENTS.items())
        yield ""


def _table(table: Table) -> Iterator[str]:
    text = f"`{table.segment}` is {table.key.expected}."
    most = {model.title: table.most(model) for model in MODELS.values() if table.on(model)}
    if len(set(most.values())) == 1 and None not in most.values():
        text += f" At most {next(iter(most.values()))} rows."
    elif None not in most.values():
        text += " At most " + ", ".join(f"{count} ({title})" for title, count in most.items()) + " rows."
    yield text
    yield ""


def _cells(setting: Setting, table: Table | None) -> Iterator[str]:
    on = [model for model in MODELS.values() if setting.on(model)]
    yield f"`{setting.path if table is None else setting.path.rpartition('>.')[2]}`"
    yield setting.type.expected.replace("|", "\\|")
    yield _default(setting, on)
    yield SCOPES[setting.scope]
    notes = [f"**{setting.title}.** {setting.help}"]
    if setting.secret:
        notes.append("Secret.")
    if setting.advanced:
        notes.append("Expert.")
    if len(on) < len(MODELS):
        notes.append(f"Only on {', '.join(model.title for model in on)}.")
    yield " ".join(notes).replace("|", "\\|")


def _default(setting: Setting, on: list[Model]) -> str:
    texts: dict[str, list[str]] = {}
    for model in on:
        value = setting.default_for(model)
        texts.setdefault("" if value is None else setting.type.text(value), []).append(model.title)
    if len(texts) == 1:
        text = next(iter(texts))
        return f"`{text}`" if text else ""
    return ", ".join(f"`{text}` ({', '.join(titles)})" for text, titles in texts.items())


if __name__ == "__main__":
    sys.stdout.write(document())
