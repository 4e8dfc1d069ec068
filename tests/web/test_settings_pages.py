# SPDX-License-Identifier: Apache-2.0
"""The pages on a real pair, without a browser: the first page, Redundancy Settings, tables, who may what."""

from __future__ import annotations

import pytest
from board.lab.pair import Lab

from labtools import other
from pairs import in_step, ready
from web.conftest import visitor
from web.visitor import NEW, Visitor


@pytest.fixture(scope="module")
def master(lab: Lab) -> str:
    return ready(lab)


@pytest.fixture(scope="module")
def admin(lab: Lab, master: str) -> Visitor:
    made = visitor(lab, master)
    made.come_in(f"QX200-{1 if master == 'a' else 2:06}")
    in_step(lab)
    return made


@pytest.fixture(scope="module")
def at_backup(lab: Lab, master: str, admin: Visitor) -> Visitor:
    """Logged in on the Backup with the password that crossed to it."""
    made = visitor(lab, other(master))
    assert "Am I protected?" in made.login("admin", NEW).text
    return made


def test_the_first_page_says_protected_and_draws_both_units(admin: Visitor, at_backup: Visitor) -> None:
    """R12 and the first page: one answer, both serial numbers, roles, addresses."""
    for page in (admin.get("/").page.flat, at_backup.get("/").page.flat):
        assert (
            "Am I protected?" in page and "If the Master fails now, the Backup takes over by itself." in page
        )
        assert "QX200-000001" in page and "QX200-000002" in page
        assert "Backup (Active)" in page


def test_redundancy_settings_has_the_guides_words(admin: Visitor, at_backup: Visitor) -> None:
    """R2, R12, guide sections 3, 7 and 8: fields, the Info line, the button, the drop-down."""
    page = admin.get("/setup/redundancy").page.flat
    for words in (
        "Redundancy Settings", "Enable Redundancy", "Redundant Group ID", "Synchronization Interval",
        "Virtual IP Address/Virtual Subnet Mask", "Redundant Device Virtual IP Address",
        "Backup Device GUI Access Port", "Backup Device Mode", "Swap Master Device", "Save",
        "Info: Current mode: Device is in Master mode",
    ):  # fmt: skip
        assert words in page, words
    there = at_backup.get("/setup/redundancy").page.flat
    assert "Info: Current mode: Device is in Backup mode (Active)" in there
    assert "Swap Master Device" not in there
