# SPDX-License-Identifier: Apache-2.0
"""board.toml: what it may say, at, below and above its limits, and that the boards of this tree say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qx.board import Board, interface_name, read_board, to_toml
from qx.errors import NotProvisioned, Refusal
from qx.model import MODELS
from qx.paths import Paths

BOARDS = Path(__file__).parents[2] / "board"
UNIT = 'name = "x"\nkind = "unit"\nlan = "lan0"\n'


def written(root: Path, text: str) -> Board:
    paths = Paths(root)
    paths.etc_qx.mkdir(parents=True, exist_ok=True)
    paths.board_toml.write_text(text, encoding="utf-8")
    return read_board(paths)


@pytest.mark.parametrize(
    ("more", "field", "expected"),
    [
        ("watchdog_seconds = 5", "watchdog_seconds", 5),
        ("watchdog_seconds = 300", "watchdog_seconds", 300),
        ("hang_ms = 0", "hang_ms", 0),
        ("hang_ms = 10000", "hang_ms", 10_000),
        ("http_port = 0", "http_port", 0),
        ("http_port = 65535", "http_port", 65535),
        ('wan = "wan0"', "wan", "wan0"),
        ('watchdog = "/dev/watchdog"', "watchdog", "/dev/watchdog"),
    ],
)
def test_what_it_may_say(tmp_path: Path, more: str, field: str, expected: object) -> None:
    assert getattr(written(tmp_path, UNIT + more), field) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (UNIT + "watchdog_seconds = 4", "watchdog_seconds: 4; expected 5 to 300"),
        (UNIT + "watchdog_seconds = 301", "watchdog_seconds: 301; expected 5 to 300"),
        (UNIT + "watchdog_seconds = true", "watchdog_seconds: True; expected 5 to 300"),
        (UNIT + "hang_ms = -1", "hang_ms: -1; expected 0 to 10000"),
        (UNIT + "hang_ms = 10001", "hang_ms: 10001; expected 0 to 10000"),
        (UNIT + "hang_ms = 2.5", "hang_ms: 2.5; expected 0 to 10000"),
        (UNIT + "http_port = 65536", "http_port: expected a whole number from 0 to 65535"),
        (UNIT + "http_port = -1", "http_port: expected a whole number"),
        (UNIT + 'https_port = "443"', "https_port: expected a whole number"),
        (UNIT + 'wan = "lan0"', "wan: 'lan0' is the LAN interface; expected another one"),
        (UNIT + "wan = 1", "wan: expected a text in quotes"),
        (UNIT + "watchdog = 1", "watchdog: expected a device in quotes"),
        (UNIT.replace("unit", "lab") + 'watchdog = "/dev/watchdog"', "expected a device in quotes, and none"),
        (UNIT.replace("unit", "box"), "kind: 'box'; expected 'lab' or 'unit'"),
        ('kind = "unit"\nlan = "lan0"', "name: expected a text in quotes"),
        (UNIT.replace("lan0", "a" * 16), "lan: 'aaaaaaaaaaaaaaaa' is not an interface name"),
        ("name = ", "not readable as TOML"),
        (UNIT + "leds = " + "[" * 600, "not readable as TOML"),
    ],
)  # fmt: skip
def test_what_it_may_not_say(tmp_path: Path, text: str, words: str) -> None:
    """Bad input: the file and the field are named."""
    with pytest.raises(Refusal, match=r"board\.toml: ") as refused:
        written(tmp_path, text)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "name"),
        ("name = 1", "name"),
        ("x", "TOML"),
        ("name='a'\nkind='b'\nlan='c'", "kind"),
        ("name='a'\nkind='lab'\nlan='e/0'", "lan"),
        ("name='a'\nkind='lab'\nlan='e'\nwan='e'", "wan"),
        ("name='a'\nkind='lab'\nlan='e'\nwan=3", "wan"),
    ],
)
def test_a_bad_board_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    """Bad input: file and field."""
    paths = Paths(tmp_path)
    paths.etc_qx.mkdir(parents=True)
    with pytest.raises(NotProvisioned, match=r"board\.toml: not found"):
        read_board(paths)
    paths.board_toml.write_text(text)
    with pytest.raises(Refusal, match=rf"board\.toml: .*{named}"):
        read_board(paths)


def test_none_is_no_board(tmp_path: Path) -> None:
    with pytest.raises(NotProvisioned, match="expected a provisioned root"):
        read_board(Paths(tmp_path))


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "a:b", "a\nb", "a" * 16, "ä" * 8, "a\x7f"])
def test_no_interface_name(name: str) -> None:
    with pytest.raises(Refusal, match="is not an interface name"):
        interface_name("lan", name)


def test_interface_names() -> None:
    for name in ("a", "a" * 15, "eth0.1", "ä" * 7):
        assert interface_name("lan", name) == name


def test_what_is_written_is_read(tmp_path: Path) -> None:
    board = Board("lab", "lab", "lan0", "wan0", http_port=8081, https_port=0)
    assert written(tmp_path, to_toml(board)) == board


@pytest.mark.parametrize("name", [*(name.rstrip("+") for name in MODELS), "virt"])
def test_the_boards_of_this_tree(name: str) -> None:
    """R44, Models: each has a watchdog that starts it anew, and a WAN port where its model has one."""
    board = read_board(Paths(BOARDS / name / "overlay"))
    assert (board.name.rstrip("+"), board.kind) == (name, "unit")
    assert board.watchdog
    model = next((one for key, one in MODELS.items() if key.rstrip("+") == name), None)
    assert model is None or bool(board.wan) == model.wan
