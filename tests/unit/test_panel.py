# SPDX-License-Identifier: Apache-2.0
"""The front panel's states, and that MicroPython and CPython play them alike (R36)."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import panel_table
from qx.front import leds_of
from qx.model import MODELS
from qx.panel import pattern, table
from qx.panel.table import STATES, Situation, choose

HERE = Path(__file__).parent
QX = HERE.parents[1] / "firmware/qx"
WRAP = 1_073_735_000  # MicroPython's clock wraps around at 2**30: here 6.8 s after the start

WELL = Situation("master", True, False, False, False, False)
PATTERNS = st.one_of(
    st.just(()),
    st.tuples(st.integers(1, 60000)),
    st.lists(st.tuples(st.integers(1, 60000), st.integers(1, 60000)), min_size=1, max_size=8).map(
        lambda pairs: tuple(step for pair in pairs for step in pair)
    ),
)


@pytest.mark.parametrize(
    ("state", "now"),
    [
        ("master", WELL),
        ("backup", WELL._replace(role="backup")),
        ("standalone", WELL._replace(role="standalone", ready=False)),
        ("starting", WELL._replace(role="starting", ready=False)),
        ("fault", Situation("fault", False, False, True, True, True)),
        ("takeover", WELL._replace(starting=True, ready=False, mismatch=True)),
        ("takeover", WELL._replace(role="standalone", starting=True)),
        ("unprotected", WELL._replace(ready=False, stale=True, mismatch=True)),
        ("unprotected", WELL._replace(role="backup", ready=False)),
        ("passive", WELL._replace(ready=False, passive=True, stale=True, mismatch=True)),
        ("passive", WELL._replace(role="backup", ready=False, passive=True)),
        ("mismatch", WELL._replace(mismatch=True, stale=True)),
        ("stale", WELL._replace(role="backup", stale=True)),
        ("starting", WELL._replace(role="of a later firmware")),
    ],
)
def test_the_worst_that_holds_is_shown(state: str, now: Situation) -> None:
    """R36: role, protected, unprotected, passive, stale, takeover, fault, in order of their weight."""
    assert choose(now).name == state


def test_no_two_states_share_a_rhythm() -> None:
    """R36 for those who do not see colours."""
    rhythms = [state.pattern for state in STATES]
    assert len(set(rhythms)) == len(STATES)
    assert len({pattern.words(rhythm) for rhythm in rhythms}) == len(STATES)
    assert all(pattern.check(rhythm) for rhythm in rhythms)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"role": "master", "peer": {"state": "backup", "mode": "active", "armed": True}}, "master"),
        ({"role": "master", "peer": {"state": "backup", "mode": "active", "armed": False}}, "unprotected"),
        ({"role": "master", "peer": {"state": "backup", "mode": "passive", "armed": False}}, "passive"),
        ({"role": "master", "peer": {"state": "down", "mode": None}}, "unprotected"),
        ({"role": "master", "peer": None, "sync": None}, "unprotected"),
        ({"role": "backup", "mode": "active", "why": None, "sync": {"age_s": 180.0}}, "backup"),
        ({"role": "backup", "mode": "active", "why": None, "sync": {"age_s": 180.1}}, "stale"),
        ({"role": "backup", "mode": "active", "why": "does not take over: …"}, "unprotected"),
        ({"role": "backup", "mode": "passive"}, "passive"),
        ({"role": "fault", "why": "the LAN port has no link"}, "fault"),
        ({"role": "standalone", "applications": [{"name": "k", "state": "running"}]}, "standalone"),
        ({"role": "standalone", "applications": [{"name": "k", "state": "starting"}]}, "takeover"),
    ],
)
def test_a_status_is_a_situation(status: dict[str, object], state: str) -> None:
    """R36: what `qx status` says is what the LED says; the interval here is 60 s."""
    assert choose(table.situation(status, 60.0)).name == state


@pytest.mark.parametrize("model", MODELS.values(), ids=str)
def test_the_alert_is_beside_the_state_and_not_on_a_qx2000(model: object) -> None:
    """R34, R36: Flash LED is offered where there is a LED for it."""
    found = table.shown(STATES[0], True, leds_of(model))  # type: ignore[arg-type]
    assert found["status", "red"] == STATES[0].pattern
    assert found["status", "green"] == ()
    if model.name == "qx2000":  # type: ignore[attr-defined]
        assert ("alert", "yellow") not in found
    else:
        assert found["alert", "yellow"] == (500, 500)
        assert table.shown(STATES[0], False, leds_of(model))["alert", "yellow"] == ()  # type: ignore[arg-type]


def test_amber_is_both_lights_in_step() -> None:
    unprotected = next(state for state in STATES if state.name == "unprotected")
    found = table.shown(unprotected, False, ("status",))
    assert found == {("status", "green"): (500, 500), ("status", "red"): (500, 500)}


@given(st.lists(PATTERNS, min_size=1, max_size=4), st.integers(1, 200_000))
def test_edges_are_where_a_level_changes(patterns: list[tuple[int, ...]], until: int) -> None:
    """Each edge is a change, and between two of them nothing changes."""
    found = []
    for edge in pattern.edges(patterns, until):
        found.append(edge)
        if len(found) > 200:
            break
    assert found[0][0] == 0
    for (_, before), (at, after) in pairwise(found):
        assert before != after
        assert tuple(pattern.level(one, at)[0] for one in patterns) == after
        assert tuple(pattern.level(one, at - 1)[0] for one in patterns) == before


@pytest.mark.parametrize("wrong", [(1, 2, 3), (0, 1), (60001, 1), (-1, 5), (1, 1) * 9])
def test_what_is_no_pattern_is_refused(wrong: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        pattern.check(wrong)
    assert pattern.check((60000, 1)) and pattern.check((1, 1) * 8)


def _played(*argv: str) -> str:
    done = subprocess.run([sys.executable, *argv], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_micropython_and_cpython_play_the_same_edges() -> None:
    """R36: the panel's code unchanged on the real MicroPython Unix port, with its machine.Signal and asyncio;
    20 s of every state with and without an alert, also across the end of MicroPython's clock."""
    edges = str(HERE / "panel_edges.py")
    here = _played(edges, str(QX))
    assert _played("-m", "micropython_unix", edges, str(QX)) == here
    assert _played("-m", "micropython_unix", edges, str(QX), str(WRAP)) == here
    expected = []
    for state in STATES:
        for alert in (False, True):
            lights = table.shown(state, alert, ("status", "alert"))
            steps = pattern.edges([lights[key] for key in sorted(lights)], 20000)
            expected += [
                f"{state.name} {'-+'[alert]} {at} {''.join('01'[on] for on in levels)}"
                for at, levels in steps
            ]
    assert [line for line in here.splitlines() if line.split()[1] in "-+"] == expected
    assert len(expected) > 1000


def test_the_page_has_the_table_of_the_code() -> None:
    """R36: the documented table is the one in use (`python tests/panel_table.py` writes it)."""
    text = panel_table.PAGE.read_text()
    assert panel_table.generated() in text
    assert text == panel_table.page(text)
