# SPDX-License-Identifier: Apache-2.0
"""A line typed on a terminal: keys, garbage and limits (R30, Bad input)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qx.console.editor import BELL, LENGTH_MAX, Editor, Key
from qx.console.screen import notification
from qx.console.words import COLUMNS, columns, plain, wrapped


def typed(*parts: bytes, secret: bool = False) -> tuple[list[str | Key], str]:
    """What was finished, line after line, and all that was echoed."""
    editor = Editor()
    editor.secret = secret
    found: list[str | Key] = []
    echo = ""
    for part in parts:
        editor.feed(part)
        while True:
            echo += editor.echo()
            if not editor.finished:
                break
            found.append(editor.finished.popleft())
            editor.go_on()
    return found, echo


@pytest.mark.parametrize(
    ("octets", "lines"),
    [
        (b"one\rtwo\ntwo and a half\r\nthree\r", ["one", "two", "two and a half", "three"]),
        (b"onx\x7fe\r", ["one"]),
        (b"onx\be\r", ["one"]),
        (b"\x7f\x7fone\r", ["one"]),
        (b"forget this\x15one\r", ["one"]),
        (b"one two\x17three\r", ["onethree"]),
        (b"one\x03two\r", [Key.INTERRUPT, "two"]),
        (b"one\x04\r\x04", ["one", Key.END]),
        (b"one\x0c\r", [Key.AGAIN, "one"]),
        (b"o\x1b[An\x1b[1;5De\x1bOP\r", ["one"]),  # arrows and a function key
        (b"one\x1b\r", ["one"]),
        (b"one\x1b[12\x03", [Key.INTERRUPT]),
        (b"o\x00n\x01\x02e\x1f\r", ["one"]),
        (b"\xff\xfe\xc3(\x80one\r", ["(one"]),
        ("Pässwört\r".encode(), ["Pässwört"]),
    ],
)
def test_keys(octets: bytes, lines: list[str | Key]) -> None:
    """R30: as it is typed, and in however many pieces it comes."""
    assert typed(octets)[0] == lines
    assert typed(*(bytes([octet]) for octet in octets))[0] == lines


def test_what_is_echoed() -> None:
    assert typed(b"abc\x7fd\r")[1] == "abc\b \bd"
    assert typed(b"abc\x7fd\r", secret=True)[1] == ""
    assert typed(b"\x1b[Aabc\x00\r")[1] == "abc"


def test_a_line_is_bounded() -> None:
    """At, below and above the limit; the bell says so, and the line is still good."""
    for count in (LENGTH_MAX - 1, LENGTH_MAX, LENGTH_MAX + 1, 100 * LENGTH_MAX):
        lines, echo = typed(b"x" * count + b"\r")
        assert lines == ["x" * min(count, LENGTH_MAX)]
        assert echo.count(BELL) == max(0, count - LENGTH_MAX)


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_garbage_leaves_the_editor_sane(parts: list[bytes]) -> None:
    """R30: after anything at all, Ctrl-C and a line are understood; a terminal obeys nothing of the echo."""
    found, echo = typed(*parts, b"\x03", b"login\r")
    assert found[-1] == "login"
    assert found[-2] == Key.INTERRUPT
    assert not set(echo) & set("\x1b\x9b\x00\x0e\x0f")


@given(st.text(max_size=300))
def test_nothing_that_is_shown_moves_the_cursor(text: str) -> None:
    """Names come from others: no control character, no more than a line's width, plain ASCII."""
    for shown in (wrapped(text), columns([(text, text)])):
        assert all(" " <= c <= "~" or c == "\n" for c in shown)
        assert all(len(line) <= COLUMNS for line in shown.split("\n"))
    assert all(" " <= c <= "~" or c == "\n" for c in plain(text))


def test_a_notification_says_more_to_who_is_logged_in() -> None:
    event = {"time": 0, "severity": "critical", "name": "Backup device is DOWN", "description": "for 3 s"}
    assert notification(event, True).endswith("critical: Backup device is DOWN: for 3 s")
    assert notification(event, False).endswith("critical: Backup device is DOWN")
