# SPDX-License-Identifier: Apache-2.0
"""Two releases in one pair, as in the middle of an upgrade: what crosses, and that a swap works (R5, R8)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from board.lab.namespace import PROJECT
from board.lab.network import UNITS
from board.lab.pair import Lab

from labtools import becomes, make_lab, other, paired, qx, role, wait_for
from pairs import QUICK, Log, events, get, in_step, put, ready

OLD, NEW = "1.0.0", "1.1.0"
NOTE = (
    'Setting("users.note", Text(0, 64), "none", "Note", "What the older release does not know.", "shared"),'
)


def built(folder: Path, version: str) -> Path:
    """The executable with another version in it, a schema that has a setting more, and nothing else that
    differs."""
    shutil.copytree(PROJECT / "firmware", folder / "firmware", ignore=shutil.ignore_patterns("__pycache__"))
    own = folder / "firmware" / "qx" / "__init__.py"
    text = own.read_text()
    assert f'"{OLD}"' in text
    own.write_text(text.replace(f'"{OLD}"', f'"{version}"'))
    group = folder / "firmware" / "qx" / "settings" / "groups" / "users.py"
    text = group.read_text()
    assert text.count("SETTINGS = (\n") == 1
    group.write_text(text.replace("SETTINGS = (\n", f"SETTINGS = (\n    {NOTE}\n"))
    host = PROJECT / "out" / "host"
    executable = folder / "qx"
    (folder / "site-packages").symlink_to(host / "site-packages")
    argv = [sys.executable, str(folder / "firmware" / "bundle.py"), str(host / "launcher"), str(executable)]
    subprocess.run(argv, check=True)
    return executable


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("newer"), NEW)


def voice(lab: Lab, unit: str) -> dict[str, bytes]:
    root = lab.units[unit].root / "data/qx/voice"
    return {file.name: file.read_bytes() for file in root.glob("*.wav")}


def test_the_older_crosses_to_the_newer_and_never_back(tmp_path: Path, newer: Path) -> None:
    """R5: both units name the releases; the older Backup keeps its last state; a swap in
    either direction works (R8), and after the second upgrade everything crosses again. What only the newer
    schema has reads as its default there, does not cross back, and does no harm to an older release."""
    with make_lab("fv", tmp_path) as lab:
        old_one = lab.units["a"].executable
        lab.units["b"].executable = newer
        lab.up(QUICK, fresh=True, power=False)
        lab.power_on("a")
        becomes(lab, "a", "master")
        lab.power_on("b")
        assert ready(lab) == "a"
        in_step(lab)
        for unit, ours, theirs in (("a", OLD, NEW), ("b", NEW, OLD)):
            shown = {"parameter": "firmware", "ours": ours, "theirs": theirs}
            wait_for(lambda: shown in qx(lab, unit)["mismatches"], 5.0, "it is named")  # noqa: B023
            assert any(f"firmware: {ours} here, {theirs}" in one["description"] for one in events(lab, unit))
        assert put(lab, "a", "extensions.101.name=Ann")["durable"] == "both"
        (lab.units["a"].root / "data/qx/voice/one.wav").write_bytes(b"one" * 1000)
        wait_for(lambda: voice(lab, "b") == voice(lab, "a"), 2.0, "the file crosses to the newer release")
        swapped(lab, "a")
        assert get(lab, "b", "extensions.101.name") == "Ann"

        assert get(lab, "b", "users.note") == "none"
        assert put(lab, "b", "extensions.101.name=Eve", "users.note=new")["durable"] == "this"
        (lab.units["b"].root / "data/qx/voice/two.wav").write_bytes(b"two" * 1000)
        wait_for(lambda: "older firmware" in qx(lab, "b")["sync"]["state"], 5.0, "the Master says why")
        assert get(lab, "a", "extensions.101.name") == "Ann"
        assert set(voice(lab, "a")) == {"one.wav"}
        assert qx(lab, "a")["mode"] == "active" and qx(lab, "b")["peer"]["armed"]

        swapped(lab, "b")
        assert get(lab, "a", "extensions.101.name") == "Ann"
        lab.power_off("b")
        lab.units["b"].executable = old_one
        lab.power_on("b")
        assert ready(lab) == "a"
        in_step(lab)
        assert get(lab, "b", "extensions.101.name") == "Ann"
        for unit in UNITS:
            refused = lab.qx(unit, "get", "users.note")
            assert refused.returncode == 1 and "users.note: unknown setting" in refused.stderr
        shown = lab.qx("b", "conflict", "show", "1")
        assert "users.note" in shown.stdout, shown.stdout + shown.stderr
        wait_for(lambda: not qx(lab, "a")["mismatches"], 5.0, "nothing differs any more")


def swapped(lab: Lab, master: str) -> None:
    """After a swap by that Master. An older Backup of a newer Master is not in step, and armed."""
    assert role(lab, master) == "master"
    pid = lab.units[master].daemon_pid()
    done = lab.qx(master, "swap", timeout=60)
    assert done.returncode == 0, done.stderr
    Log(lab, master).says("session with", 10.0)
    assert paired(lab) == other(master)
    assert lab.units[master].daemon_pid() != pid
    wait_for(lambda: qx(lab, other(master))["peer"]["armed"], 5.0, "an armed Backup")
