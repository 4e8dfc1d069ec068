# SPDX-License-Identifier: Apache-2.0
"""Where the lights of a board are: board.toml's table, LED devices of the kernel, the lab's file (R36)."""

from __future__ import annotations

import asyncio
import json
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from qx.board import Board
from qx.front import open_lamps
from qx.model import MODELS
from qx.panel.device import Device, kernel_pattern
from qx.panel.lamps import Dark, Drawn, Wired
from qx.panel.table import DOUBLE, SECOND
from qx.panel.wiring import BadWiring, Line, wiring
from qx.paths import Paths

BOTH = ("status", "alert")
GOOD = """
chip = "/dev/gpiochip0"
status = { green = 0, red = { line = 1, active_low = true } }
alert = { yellow = "qx:yellow:alert" }
"""


def test_a_board_names_lines_and_devices() -> None:
    read = wiring(tomllib.loads(GOOD), BOTH)
    assert read.lines == {("status", "green"): Line(0), ("status", "red"): Line(1, True)}
    assert read.devices == {("alert", "yellow"): "qx:yellow:alert"}
    assert wiring({}, BOTH).lines == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("alert = { yellow = 2 }", "leds.chip: missing; expected the path of the GPIO chip"),
        ("chip = 'c'\nfront = { green = 1 }", "leds.front: expected one of chip, status, alert"),
        ("chip = 'c'\nstatus = { blue = 1 }", "leds.status.blue: expected green or red"),
        ("chip = 'c'\nstatus = 3", "leds.status: expected a table of its lights"),
        ("chip = 'c'\nstatus = { green = -1 }", "leds.status.green: -1; expected a line from 0 to 1023"),
        ("chip = 'c'\nstatus = { green = 1024 }", "leds.status.green: 1024; expected a line"),
        ("chip = 'c'\nstatus = { green = true }", "leds.status.green: True; expected a line"),
        (
            "chip = 'c'\nstatus = { green = { active_low = true } }",
            "leds.status.green: None; expected a line",
        ),
        ("chip = 'c'\nstatus = { green = { line = 1, active_low = 1 } }", "active_low: 1; expected true"),
        ("chip = 'c'\nstatus = { green = 1, red = 1 }", "leds: two lights on one line"),
        ("chip = 'c'\nstatus = { green = '../x' }", "leds.status.green: '../x'; expected the name"),
        ("chip = 'c'\nstatus = { green = '' }", "leds.status.green: ''; expected the name"),
        ("chip = 5", "leds.chip: expected a path of up to 63 octets"),
        (f"chip = '{'x' * 64}'", "leds.chip: expected a path of up to 63 octets"),
    ],
)
def test_wrong_wiring_is_named(text: str, complaint: str) -> None:
    """Bad input: the entry and what was expected."""
    with pytest.raises(BadWiring, match=complaint.replace("(", r"\(")):
        wiring(tomllib.loads(text), BOTH)


def test_a_qx2000_has_no_alert_led() -> None:
    """R36: its board cannot wire one."""
    with pytest.raises(BadWiring, match=r"leds.alert: expected one of chip, status$"):
        wiring(tomllib.loads(GOOD), ("status",))


def device(folder: Path, name: str, triggers: str) -> Path:
    made = folder / name
    made.mkdir()
    for file, text in {
        "max_brightness": "255",
        "brightness": "0",
        "trigger": triggers,
        "pattern": "",
    }.items():
        (made / file).write_text(text + "\n")
    return made


def read(file: Path) -> str:
    return file.read_text().strip()


def test_the_kernel_blinks_where_it_can(tmp_path: Path) -> None:
    """A pattern as ledtrig-pattern takes it: brightness and ms, without ramps."""
    folder = device(tmp_path, "qx:green", "none timer [pattern] heartbeat")
    led = Device("qx:green", tmp_path)
    assert led.blinks
    led.show(DOUBLE)
    assert read(folder / "trigger") == "pattern"
    assert read(folder / "pattern") == "255 150 255 0 0 150 0 0 255 150 255 0 0 1550 0 0"
    led.show((1000,))
    assert (read(folder / "trigger"), read(folder / "brightness")) == ("none", "255")
    led.show(())
    assert (read(folder / "trigger"), read(folder / "brightness")) == ("none", "0")
    assert kernel_pattern((1, 2), 1) == "1 1 1 0 0 2 0 0"
    with pytest.raises(FileNotFoundError):
        Device("qx:red", tmp_path)


def test_a_kernel_that_cannot_blink_is_switched(tmp_path: Path) -> None:
    """Without the trigger the player does it, and only then."""
    plain = device(tmp_path, "plain", "[none] timer")
    able = device(tmp_path, "able", "[none] pattern")
    names = {("status", "green"): "plain", ("alert", "yellow"): "able"}

    async def shown() -> list[str]:
        lamps = Wired(wiring({"status": {"green": "plain"}, "alert": {"yellow": "able"}}, BOTH), tmp_path)
        lamps.show(dict.fromkeys(names, (60, 60)))
        seen = []
        for _ in range(60):
            await asyncio.sleep(0.01)
            seen.append(read(plain / "brightness"))
        lamps.close()
        return seen

    seen = asyncio.run(shown())
    assert {"0", "255"} <= set(seen)
    assert sum(a != b for a, b in pairwise(seen)) >= 4
    assert read(able / "trigger") == "none", "closed: dark"
    assert read(able / "pattern").startswith("255 60 255 0")
    assert read(plain / "brightness") == "0"


def test_the_lab_writes_what_its_lights_do(tmp_path: Path) -> None:
    """Issue 6: lab boards show LEDs; a unit without wired ones stays dark; wrong wiring says so."""
    paths, model = Paths(tmp_path), MODELS["qx200"]
    paths.run_qx.mkdir(parents=True)
    paths.etc_qx.mkdir(parents=True)
    paths.board_toml.write_text('name = "lab"\n')
    lamps = open_lamps(paths, Board("lab", "lab", "lan"), model)
    assert isinstance(lamps, Drawn)
    lamps.show({("status", "red"): SECOND})
    assert json.loads(read(paths.run_qx / "led")) == [
        {"led": "status", "light": "red", "pattern": [500, 500]}
    ]
    lamps.close()
    assert not (paths.run_qx / "led").exists()
    assert isinstance(open_lamps(paths, Board("x", "unit", "lan"), model), Dark)
    paths.board_toml.write_text('name = "x"\n[leds]\nchip = "/nowhere/chip"\nstatus = { red = 1 }\n')
    with pytest.raises(OSError, match="/nowhere/chip: expected a GPIO chip"):
        open_lamps(paths, Board("x", "unit", "lan"), model)
