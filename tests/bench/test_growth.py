# SPDX-License-Identifier: Apache-2.0
"""Curves on hand-made figures, the plan of growth, and what it is measured with."""

import struct
from itertools import pairwise
from pathlib import Path

import pytest
from board.lab.demo import GROUP_ID

from qx.model import MODELS
from qx.settings.check import validate
from qx.settings.view import Settings

from . import growth_plot, neighbours
from .curves import Curve, Topic, growth, markdown, power, record
from .figures import PRODUCT, RSYNC, Sample
from .growth import topics
from .office import office


def _curve(ours: dict[int, list[float]]) -> Curve:
    curve = Curve("first", "first copy", "ms", (PRODUCT, RSYNC), "so much")
    for size, values in ours.items():
        curve.add(PRODUCT, size, *map(Sample, values))
    return curve


# ── curves ──


def test_a_curve_is_the_median_at_each_size_in_order() -> None:
    curve = _curve({1000: [9.0, 7.0, 8.0], 10: [1.0]})
    assert curve.medians(PRODUCT) == [(10, 1.0), (1000, 8.0)]
    assert curve.medians(RSYNC) == []


def test_what_failed_or_was_spoilt_is_no_figure() -> None:
    curve = _curve({10: [1.0]})
    curve.add(PRODUCT, 10, Sample(99.0, spoilt="so"), Sample(failed="no answer"))
    curve.add(PRODUCT, 100, Sample(failed="no answer"))
    assert curve.medians(PRODUCT) == [(10, 1.0)]
    assert (curve.failed(PRODUCT), curve.spoilt(PRODUCT)) == (2, 1)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(10, 5.0), (100, 5.0), (1000, 5.0)], 0.0),
        ([(10, 1.0), (100, 10.0), (1000, 100.0)], 1.0),
        ([(10, 1.0), (1000, 10.0)], 0.5),
        ([(10, 8.0), (100, 800.0)], 2.0),
    ],
)
def test_the_power_is_the_slope_of_the_logarithms(points: list[tuple[int, float]], expected: float) -> None:
    assert power(points) == pytest.approx(expected)


@pytest.mark.parametrize("points", [[], [(10, 1.0)], [(10, 0.0), (100, 1.0)]])
def test_one_size_and_a_cost_of_nothing_have_no_power(points: list[tuple[int, float]]) -> None:
    assert power(points) is None and growth(points) == ""


def test_growth_says_the_power_and_the_factor_or_that_there_is_next_to_none() -> None:
    assert growth([(10, 1.0), (1000, 100.0)]) == "n^1.00, × 100"
    assert growth([(10, 1.0), (1000, 10.0)]) == "n^0.50, × 10"
    assert growth([(10, 2.0), (1000, 3.0)]) == "× 1.50 in all"


def test_the_table_has_a_column_a_size_and_a_line_a_contestant() -> None:
    curve = _curve({10: [1.0], 1000: [100.0]})
    curve.add(RSYNC, 10, Sample(5.0))
    curve.add(RSYNC, 1000, Sample(failed="no answer"))
    table = markdown([Topic("growth-voice", "voice files", (10, 1000), [curve], "Small ones.")])
    assert table[2] == "|  | unit | of | 10 | 1,000 | grows as | remarks |"
    assert table[4] == f"| first copy | ms | {PRODUCT} | 1.00 | 100.0 | n^1.00, × 100 | so much |"
    assert table[5] == f"| first copy | ms | {RSYNC} | 5.00 | – |  | 1 FAILED |"
    assert "Small ones." in table


def test_the_record_keeps_every_sample() -> None:
    curve = _curve({10: [1.0, 3.0]})
    kept = record([Topic("growth-voice", "voice files", (10,), [curve])])["growth-voice"]["curves"]["first"]
    assert kept[PRODUCT]["medians"] == [(10, 2.0)]
    assert [one["value"] for one in kept[PRODUCT]["samples"][10]] == [1.0, 3.0]


def test_a_plot_wants_two_sizes(tmp_path: Path) -> None:
    alone, two = _curve({10: [1.0]}), _curve({10: [0.0], 1000: [100.0, 90.0]})
    assert not growth_plot.draw([Topic("a", "files", (10,), [alone])], tmp_path / "growth.png", "")
    assert growth_plot.draw([Topic("a", "files", (10, 1000), [alone, two])], tmp_path / "growth.png", "")
    assert (tmp_path / "growth.png").stat().st_size > 5_000


# ── the plan ──


def test_topics_are_chosen_by_key_and_all_by_growth() -> None:
    everything = [topic.key for topic in topics(quick=False)]
    assert [topic.key for topic in topics(False, {"growth"})] == everything
    assert [topic.key for topic in topics(False, {"cut-1s", "growth-voice"})] == ["growth-voice"]
    assert topics(False, {"cut-1s"}) == []


@pytest.mark.parametrize("quick", [False, True])
def test_every_topic_has_growing_sizes_and_curves_of_the_product(quick: bool) -> None:
    for topic in topics(quick):
        assert len(topic.sizes) > 1 and all(a < b for a, b in pairwise(topic.sizes))
        assert all(curve.of[0] == PRODUCT for curve in topic.curves)
        assert len({curve.key for curve in topic.curves}) == len(topic.curves)


# ── what it is measured with ──


@pytest.mark.parametrize("count", [100, 1000, 5000, 20_000, 50_000])
def test_an_office_has_as_many_settings_as_are_wanted_and_a_qx2000_takes_them(count: int) -> None:
    values = office(count)
    assert count <= len(values) < count + 10
    validate(Settings(MODELS["qx2000"], {}), values)


def test_a_larger_office_has_all_settings_of_a_smaller_one() -> None:
    sizes = (100, 5000, 20_000, 50_000)
    assert all(set(office(a)) < set(office(b)) for a, b in pairwise(sizes))


def test_an_office_beyond_the_model_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at most 50000"):
        office(60_000)


def test_other_groups_are_neither_the_labs_own_nor_a_host_of_it() -> None:
    numbers = neighbours.groups(249)
    assert len(set(numbers)) == 249
    assert not {GROUP_ID, 1, 2, 50, 100, 255} & set(numbers)


def test_another_groups_advertisement_is_right() -> None:
    packet = neighbours.advertisement(7, 0.1)
    assert packet[8] == 255 and packet[9] == 112  # TTL, protocol
    kind, group, priority, count, interval = struct.unpack_from("!BBBBH", packet, 20)
    assert (kind, group, priority, count, interval) == (0x31, 7, 100, 1, 10)
