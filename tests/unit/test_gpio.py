# SPDX-License-Identifier: Apache-2.0
"""cext/blink.c beside panel/pattern.py, and cext/gpio.c on a chip that is played by a shim (R36)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_panel import PATTERNS

from _qx import ffi, lib
from counts import bound
from qx.panel import pattern
from qx.panel.gpio import Gpio
from qx.panel.table import DOUBLE, FAST, SECOND
from qx.panel.wiring import LINES_MAX, Line

HERE = Path(__file__).parent
MS = 1_000_000


def blink(steps: tuple[int, ...], began: int = 0) -> Any:
    made: Any = ffi.new("struct qx_blink *", {"began": began, "count": len(steps)})
    made.ms = steps
    return made


@given(PATTERNS, st.integers(0, 10**9), st.integers(0, 10**15))
def test_c_and_python_agree(steps: tuple[int, ...], elapsed: int, began: int) -> None:
    """R36: one rhythm in both: the level at any millisecond and when it changes."""
    until = ffi.new("int64_t *")
    now = began + elapsed * MS
    on = lib.qx_blink_level(blink(steps, began), now, until)
    assert (on, (until[0] and (until[0] - now) // MS) or None) == pattern.level(steps, elapsed)


@pytest.mark.parametrize(
    ("count", "step", "began", "good"),
    [(0, 0, 0, True), (1, 5, 0, True), (2, 5, 0, True), (3, 5, 0, False), (16, 5, 0, True), (17, 5, 0, False),
     (18, 5, 0, False), (255, 5, 0, False), (2, 0, 0, False), (2, 5, 100, True), (2, 5, 101, False)],
)  # fmt: skip
def test_what_is_no_blink_is_refused(count: int, step: int, began: int, good: bool) -> None:
    """Bad input: below, at and above the limits; the time is 100."""
    made: Any = ffi.new("struct qx_blink *", {"began": began, "count": count})
    made.ms = [step] * 16
    assert lib.qx_blink_check(made, 100) == (0 if good else -22)


@pytest.mark.parametrize("count", [1, LINES_MAX])
def test_what_is_no_chip_is_refused_by_name(count: int) -> None:
    with pytest.raises(OSError, match=r"/dev/null: expected the lines of leds in board.toml"):
        Gpio("/dev/null", {("status", str(number)): Line(number) for number in range(count)})
    with pytest.raises(OSError, match="/nowhere/gpiochip0: expected a GPIO chip: No such file"):
        Gpio("/nowhere/gpiochip0", {("status", "green"): Line(0)})


@pytest.mark.parametrize("count", [0, 9, 255])
def test_too_many_lines_are_refused(count: int) -> None:
    lines: Any = ffi.new("struct qx_gpio_lines *", {"chip": b"/dev/null", "count": count})
    error = ffi.new("char[]", 512)
    assert lib.qx_gpio_open(lines, error) == -22
    assert b"expected 1 to 8 lines" in ffi.string(error)
    assert lib.qx_gpio_show(blink(()), 1) == -9, "nothing is open"
    lib.qx_gpio_close()


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shim") / "gpio_shim.so"
    source = HERE / "gpio_shim.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Werror", source, "-o", made], check=True)
    return made


HELD = """
import ctypes, sys, time
from qx.panel.gpio import Gpio
from qx.panel.wiring import Line
from qx.panel.table import DOUBLE, FAST, SECOND
g = Gpio(sys.argv[1], {("s", "g"): Line(3), ("s", "r"): Line(5, True), ("a", "y"): Line(0)})
g.show({("s", "g"): FAST, ("s", "r"): DOUBLE, ("a", "y"): SECOND})
ctypes.PyDLL(None).usleep(int(float(sys.argv[2]) * 1e6))  # PyDLL keeps the interpreter: no Python runs
g.show({("s", "g"): FAST, ("s", "r"): DOUBLE, ("a", "y"): ()})
ctypes.PyDLL(None).usleep(300000)
print(*g.trouble())
g.close()
"""


def run_held(shim: Path, folder: Path, seconds: float, code: str = HELD) -> tuple[str, list[list[str]]]:
    """What the process printed and what the chip was told."""
    chip = folder / "gpiochip0"
    chip.touch()
    environment = {
        **os.environ,
        # Behind a sanitizer that is loaded already: it wants to be the first.
        "LD_PRELOAD": " ".join(filter(None, (os.environ.get("LD_PRELOAD"), str(shim)))),
        "QX_GPIO_CHIP": str(chip),
        "QX_GPIO_TRACE": str(folder / "trace"),
        "QX_GPIO_FAIL": str(folder / "fail"),
        "PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, chip.name, str(seconds)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, [line.split() for line in (folder / "trace").read_text().splitlines()]


def test_lights_keep_their_rhythm_while_python_is_held(shim: Path, tmp_path: Path) -> None:
    """R36: Python is held for 5 s; every edge is within 2 % of its pattern and none is missing, each step is
    one masked write of what changes, all lines are one request, and in the end all are off."""
    seconds = 5.0
    printed, told = run_held(shim, tmp_path, seconds)
    assert told[0] == ["request", "3,5,0", "2", "0"]
    sets = [(int(at), int(bits, 16), int(mask, 16)) for word, at, bits, mask in told[1:] if word == "set"]
    began = sets[0][0]
    steps = list(pattern.edges([FAST, DOUBLE, SECOND], int(seconds * 1000)))
    near = bound(0.02 * min(FAST), 60.0)  # ms; the machine of `make test` has other things to do
    both = zip(sets, steps, strict=False)
    late = sorted(abs((at - began) / MS - expected) for (at, *_), (expected, _) in both)
    assert late[len(late) * 3 // 4] <= 0.02 * min(FAST)
    levels = 0
    for (at, bits, mask), (expected, wanted) in zip(sets, steps, strict=False):
        levels = levels & ~mask | bits & mask
        assert levels == sum(1 << number for number, on in enumerate(wanted) if on), expected
        assert mask.bit_count() <= 3
        assert abs((at - began) / MS - expected) <= near, (expected, (at - began) / MS)
    assert len([1 for at, *_ in sets if at - began < (seconds - 0.1) * 1e9]) == len(
        [1 for expected, _ in steps if expected < (seconds - 0.1) * 1000]
    )
    assert all(not bits & 4 for at, bits, mask in sets if at - began > (seconds + 0.05) * 1e9), "read: dark"
    assert sets[-1][1:] == (0, 7)
    assert printed.split()[0] == "0"


def test_a_chip_that_refuses_is_counted_and_asked_again(shim: Path, tmp_path: Path) -> None:
    """Whatever the kernel says, the thread goes on; what it could not set is set when it can."""
    code = """
