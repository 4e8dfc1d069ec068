# SPDX-License-Identifier: Apache-2.0
"""Every word that people read, as a gettext template; and the catalogues beside it brought up to date.

From where: the settings' schema, the menus, the events, the pages' templates, and in the modules of SAID
every text that is a sentence, or stands where something is said. Of a text that is put together, the message
has places: f"slot {slot} is empty" is "slot %(slot)s is empty" (`qx/words.py` reads it back).

Usage: messages.py            writes locale/qx.pot and merges it into locale/*.po (msgmerge of gettext)
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment

HERE = Path(__file__).resolve().parent
CORE, LOCALE = HERE / "qx", HERE / "locale"
sys.path.insert(0, str(HERE))

from qx.events.event import SEVERITIES  # noqa: E402
from qx.events.kinds import KINDS  # noqa: E402
from qx.model import MODELS  # noqa: E402
from qx.panel.pattern import words as pattern_words  # noqa: E402
from qx.panel.table import STATES, UNREAD  # noqa: E402
from qx.settings.groups.notification import EVENTS  # noqa: E402
from qx.settings.schema import SCHEMA  # noqa: E402
from qx.settings.texts import Pattern, Words  # noqa: E402
from qx.settings.values import Choice  # noqa: E402
from qx.web import menu  # noqa: E402

# Modules in which every sentence is said to somebody (what is logged alone is not one of them).
SAID = (
    "web", "console", "children.py", "control/access_operations.py", "control/client.py",
    "control/langpack_operations.py", "control/operations.py", "control/phone_operations.py",
    "control/procedure_operations.py", "control/render.py", "control/store_operations.py",
    "control/upgrade_operations.py", "events/desk.py", "front.py", "pbx/applications.py", "pbx/phoneplan.py",
    "pbx/phones.py", "pbx/reports.py", "redundancy/agreement.py", "redundancy/alone.py",
    "redundancy/controller.py", "redundancy/failing.py", "redundancy/hold.py", "redundancy/join.py",
    "redundancy/lapse.py", "redundancy/licensing.py", "redundancy/mismatch.py", "redundancy/partner.py",
    "redundancy/peer/calling.py", "redundancy/peer/refusals.py", "redundancy/peer/session.py",
    "redundancy/peer/talk.py", "redundancy/permit.py", "redundancy/presence.py", "redundancy/rebooting.py",
    "redundancy/role.py", "redundancy/storage.py", "redundancy/swap.py", "redundancy/switch.py",
    "redundancy/tell.py", "reset.py", "settings/check.py", "settings/rules", "settings/texts.py",
    "settings/undo.py", "settings/values.py", "sync/follower.py", "sync/leader.py", "sync/settings.py",
    "sync/voice/leader.py", "sync/voice/part.py", "sync/voice/stock.py", "trust/account.py", "trust/bond.py",
    "upgrade/language.py", "upgrade/rolling.py", "upgrade/trial.py", "upgrade/upgrade.py",
)  # fmt: skip
# Calls whose texts nobody but a developer reads.
MUTE = re.compile(
    r"log\.|(.*\.)?(BadMessage|compile|execute|startswith|removeprefix|strftime|replace|fullmatch|search|write"
    r"|spawn|reboot_soon|TypeVar|namedtuple|getLogger)$|cast$|ValueError$"
)
# Texts of those modules that are no words.
NO_WORDS = re.compile(
    r"multipart/|text/|default-src|%Y|^/|; Max-Age|SameSite|PROXY|-----|subjectAltName|attachment;"
    r"|HTTP/1\.0 \d|^[a-z]+\. *\.?[a-z_. ]*$|^[A-Z][a-z]+-[A-Z][a-z]+$|^([AOU]e|Origin)$"
    r"|Talk\.end|^nothing that anybody|^the session is up$|^the peer's role, mode"
)
SENTENCE = re.compile(r"[^\W\d_]{2,}[,;:.]? +\W?\w|[^\W\d_]{2,} ?[:?]$")
WORD = re.compile(r"[A-Z][a-z]+(-[A-Z][a-z]+)?$")
# What is shown of one word and comes from elsewhere: roles, modes and states of things.
STATES_OF_THINGS = (
    "Standalone", "Starting", "Master", "Backup", "Fault", "Down", "Unknown", "Active", "Passive",
    "Active mode", "Passive mode", "active", "passive", "master", "backup", "standalone", "starting",
    "fault", "down", "unknown", "running", "stopped", "failed", "stopping", "new", "read", "behind",
    "copying", "confirmed", "trial", "activated", "empty", "installing", "installed", "set", "undo",
    "restore", "merge", "mode", "swap", "pairing", "none", "hold", "now", "cancel", "green", "amber", "red",
    "yellow", "check", "checking", "write", "verify", "activate", "done", "Redundancy", "PBX", "Network",
    "Phones", "Licence", "Synchronization", "Upgrade", "Access", "Events", "Settings", "yes", "no",
    "Go Back", "Log Out", "%(name)s login (? for help):", "Expected: %(expected)s. Now: %(now)s",
    "%(parameter)s: %(ours)s here, %(theirs)s on the other unit", "%(octets)s octets", "IPv4 addresses",
    "%(given)s: expected %(error)s", "expected %(error)s", "seconds", "minutes", "password", "redundancy",
    "unit %(serial)s", "alone", "unset", "revert %(rev)s", "merge conflict %(number)s",
    "with %(serial)s, certificate %(fingerprint)s",
    # names in the console's status
    "unit", "firmware", "since", "group", "Virtual IP", "service", "VRRP", "peer", "sync", "applications",
    "licence", "mismatch",
)  # fmt: skip


class Found:
    """Messages, and in which files each is."""

    def __init__(self) -> None:
        self.places: dict[str, set[str]] = {}

    def add(self, message: str, place: str) -> None:
        if message.strip():
            self.places.setdefault(message, set()).add(place)


def collect() -> Found:
    found = Found()
    _data(found)
    for path in sorted((CORE / "web/templates").glob("*.html")):
        _template(found, path)
    for path in sorted(CORE.rglob("*.py")):
        name = path.relative_to(CORE).as_posix()
        if any(name == one or name.startswith(f"{one}/") for one in SAID):
            for message in sentences(path.read_text()):
                found.add(message, f"firmware/qx/{name}")
    return found


def _data(found: Found) -> None:
    schema = "firmware/qx/settings/groups"
    for setting in SCHEMA.all():
        found.add(setting.title, schema)
        found.add(setting.help, schema)
        if isinstance(setting.type, Pattern) or re.fullmatch(r"\d+ or \d+", setting.type.expected):
            found.add(setting.type.expected, schema)
        if isinstance(setting.type, Choice | Words):
            for word in setting.type.words:
                found.add(word, schema)
    for table in SCHEMA.tables.values():
        found.add(table.key.expected, schema)
        found.add(table.name.rpartition(".")[2].capitalize(), schema)
    for model in MODELS.values():
        for page in menu.pages(model):
            for text in (page.menu, page.title, page.under):
                found.add(text, "firmware/qx/web/menu.py")
    for text in (*EVENTS.values(), *KINDS):
        found.add(text, "firmware/qx/events/kinds.py")
    for state in (*STATES, UNREAD):
        found.add(state.meaning, "firmware/qx/panel/table.py")
        found.add(pattern_words(state.pattern), "firmware/qx/panel/pattern.py")
    for text in (*SEVERITIES, *STATES_OF_THINGS):
        found.add(text, "firmware/messages.py")


def _template(found: Found, path: Path) -> None:
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    extract = environment.extract_translations  # type: ignore[attr-defined]
    for _, _, message in extract(path.read_text(), gettext_functions=("_",)):
        text = message[0] if isinstance(message, tuple) else message
        if isinstance(text, str):
            found.add(text, f"firmware/qx/web/templates/{path.name}")


# --- Python ---------------------------------------------------------------------------------------------
def sentences(source: str) -> Iterator[str]:
    """The messages of a module, in order. Pure."""
    tree = ast.parse(source)
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and not isinstance(above.get(node), ast.FormattedValue):
            text = _with_places(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if isinstance(above[node], ast.JoinedStr):
                continue
            text = node.value
        else:
            continue
        if _said(text, node, above):
            yield text.strip()


def _said(text: str, node: ast.AST, above: dict[ast.AST, ast.AST]) -> bool:
    bare = re.sub(r"%\(\w+\)[sd]", " ", text).replace("%%", "%")
    if NO_WORDS.search(bare) or not re.search(r"[^\W\d_]{2,}", bare):
        return False
    at: ast.AST = node
    in_table = False
    while at in above:
        child, at = at, above[at]
        if isinstance(at, ast.Expr) and at.value is node:
            return False  # a docstring
        if isinstance(at, ast.Call) and at.func is not child and MUTE.match(ast.unparse(at.func)):
            return False
        if isinstance(at, ast.Compare | ast.Subscript):
            return False
        if isinstance(at, ast.AnnAssign) and at.annotation is child:
            return False
        if isinstance(at, ast.FunctionDef | ast.AsyncFunctionDef) and (at.returns is child):
            return False
        if isinstance(at, ast.Assign | ast.AnnAssign) and isinstance(above[at], ast.Module):
            in_table = True
    if SENTENCE.search(text.strip()) or SENTENCE.search(bare.strip()):
        return True
    return bool(WORD.match(text)) and (in_table or _asked(node, above))


def _asked(node: ast.AST, above: dict[ast.AST, ast.AST]) -> bool:
    """Is the word an argument of something, as of `Entry("Status", …)` or title="Reboot"?"""
    parent = above.get(node)
    return isinstance(parent, ast.Call | ast.keyword | ast.IfExp | ast.Tuple | ast.Return)


def _with_places(joined: ast.JoinedStr) -> str:
    text, names = "", list[str]()
    for part in joined.values:
        if isinstance(part, ast.Constant):
            text += str(part.value).replace("%", "%%")
            continue
        assert isinstance(part, ast.FormattedValue)
        name = _name(part.value)
        while name in names:
            name = f"{name.rstrip('0123456789')}{len(names) + 1}"
        names.append(name)
        text += f"%({name})s"
    return text


def _name(expression: ast.expr) -> str:
    match expression:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").lower()
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return re.sub(r"\W", "_", name)
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
            return name
        case ast.Call(func=ast.Attribute(value=value, attr="capitalize" | "upper" | "lower" | "join")):
            return _name(value)
        case ast.Call(args=[first, *_]):
            return _name(first)
        case ast.BinOp(left=left):
            return _name(left)
        case ast.BoolOp(values=[first, *_]):
            return _name(first)
        case ast.UnaryOp(operand=operand):
            return _name(operand)
        case ast.Subscript(value=value):
            return _name(value)
        case _:
            return "what"


# --- files ----------------------------------------------------------------------------------------------
def template() -> str:
    """The .pot file. The same for the same sources: no dates, no numbers of lines."""
    lines = [
        '# Every word of the pages and of the console. Made by "make locale"; do not edit.',
        'msgid ""', 'msgstr ""', '"Content-Type: text/plain; charset=UTF-8\\n"',
        '"Content-Transfer-Encoding: 8bit\\n"', "",
    ]  # fmt: skip
    for message, places in sorted(collect().places.items(), key=lambda one: (sorted(one[1]), one[0])):
        lines += [f"#: {place}" for place in sorted(places)]
        lines += ["#, python-format"] if "%(" in message else []
        lines += [f"msgid {_quoted(message)}", 'msgstr ""', ""]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def main() -> int:
    LOCALE.mkdir(exist_ok=True)
    pot = LOCALE / "qx.pot"
    pot.write_text(template())
    for catalogue in sorted(LOCALE.glob("*.po")):
        subprocess.run(
            ["msgmerge", "--quiet", "--update", "--backup=none", "--no-fuzzy-matching", "--no-wrap",
             catalogue, pot],
            check=True,
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
