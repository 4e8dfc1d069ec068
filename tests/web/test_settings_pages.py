# SPDX-License-Identifier: Apache-2.0
"""The pages on a real pair, without a browser: the first page, Redundancy Settings, tables, who may what."""

from __future__ import annotations

from web.visitor import Visitor


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