import os, sys, time
from qx.panel.gpio import Gpio
from qx.panel.wiring import Line
g = Gpio(sys.argv[1], {("s", "g"): Line(1)})
fail = os.environ["QX_GPIO_FAIL"]
open(fail, "w").close()
g.show({("s", "g"): (1000,)})
time.sleep(0.2)
refused = g.trouble()[0]
os.unlink(fail)
time.sleep(1.1)
print(refused, g.trouble()[0])
g.close()
"""
    printed, told = run_held(shim, tmp_path, 0, code)
    assert printed.split() == ["1", "1"]
    assert [line[2:] for line in told[1:]] == [["1", "1"], ["0", "1"]]


def test_what_stays_as_it_is_goes_on(shim: Path, tmp_path: Path) -> None:
    """A wish that changes one light does not disturb the rhythm of another."""
    code = """
import sys, time
from qx.panel.gpio import Gpio
from qx.panel.wiring import Line
g = Gpio(sys.argv[1], {("s", "g"): Line(1), ("a", "y"): Line(2)})
for number in range(20):
    g.show({("s", "g"): (300, 300), ("a", "y"): (1000,) if number % 2 else ()})
    time.sleep(0.07)
g.close()
"""
    _, told = run_held(shim, tmp_path, 0, code)
    sets = [(int(at), int(bits, 16) & 1) for _, at, bits, mask in told[1:-1] if int(mask, 16) & 1]
    began = sets[0][0]
    for number, (at, level) in enumerate(sets):
        assert level == 1 - number % 2
        assert abs((at - began) / MS - 300 * number) < 60  # ms
    assert len(sets) >= 4
