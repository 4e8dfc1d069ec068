# SPDX-License-Identifier: Apache-2.0
"""The bench's own arithmetic, on hand-made figures, and one row of it for real."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from board.lab.namespace import PROJECT
from board.lab.pair import namespaces_left

from labtools import needs_root

from . import board, report
from .curves import Curve, Topic
from .figures import (
    FRR,
    KEEPALIVED,
    MOST_SPOILT,
    PRODUCT,
    RSYNC,
    TAKEOVER,
    Row,
    Sample,
    percentile,
    spoilt_by_probe,
    summary,
    turns,
)
from .plan import QUICK, Chapter, chapters, sections
from .plot import draw_all
from .targets import TARGETS, Target, judged, missed


def _measured_row(key: str, *values: list[float], of: tuple[str, ...] = TAKEOVER, **more: Any) -> Row:
    row = Row(key, "power cut", "ms", len(values[0]), of=of[: len(values)], **more)
    for who, found in zip(of, values, strict=False):
        for value in found:
            row.add(who, Sample(value))
    return row


def _row(product: list[float], peer: list[float]) -> Row:
    return _measured_row("cut", product, peer)


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
    assert _row([1.0, 2.0, 90.0], [4.0, 8.0, 9.0]).ratio(KEEPALIVED) == 0.25


@pytest.mark.parametrize(("product", "peer"), [([], [1.0]), ([1.0], []), ([1.0], [0.0])])
def test_without_both_figures_there_is_no_ratio(product: list[float], peer: list[float]) -> None:
    assert _row(product, peer).ratio(KEEPALIVED) is None


def test_each_peer_has_a_ratio_of_its_own() -> None:
    row = _measured_row("cut", [2.0], [4.0], [8.0])
    assert (row.peers, row.ratio(KEEPALIVED), row.ratio(FRR)) == ((KEEPALIVED, FRR), 0.5, 0.25)
    assert row.ratio(RSYNC) is None and not row.lacks(RSYNC)


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


def test_any_number_of_contestants_is_measured_in_turn() -> None:
    assert _measured(Row("cut", "", "ms", 2, of=TAKEOVER), {FRR: {0}}) == "qkfqkff"


def test_a_spoilt_measurement_is_repeated_and_only_that() -> None:
    row = Row("cut", "", "ms", 3)
    assert _measured(row, {KEEPALIVED: {0, 2}}) == "qkqkqkkk"
    assert (len(row.values(PRODUCT)), len(row.values(KEEPALIVED)), row.spoilt(KEEPALIVED)) == (3, 3, 2)


def test_a_failure_of_the_contestant_is_not_repeated() -> None:
    row = Row("cut", "", "ms", 1)
    row.add(PRODUCT, Sample(failed="nobody took over"))
    assert not row.lacks(PRODUCT)


def test_a_machine_that_spoils_everything_does_not_keep_the_bench_for_ever() -> None:
    row = Row("cut", "", "ms", 2)
    _measured(row, {PRODUCT: set(range(100))})
    assert row.spoilt(PRODUCT) == 2 * MOST_SPOILT
    assert "0 of 2 measured" in report.terminal([Chapter("Takeover", [row])])


def test_a_row_of_one_contestant_asks_the_other_for_nothing() -> None:
    assert _measured(Row("status", "", "ms", 2, of=(PRODUCT,)), {}) == "qq"


# ── targets ──


@pytest.mark.parametrize(
    ("target", "values", "held"),
    [
        (Target("", 30), ([29.0, 30.0, 99.0], []), True),
        (Target("", 30), ([29.0, 30.1, 99.0], []), False),
        (Target("", 30, "most"), ([29.0, 30.0], []), True),
        (Target("", 30, "most"), ([1.0, 1.0, 30.1], []), False),
        (Target("", 10, "p99"), ([*[1.0] * 99, 1900.0], []), False),  # place 98.01: 1 + 0.01 * 1899
        (Target("", 10, "p99"), ([*[1.0] * 999, 900.0], []), True),
        (Target("", 2, peer=KEEPALIVED), ([8.0], [4.0]), True),
        (Target("", 2, peer=KEEPALIVED), ([8.1], [4.0]), False),
        (Target("", 2, peer=KEEPALIVED), ([8.0], []), None),
        (Target("", 2, peer=RSYNC), ([8.0], [4.0]), None),  # nobody measured it here
        (Target("", 0, "most"), ([], [1.0]), None),
    ],
)
def test_a_target_is_held_not_held_or_not_measured(
    target: Target, values: tuple[list[float], list[float]], held: bool | None
) -> None:
    assert target.held(_row(*values)) is held


def test_one_of_two_targets_that_is_not_held_marks_the_row() -> None:
    row = _measured_row("setting", [1.0, 1.5, 40.0], of=(PRODUCT,))  # median 1.5 of 2 ms, p99 above 10 ms
    assert [held for _, held in judged(row)] == [True, False]
    assert missed(row)
    (line,) = report.table([row]).lines
    assert line.missed
    assert line.cells[-3:-1] == ["median ≤ 2 (issue 3); p99 ≤ 10 (issue 3)", "held; NOT HELD"]


def test_a_row_that_nobody_asks_anything_of_is_not_judged() -> None:
    row = _row([1.0], [2.0])
    assert judged(row) == [] and not missed(row)


def test_every_target_is_of_a_row_that_is_measured() -> None:
    rows = [*(row for section in sections(QUICK) for row in section.rows), *board.rows(QUICK)]
    assert set(TARGETS) <= {row.key for row in rows}
    for row in rows:
        assert all(not target.peer or target.peer in row.of for target, _ in judged(row)), row.key


# ── the plan and the report ──


def test_rows_are_chosen_by_key() -> None:
    (section,) = sections(QUICK, {"cut-100ms", "nonsense"})
    assert [row.key for row in section.rows] == ["cut-100ms", "cut-100ms-takeover"]
    assert sections(QUICK, {"nonsense"}) == []
    assert board.chapters(QUICK, {"nonsense"}) == []


def test_keys_of_rows_are_unique() -> None:
    keys = [row.key for section in sections(QUICK) for row in section.rows]
    keys += [row.key for row in board.rows(QUICK)]
    assert len(keys) == len(set(keys))


def test_every_row_is_in_one_chapter() -> None:
    planned = sections(QUICK)
    told = [row.key for chapter in chapters(planned) for row in chapter.rows]
    assert sorted(told) == sorted(row.key for section in planned for row in section.rows)


def test_a_board_without_an_image_is_a_remark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(board, "_IMAGE", tmp_path)
    (chapter,) = board.chapters(QUICK, frozenset())
    assert chapter.rows == [] and "make image" in chapter.remark
    assert "make image" in report.terminal([chapter])
    (tmp_path / "disk.img").touch()
    (chapter,) = board.chapters(QUICK, {"image-disk"})
    assert [row.key for row in chapter.rows] == ["image-disk"] and not chapter.remark


def test_the_table_shows_both_the_ratio_and_what_was_repeated() -> None:
    row = _row([10.0, 11.0, 12.0], [1000.0, 2200.0, 3000.0])
    row.add(KEEPALIVED, Sample(1.0, spoilt="so"))
    (line,) = report.table([row]).lines
    assert line.cells[2:10] == [
        "3", "11.0", "11.9", "10.0–12.0", "2,200", "2,920", "1,000–3,000", "0.005",
    ]  # fmt: skip
    assert line.cells[-1] == "keepalived: 1 spoilt and repeated"


def test_a_table_has_a_group_of_columns_for_every_peer() -> None:
    """Who is not of a row has empty cells there, who is and was not measured a dash."""
    first = _measured_row("one", [2.0], [4.0], [])
    second = _measured_row("two", [3.0], [30.0], of=(PRODUCT, RSYNC), without={FRR: "copies nothing"})
    shown = report.table([first, second], spread=False)
    assert [title for title, _ in shown.groups] == ["", PRODUCT, KEEPALIVED, FRR, RSYNC, ""]
    assert shown.columns == [
        "", "unit", "n", "qx median", "keepalived median", "ratio", "frr median", "ratio",
        "rsync median", "ratio", "target", "", "remarks",
    ]  # fmt: skip
    one, two = (line.cells for line in shown.lines)
    assert one[2:10] == ["0/1", "2.00", "4.00", "0.50", "–", "", "", ""]
    assert two[2:10] == ["1", "3.00", "", "", "", "", "30.0", "0.10"]
    assert (one[-1], two[-1]) == ("frr: 0 of 1 measured", "frr: copies nothing")


FACTS: dict[str, Any] = {
    "commit": "c0ffee", "dirty": False, "at": "2026-01-01T00:00:00Z", "seed": 7, "lasted_s": 1.0,
    "load_before": 0.5, "command": "make bench ROWS=cut SEED=7",
    "machine": {"processor": "x", "processors": 2, "memory_mib": 1, "kernel": "k", "system": "s"},
    "versions": {"qx": "1.0", "qx_sha256": "ab" * 32, "python": "3.11"},
    "packages": {"keepalived": "1:2.2.7", "frr": "8.4.4"},
    "commands": {"v2 1 s": {"qx": ["qx daemon --root a"], "frr": ["a <b> && 'c'"]}},
}  # fmt: skip


def test_the_report_says_where_and_how_it_was_measured() -> None:
    found = [Chapter("Takeover", [_row([1.0], [2.0])])]
    for text in (report.markdown(found, FACTS, []), report.page(found, FACTS, [])):
        for told in ("c0ffee", "seed 7", "frr 8.4.4", "keepalived 1:2.2.7", "qx daemon --root a", "SEED=7"):
            assert told in text, told


def test_a_missed_target_is_marked_and_named_at_the_top() -> None:
    found = [Chapter("Takeover", [_measured_row("kill", [31.0], [3000.0]), _row([1.0], [2.0])])]
    markdown, page = report.markdown(found, FACTS, []), report.page(found, FACTS, [])
    assert "| **power cut** |" in markdown and "| **NOT HELD** |" in markdown
    assert page.count('<tr class="missed">') == 1 and "<strong>NOT HELD</strong>" in page
    for text in (markdown, page, report.terminal(found)):
        assert "Targets: 0 held, 1 not held, 0 not measured. NOT HELD: kill." in text


def test_the_report_has_the_curves() -> None:
    curve = Curve("setting", "one <change>", "ms", (PRODUCT, RSYNC))
    for size in (100, 5000):
        curve.add(PRODUCT, size, Sample(size / 50))
    topics = [Topic("growth-settings", "settings", (100, 5000), [curve], "A QX2000's most.")]
    markdown, page = report.markdown([], FACTS, [], topics), report.page([], FACTS, [], topics)
    assert "## How costs grow" in markdown and "| one <change> | ms | qx | 2.00 | 100.0 | n^1.00" in markdown
    assert "<h2>How costs grow</h2>" in page and "<td>one &lt;change&gt;</td><td>ms</td><td>qx</td>" in page
    assert "How costs grow" not in report.page([], FACTS, [])


def test_held_targets_mark_nothing() -> None:
    found = [Chapter("Takeover", [_measured_row("kill", [13.0], [3000.0])])]
    page = report.page(found, FACTS, [])
    assert "NOT HELD" not in page and '"missed"' not in page
    assert "Targets: 1 held, 0 not held, 0 not measured." in page


def test_words_are_no_markup() -> None:
    row = _row([1.0], [])
    row.note = '<script>alert("x")</script> a|b'
    found = [Chapter("<b>Takeover", [row], "a & b")]
    page = report.page(found, FACTS, [])
    assert "<script" not in page and "<b>" not in page
    assert "&lt;script&gt;" in page and "a &amp; b" in page and "a &lt;b&gt; &amp;&amp; &#39;c&#39;" in page
    assert "a\\|b; " in report.markdown(found, FACTS, [])


def test_pictures_are_within_the_page(tmp_path: Path) -> None:
    """report.html asks for no other file, however many pictures there are."""
    octets = {"one.png": b"\x89PNG one", "two.png": b"\x89PNG two"}
    for name, content in octets.items():
        (tmp_path / name).write_bytes(content)
    pictures = [report.Picture("one.png", 'of "one"'), report.Picture("two.png", "of two")]
    written = report.write(tmp_path, [Chapter("Takeover", [_row([1.0], [2.0])])], FACTS, pictures)
    assert written == ["report.html", "report.md", "bench.json", *octets]
    page = (tmp_path / "report.html").read_text()
    embedded = re.findall(r'src="data:image/png;base64,([^"]*)"', page)
    assert [base64.b64decode(one) for one in embedded] == list(octets.values())
    assert page.count("src=") == 2 and "href=" not in page
    assert "of &#34;one&#34;" in page
    assert "![of two](two.png)" in (tmp_path / "report.md").read_text()


def test_every_contestant_is_in_the_picture(tmp_path: Path) -> None:
    rows = [
        _measured_row("kill", [13.0, 14.0], [0.0], []),
        _measured_row("hang-takeover", [2.0], [3.0], [4.0]),
    ]
    drawn = draw_all(rows, tmp_path, "here")
    assert [picture.file for picture in drawn] == ["takeover.png", "master.png"]
    assert all((tmp_path / picture.file).stat().st_size > 10_000 for picture in drawn)
    assert draw_all([Row("kill", "", "ms")], tmp_path, "") == []


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
        assert rows[key]["ratios"][RSYNC] < 1, rows[key]


@pytest.mark.timeout(120)
def test_one_row_is_measured_and_written(tmp_path: Path) -> None:
    needs_root()
    prefix = f"m{os.getpid()}"
    argv = [sys.executable, "-m", "bench", "--rows", "cut-100ms", "--count", "1", "--seed", "1"]
    argv += ["--out", str(tmp_path), "--lab", prefix]
    environ = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}:{PROJECT / 'firmware'}"}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = json.loads((tmp_path / "bench.json").read_text())
    row = kept["rows"]["cut-100ms"]
    for who in TAKEOVER:
        values = row[who]["values"]
        spoilt = done.stdout.count("spoilt (")  # the probe was kept from its work
        assert len(values) == 1 or spoilt >= MOST_SPOILT, done.stdout
        assert all(50 < value < 1000 for value in values), row[who]  # three intervals, and some
    for text in (done.stdout, *((tmp_path / name).read_text() for name in ("report.md", "report.html"))):
        assert "power cut of the Master, v3 100 ms" in text
    assert (tmp_path / "takeover.png").stat().st_size > 10_000
    assert not namespaces_left(prefix)
