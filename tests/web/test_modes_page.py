# SPDX-License-Identifier: Apache-2.0
"""Backup Device Mode by its drop-down list, in Chromium (R6, R12, R26; the guide's section 7)."""

from __future__ import annotations

from typing import Any

import pytest
from board.lab.pair import Lab
from playwright.sync_api import Browser, Page, expect

from counts import SOAK
from labtools import other, qx, wait_for
from pairs import in_step, ready
from web.conftest import come_in, follow
from web.test_browser import WAYS

LINKS = ("Firmware Update", "Upload Language Pack", "Features")  # of a passive Backup


@pytest.mark.parametrize(("viewport", "script"), WAYS if SOAK else WAYS[:1])
def test_the_backup_is_made_passive_and_active_again_by_the_drop_down_list(
    lab: Lab, urls: dict[str, str], browser: Browser, master: str, viewport: Any, script: bool
) -> None:
    """R6, R26: section 7 on the Backup's own page; the Master's pages say that nobody protects it then."""
    ready(lab)
    in_step(lab)
    backup = other(master)
    context, page = come_in(browser, urls[backup], viewport, script)
    there, at_master = come_in(browser, urls[master], viewport, script)
    try:
        _choose(page, "Passive")
        expect(page.get_by_text("Info: Current mode: Device is in Backup mode (Passive)")).to_be_visible()
        for name in LINKS:
            expect(page.locator("main").get_by_role("link", name=name, exact=True)).to_be_visible()
        wait_for(lambda: qx(lab, master)["peer"]["mode"] == "passive", 5.0, "the mode at the Master")
        at_master.goto("/")
        expect(at_master.get_by_text("The pair is not protected").first).to_be_visible()
    finally:
        _choose(page, "Active")
    expect(page.get_by_text("Info: Current mode: Device is in Backup mode (Active)")).to_be_visible()
    expect(page.locator("main").get_by_role("link", name=LINKS[0], exact=True)).to_be_hidden()
    wait_for(lambda: qx(lab, master)["peer"]["mode"] == "active", 5.0, "the mode at the Master")
    at_master.goto("/")
    expect(at_master.get_by_text("The pair is not protected")).to_be_hidden()
    context.close()
    there.close()


def _choose(page: Page, mode: str) -> None:
    follow(page, "Setup", "Redundancy")
    page.get_by_label("Backup Device Mode").select_option(mode.lower())
    page.get_by_role("button", name="Save").click()
