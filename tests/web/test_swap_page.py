# SPDX-License-Identifier: Apache-2.0
"""Swap Master Device by its button, in Chromium. The last file here: its pair has other roles then."""

from __future__ import annotations

from typing import Any

import pytest
from board.lab.pair import Lab
from playwright.sync_api import Browser, Error

from counts import SOAK
from labtools import other, wait_for
from pairs import in_step, ready
from web.conftest import come_in, follow
from web.test_browser import WAYS


@pytest.mark.parametrize(("viewport", "script"), WAYS if SOAK else WAYS[:1])
def test_swap_master_device_by_its_button(
    lab: Lab, urls: dict[str, str], browser: Browser, viewport: Any, script: bool
) -> None:
    """R8, the guide's section 8: the question, the answer, and the login page of the unit that restarted."""
    master = ready(lab)
    in_step(lab)
    context, page = come_in(browser, urls[master], viewport, script)
    follow(page, "Setup", "Redundancy")
    page.get_by_role("link", name="Swap Master Device").click()
    assert page.get_by_role("link", name="Cancel").is_visible()
    page.get_by_role("button", name="Swap Master Device").click()
    page.get_by_text("The Backup device is Master now; this device restarts as Backup.").wait_for()
    context.close()
    assert ready(lab) == other(master)

    def seen() -> bool:
        again = browser.new_context(base_url=urls[master], java_script_enabled=False)
        one = again.new_page()
        try:
            one.goto("/", timeout=3000)
            return one.get_by_label("User Name").is_visible()
        except Error:
            return False
        finally:
            again.close()

    wait_for(seen, 20.0, "the pages of the old Master")
