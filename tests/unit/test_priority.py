# SPDX-License-Identifier: Apache-2.0
"""R4, R10: the priority of a Master says by what right it holds the seat; the better right wins a meeting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine import SECOND

from _qx import lib

RETURNED, STARTUP = lib.QX_SEAT_RETURNED, lib.QX_SEAT_STARTUP
YEAR = 365 * 24 * 3600 * SECOND
ages = st.one_of(st.integers(0, 10 * YEAR), st.integers(0, 200 * SECOND))


@given(ages)
def test_seats_that_do_not_age(age: int) -> None:
    """R10: a listener 253, confirmed 254, taken over 253, whatever the time in office."""
    assert lib.qx_priority(lib.QX_SEAT_NONE, age) == 253
    assert lib.qx_priority(lib.QX_SEAT_CONFIRMED, age) == 254
    assert lib.qx_priority(lib.QX_SEAT_TAKEOVER, age) == 253


@pytest.mark.parametrize(
    ("age_s", "startup", "returned"),
    [
        (0, 240, 239),
        (29.999999999, 240, 239),
        (30, 241, 240),
        (59.999999999, 241, 240),
        (60, 242, 241),
        (120, 243, 242),
        (3600, 247, 246),
        (30 * 2**10, 251, 250),
        (30 * 2**11 - 1, 251, 250),
        (30 * 2**11, 252, 251),  # 17 hours
        (30 * 2**12, 252, 252),
        (YEAR / SECOND, 252, 252),
    ],
)
def test_who_found_nobody_rises_with_age(age_s: float, startup: int, returned: int) -> None:
    """R10: one more each time the age doubles from 30 s; who was a Backup before is one behind."""
    age = round(age_s * SECOND)
    assert lib.qx_priority(STARTUP, age) == startup
    assert lib.qx_priority(RETURNED, age) == returned


@given(st.sampled_from([RETURNED, STARTUP]), ages, ages)
def test_age_never_lowers_it(seat: int, one: int, other: int) -> None:
    """R10: the one in office longer never yields to the one in office less long, except by address."""
    younger, older = sorted((one, other))
    assert lib.qx_priority(seat, younger) <= lib.qx_priority(seat, older)


@given(st.sampled_from([RETURNED, STARTUP]), ages)
def test_it_stays_below_every_better_right(seat: int, age: int) -> None:
    """R10: never 253 and never outside what a Master of a pair may say."""
    assert 239 <= lib.qx_priority(seat, age) <= 252


@given(ages, st.integers(0, 60 * SECOND))
def test_of_two_at_one_switch_the_old_master_is_never_below(age: int, behind: int) -> None:
    """R9: the old Backup, returned at the same time or later, never has more than the old Master."""
    assert lib.qx_priority(RETURNED, max(0, age - behind)) <= lib.qx_priority(STARTUP, age)
