# SPDX-License-Identifier: Apache-2.0
"""qx events: what happened, and what happens; reading, trying the ways out, how the deliveries do."""

from __future__ import annotations

import sys

from ..control import client
from ..errors import WrongUsage
from . import output
from .arguments import Arguments, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLLOW_LAST = 10  # told before following, unless asked otherwise
TEST_WAIT = 75.0  # seconds: longer than the daemon waits for the receivers


def run(argv: list[str]) -> int:
    arguments = read(argv, {"follow": False, "last": True, "after": True}, count=(0, None))
    word, *rest = arguments.positional or ["list"]
    if word not in _WORDS:
        raise WrongUsage(f"{word!r}: expected one of {', '.join(_WORDS)}")
    return _WORDS[word](arguments, rest)


def _list(arguments: Arguments, rest: list[str]) -> int:
    _none(rest)
    wanted: dict[str, Any] = {"follow": "follow" in arguments}
    for name in ("last", "after"):
        text = arguments.option(name)
        wanted[name] = _number(f"--{name}", text) if text else None
    if wanted["follow"]:
        if wanted["last"] is None and wanted["after"] is None:
            wanted["last"] = FOLLOW_LAST
        for event in client.follow(arguments.paths, "events", wanted):
            _print(event, arguments.json)
            sys.stdout.flush()
    else:
        events = client.call(arguments.paths, "events", wanted)
        if arguments.json:
            output.json(events)
        else:
            for event in events:
                _print(event, False)
    return 0


def _read(arguments: Arguments, rest: list[str]) -> int:
    ids = None if not rest else [_number("id", text) for text in rest]
    answer = client.call(arguments.paths, "events_read", {"ids": ids})
    _tell(arguments, answer, f"{answer['read']} marked as read, {answer['pending']} pending")
    return 0


def _test(arguments: Arguments, rest: list[str]) -> int:
    _none(rest[1:])
    answers = client.call(arguments.paths, "events_test", {"action": "".join(rest)}, wait=TEST_WAIT)
    lines = [f"{a['way']}: {'delivered' if a['outcome'] == 'done' else a['why']}" for a in answers]
    _tell(arguments, answers, "\n".join(lines))
    return 0 if all(answer["outcome"] == "done" for answer in answers) else 1


def _deliveries(arguments: Arguments, rest: list[str]) -> int:
    _none(rest)
    found = client.call(arguments.paths, "events_deliveries")
    lines = [_way(way) for way in found["ways"]] or ["nothing has been delivered"]
    lines += [f"{name}: not set up, lacks {', '.join(paths)}" for name, paths in found["lacking"].items()]
    if not found["leading"]:
        lines.insert(0, "the other unit makes the deliveries")
    lost = found["dropped"]["deliveries"]
    if lost:
        lines.append(f"{lost} deliveries went with events that the log had no room for")
    _tell(arguments, found, "\n".join(lines))
    return 0


def _way(way: dict[str, Any]) -> str:
    parts = [way["state"], f"{way['delivered']} delivered"]
    parts += [f"{way['waiting']} waiting"] if way["waiting"] else []
    parts += [f"{way['given_up']} given up"] if way["given_up"] else []
    parts += [way["trouble"]] if way["trouble"] else []
    return f"{way['way']}: {', '.join(parts)}"


def _tell(arguments: Arguments, answer: Any, text: str) -> None:
    if arguments.json:
        output.json(answer)
    else:
        output.text(text)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise WrongUsage(f"{name}: {text!r}; expected a whole number from 0")
    return int(text)


def _none(rest: list[str]) -> None:
    if rest:
        raise WrongUsage(f"{rest[0]!r}: one argument too many")


def _print(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        output.json(event)
    else:
        from ..control.render import event_text  # noqa: PLC0415 - not needed for JSON

        output.text(event_text(event))


_WORDS = {"list": _list, "read": _read, "test": _test, "deliveries": _deliveries}
