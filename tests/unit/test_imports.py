# SPDX-License-Identifier: Apache-2.0
"""Who knows whom among the modules of firmware/qx: no circles, arrows that point down (docs/architecture.md).

Read from the sources, so that imports for types and imports inside of functions count as well.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

FIRMWARE = Path(__file__).parents[2] / "firmware"

# From the top. A module stands in the first layer that names it or its folder; each knows its own and lower.
LAYERS = (
    "cli",
    "console web",
    "__main__ daemon front boot",
    "control",
    "redundancy",
    "pbx upgrade",
    "sync",
    "events",
    "redundancy.peer",
    "trust",
    "factory provision reset",
    "settings",
    "board child children durable errors gathering identity model packing paths ports tasks watchdog words",
    "panel",
)
# What a process of its own asks of the daemon goes through the socket's client; the two units of a pair are
# known by the types of pair.py, and by what role.py calls a role.
BELOW = {
    "control.client": "errors",
    "control.protocol": "errors",
    "redundancy.pair": "sync",
    "redundancy.role": "sync",
}
TYPES = ("redundancy.pair",)  # knows by type what joins it


def imports(root: Path) -> dict[str, set[str]]:
    """By module, what it imports, wherever in the file."""
    files = {
        file.relative_to(root).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): file
        for file in (root / "qx").rglob("*.py")
    }
    found: dict[str, set[str]] = {}
    for name, file in files.items():
        package = name.split(".") if file.stem == "__init__" else name.split(".")[:-1]
        known = found[name] = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                known.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                parts = package[: len(package) + 1 - node.level] if node.level else []
                base = ".".join([*parts, *([node.module] if node.module else [])])
                for alias in node.names:
                    known.add(f"{base}.{alias.name}" if f"{base}.{alias.name}" in files else base)
        known &= files.keys() - {name}
    return found


def circle(known: Mapping[str, set[str]]) -> list[str]:
    """A circle of modules that know each other; empty where there is none."""
    try:
        TopologicalSorter(known).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def layer(module: str) -> int:
    name = module.removeprefix("qx.")
    while name:
        for number, names in enumerate(LAYERS):
            if name in names.split():
                return number
        name = name.rpartition(".")[0]
    raise AssertionError(f"{module}: stands in no layer of this test and of docs/architecture.md")


def upward(known: Mapping[str, set[str]]) -> list[str]:
    """Imports that point up."""
    wrong: list[str] = []
    for module in sorted(known.keys() - {"qx", *(f"qx.{name}" for name in TYPES)}):
        for other in sorted(known[module] - {"qx"}):
            place = BELOW.get(other.removeprefix("qx."))
            if layer(module) > layer(place or other):
                wrong.append(f"{module} imports {other}")
    return wrong


def test_no_modules_know_each_other_in_a_circle() -> None:
    known = imports(FIRMWARE)
    assert len(known) > 200
    assert "qx.errors" in known["qx.daemon"]
    assert not circle(known), " → ".join(circle(known))


def test_a_circle_is_named() -> None:
    """The check itself: also one that only types close."""
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) in (
        ["a", "c", "b", "a"], ["b", "a", "c", "b"], ["c", "b", "a", "c"]
    )  # fmt: skip


def test_imports_point_down() -> None:
    """Nothing imports a face, `panel` nothing of ours; a folder of no layer is a question."""
    assert not upward(imports(FIRMWARE))
    assert upward({"qx.settings.store": {"qx.web.site"}}) == ["qx.settings.store imports qx.web.site"]
    assert upward({"qx.panel.lamps": {"qx.errors"}})
