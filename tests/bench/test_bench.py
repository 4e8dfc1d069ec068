# SPDX-License-Identifier: Apache-2.0
"""The bench's own arithmetic, on hand-made figures, and one row of it for real."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from board.lab.namespace import PROJECT
from board.lab.pair import namespaces_left

from labtools import needs_root

from . import report
from .figures import (
    MOST_SPOILT,
    PEER,
    PRODUCT,
    RSYNC,
    Row,
    Sample,
    percentile,
    spoilt_by_probe,
    summary,
    turns,
)
from .plan import QUICK, sections


def _row(product: list[float], peer: list[float], wanted: int = 3) -> Row:
    row = Row("cut", "power cut", "ms", wanted)
    for who, values in ((PRODUCT, product), (PEER, peer)):
        for value in values:
            row.add(who, Sample(value))
    return row


# ── five numbers and a ratio ──


def test_a_summary_is_median_percentile_and_extremes() -> None:
    told = summary([5.0, 1.0, 2.0, 4.0])
    assert told
    assert (told.count, told.median, told.minimum, told.maximum) == (4, 3.0, 1.0, 5.0)
    assert told.p95 == pytest.approx(4.85)  # place 2.85 of 0 to 3: 4 + 0.85 * (5 - 4)
    assert summary([]) is None


@pytest.mark.parametrize(("percent", "expected"), [(0, 10.0), (50, 20.0), (75, 25.0), (100, 30.0)])
def test_a_percentile_lies_between_its_two_neighbours(percent: float, expected: float) -> None:
    assert percentile([30.0, 10.0, 20.0], percent) == expected


def test_a_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 95) == 7.0


def test_the_ratio_is_median_over_median_and_below_one_where_the_product_is_better() -> None:
    assert _row([1.0, 2.0, 90.0], [4.0, 8.0, 9.0]).ratio == 0.25


@pytest.mark.parametrize(("product", "peer"), [([], [1.0]), ([1.0], []), ([1.0], [0.0])])
def test_without_both_figures_there_is_no_ratio(product: list[float], peer: list[float]) -> None:
    assert _row(product, peer).ratio is None


# ── what is spoilt, what failed ──


@pytest.mark.parametrize(
    ("silence", "gap", "before", "spoilt"),
    [
        (28.0, 4.9, 1.1, False),
        (28.0, 5.1, 1.1, True),  # a fifth of what was measured
        (3240.0, 100.0, 1.1, False),  # within a twentieth
        (3240.0, 163.0, 1.1, True),
        (28.0, 0.0, 10.1, True),  # it was silent before there was a reason
    ],
)
def test_a_pause_of_the_probe_spoils_what_it_saw(
    silence: float, gap: float, before: float, spoilt: bool
) -> None:
    assert bool(spoilt_by_probe(silence, gap, before)) is spoilt


def test_spoilt_and_failed_samples_are_counted_and_no_values() -> None:
    row = _row([3.0], [])
    row.add(PRODUCT, Sample(500.0, spoilt="the probe paused"))
    row.add(PRODUCT, Sample(failed="nobody took over"))
    assert (row.values(PRODUCT), row.spoilt(PRODUCT), row.failed(PRODUCT)) == ([3.0], 1, 1)


# ── turns ──


def _measured(row: Row, spoilt: dict[str, set[int]]) -> str:
    """Who was measured, one letter each, when measurement number n of `spoilt` is."""
    told = ""
    for who, lacking in turns([row]):
        assert lacking == [row]
        number = len(row.samples[who])
        row.add(who, Sample(1.0, spoilt="so" if number in spoilt.get(who, set()) else ""))
        told += who[0]
        assert len(told) < 100, "it never ends"
    return told


def test_contestants_are_measured_in_turn() -> None:
    assert _measured(Row("cut", "", "ms", 3), {}) == "qkqkqk"


def test_a_spoilt_measurement_is_repeated_and_only_that() -> None:
    row = Row("cut", "", "ms", 3)
    assert _measured(row, {PEER: {0, 2}}) == "qkqkqkkk"
    assert (len(row.values(PRODUCT)), len(row.values(PEER)), row.spoilt(PEER)) == (3, 3, 2)


def test_a_failure_of_the_contestant_is_not_repeated() -> None:
    row = Row("cut", "", "ms", 1)
    row.add(PRODUCT, Sample(failed="nobody took over"))
    assert not row.lacks(PRODUCT)


def test_a_machine_that_spoils_everything_does_not_keep_the_bench_for_ever() -> None:
    row = Row("cut", "", "ms", 2)
    _measured(row, {PRODUCT: set(range(100))})
    assert row.spoilt(PRODUCT) == 2 * MOST_SPOILT
    assert "0 of 2 measured" in report.terminal([row])


def test_a_row_of_one_contestant_asks_the_other_for_nothing() -> None:
    assert _measured(Row("status", "", "ms", 2, of=(PRODUCT,)), {}) == "qq"


# ── the plan and the report ──


def test_rows_are_chosen_by_key() -> None:
    (section,) = sections(QUICK, "cut-100ms, nonsense")
    assert [row.key for row in section.rows] == ["cut-100ms"]
    assert sections(QUICK, "nonsense") == []


def test_keys_of_rows_are_unique() -> None:
    keys = [row.key for section in sections(QUICK) for row in section.rows]
    assert len(keys) == len(set(keys))


def test_the_table_shows_both_the_ratio_and_what_was_repeated() -> None:
    row = _row([10.0, 11.0, 12.0], [1000.0, 2200.0, 3000.0])
    row.add(PEER, Sample(1.0, spoilt="so"))
    _, line = report.table([row])
    assert line[2:10] == [
        "3", "11.0", "11.9", "10.0–12.0", "2,200", "2,920", "1,000–3,000", "0.005",
    ]  # fmt: skip
    assert line[10] == "keepalived: 1 spoilt and repeated"


def test_a_row_beside_rsync_has_its_figures_and_says_so() -> None:
    row = Row("setting", "one setting", "ms", 2, of=(PRODUCT, RSYNC))
    for who, value in ((PRODUCT, 2.0), (RSYNC, 200.0), (PRODUCT, 4.0), (RSYNC, 400.0)):
        row.add(who, Sample(value))
    assert row.ratio == 0.01 and not row.lacks(PEER)
    _, line = report.table([row])
    assert (line[3], line[6], line[9], line[10]) == ("3.00", "300.0", "0.01", "beside rsync")


# ── for real ──


@pytest.mark.timeout(120)
def test_settings_cross_in_the_bench(tmp_path: Path) -> None:
    """Each of 200 changes among 5,000 settings is answered as durable on both, sooner and in fewer octets
    than rsync carries it (R13, R16)."""
    needs_root()
    argv = [sys.executable, "-m", "bench", "--quick", "--rows", "setting", "--out", str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}:{PROJECT / 'firmware'}"}
    argv += ["--lab", f"s{os.getpid()}"]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert len(rows["setting"][PRODUCT]["values"]) == QUICK.commits
    assert not any(sample["failed"] for sample in rows["setting"][PRODUCT]["samples"])
    for key in ("setting", "setting-octets"):
        assert rows[key]["ratio"] < 1, rows[key]


@pytest.mark.timeout(120)
def test_one_row_is_measured_and_written(tmp_path: Path) -> None:
    needs_root()
    prefix = f"m{os.getpid()}"
    argv = [sys.executable, "-m", "bench", "--rows", "cut-10ms", "--count", "1", "--seed", "1"]
    argv += ["--out", str(tmp_path), "--lab", prefix]
    environ = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}:{PROJECT / 'firmware'}"}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = json.loads((tmp_path / "bench.json").read_text())
    row = kept["rows"]["cut-10ms"]
    for who in (PRODUCT, PEER):
        values = row[who]["values"]
        spoilt = done.stdout.count("spoilt (")  # the probe was kept from its work
        assert len(values) == 1 or spoilt >= MOST_SPOILT, done.stdout
        assert all(5 < value < 500 for value in values), row[who]  # three intervals, and some
    assert "power cut of the Master, v3 10 ms" in done.stdout
    assert "| power cut of the Master, v3 10 ms" in (tmp_path / "bench.md").read_text()
    assert (tmp_path / "takeover.png").stat().st_size > 10_000
    assert not namespaces_left(prefix)
