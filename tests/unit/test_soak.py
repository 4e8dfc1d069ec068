# SPDX-License-Identifier: Apache-2.0
"""The soak runner: which parts there are, what it keeps of a run, and when a result stands."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from board.lab.namespace import PROJECT

from soak import chosen, counted, good, outcomes, parts, stands

KNOWN = {
    "hang": Path("tests/lab/test_hang.py"),
    "power-cut": Path("tests/lab/test_power_cut.py"),
    "takeover": Path("tests/interop/test_takeover.py"),
}
HERE = {"commit": "c1", "dirty": False}
PASSED: dict[str, Any] = {
    **HERE,
    "exit": 0,
    "counts": {"passed": 2, "failed": 0, "error": 0, "skipped": 0},
}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("", []),
        ("hang", ["hang"]),
        ("takeover, hang", ["takeover", "hang"]),
        ("interop", ["takeover"]),
        ("lab", ["hang", "power-cut"]),
        ("hang,all", ["hang", "power-cut", "takeover"]),
    ],
)
def test_ok__parts_are_files_folders_or_all(wanted: str, names: list[str]) -> None:
    assert chosen(wanted, KNOWN) == names


def test_fail__an_unknown_part_is_named() -> None:
    with pytest.raises(ValueError, match="PART=hagn"):
        chosen("hang,hagn", KNOWN)


def test_every_test_file_of_the_lab_is_a_part() -> None:
    files = set((PROJECT / "tests" / "lab").glob("test_*.py"))
    assert files <= set(parts().values())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"commit": "c0"}, False),
        ({"dirty": True}, False),
        ({"exit": 1}, False),
        ({"counts": {"passed": 2, "failed": 0, "error": 0, "skipped": 1}}, False),
        ({"counts": {"passed": 0, "failed": 0, "error": 0, "skipped": 0}}, False),
    ],
)
def test_a_result_stands_for_its_own_commit_in_a_clean_tree_when_all_passed(
    change: dict[str, Any], expected: bool
) -> None:
    assert stands({**PASSED, **change}, HERE) is expected


def test_nothing_stands_in_a_tree_with_changes() -> None:
    assert not stands(PASSED, {**HERE, "dirty": True})
    assert not stands(None, HERE)
    assert good(PASSED)


def test_rounds_figures_and_failures_are_read_from_a_real_run(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((PROJECT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(
        "from counts import count\n"
        "import pytest\n"
        "def test_counts(record_figures):\n"
        "    assert count(2, 20) == 20\n"
        "    record_figures(outages_ms=[12.5, 13.0])\n"
        "def test_breaks():\n    assert 1 == 2\n"
        "def test_is_left_out():\n    pytest.skip('no peer here')\n"
    )
    junit = tmp_path / "it.xml"
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}"]
    argv += ["-o", "junit_logging=system-out", "--rootdir", str(tmp_path), str(tmp_path)]
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT / "tests"), "QX_SOAK": "1", "QX_SEED": "7"}
    subprocess.run(argv, env=environ, cwd=tmp_path, capture_output=True, check=False)
    counts, breaks, left_out = outcomes(junit.read_text())
    assert (counts["outcome"], counts["rounds"], counts["figures"]) == (
        "passed",
        [20],
        {"outages_ms": [12.5, 13.0]},
    )
    assert breaks["outcome"] == "failed" and "assert 1 == 2" in breaks["said"]
    assert (left_out["outcome"], left_out["said"]) == ("skipped", "no peer here")
    assert counted([counts, breaks, left_out]) == {"passed": 1, "failed": 1, "error": 0, "skipped": 1}
    json.dumps([counts, breaks, left_out])
