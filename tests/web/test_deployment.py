# SPDX-License-Identifier: Apache-2.0
"""The guide's sections 3, 4 and 6 by the pages alone, in Chromium, with two units out of the box whose LAN
addresses are the factory's until they are a pair."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from board.lab.demo import VIRTUAL_IP
from board.lab.pair import Lab
from playwright.sync_api import Browser, BrowserContext, Page, expect

from counts import SOAK
from labtools import UNITS, make_lab, qx, wait_for
from pairs import DEFAULT, events, ready
from web.conftest import connecting, follow, forwarded, serial
from web.test_browser import DESK, PHONE
from web.visitor import NEW, Visitor

FRESH = replace(DEFAULT, configure=False, licence=False, pages=True)  # the plan with the guide's 172.30.0.1
LAN = "172.30.0.1"
SECOND = 20_000  # ms of patience
WAYS = [
    pytest.param(DESK, False, id="desk-no-script"),
    pytest.param(PHONE, True, id="phone", marks=pytest.mark.skipif(not SOAK, reason="with QX_SOAK=1")),
]


@pytest.fixture
def blank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with make_lab("wd", tmp_path_factory.mktemp("deployment")) as lab:
        lab.up(FRESH, fresh=True, power=False)
        yield lab
        lab.pages.stop()


@pytest.fixture
def ports(blank: Lab) -> dict[str, str]:
    """`service` leads to the regular LAN address, a and b to the Virtual IPs."""
    return forwarded(blank, "service", *UNITS)


@pytest.mark.parametrize(("viewport", "script"), WAYS)
def test_the_guides_deployment_by_the_pages(
    blank: Lab, ports: dict[str, str], browser: Browser, viewport: Any, script: bool
) -> None:
    """R1, R5, R26, R41: each unit is set up by itself at the factory's address, then both are connected."""
    keys = FRESH.keys()
    for unit in ("b", "a"):
        _powered(blank, unit)
        context, page = _first_login(browser, ports["service"], unit, viewport, script)
        _configured(page, unit, keys[unit])
        context.close()
        if unit == "b":  # "separately": one PC, one device at a time
            blank.power_off(unit)
    # Step 5: all remaining settings on the first unit.
    context, page = _login(browser, ports["service"], viewport, script, NEW)
    follow(page, "Setup", "Extensions")
    page.get_by_role("link", name="Add").click()
    page.get_by_label("Number").fill("101")
    page.get_by_label("Name", exact=True).fill("Reception")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="101")).to_be_visible()
    # Step 8: the unit that is to be the Backup gets its power.
    blank.power_on("b")
    assert ready(blank) == "a"
    wait_for(lambda: _named(blank, "Backup device is UP (Active mode)"), 10.0, "the event")
    follow(page, "Status", "System Events")
    expect(page.get_by_text("Backup device is UP (Active mode)").first).to_be_visible()
    follow(page, "Status", "Hardware Status")
    row = page.locator("table tr", has_text=serial("b"))
    expect(row).to_contain_text("UP – Backup (Active mode)")
    context.close()
    # Section 6: the Backup's pages, with the Master's settings and passwords now.
    wait_for(lambda: qx(blank, "b")["sync"]["state"] == "in step", 10.0, "the first copy")
    context, page = _login(browser, ports["b"], viewport, script, NEW)
    follow(page, "Setup", "Extensions")
    expect(page.get_by_role("link", name="101")).to_be_visible()
    context.close()
    through = Visitor(LAN, 7777, connecting(blank, LAN, 7777))
    assert "Login" in through.get("/").text and serial("b") in through.get("/").text


def _powered(lab: Lab, unit: str) -> None:
    lab.power_on(unit)

    def answers() -> bool:
        try:
            return "Login" in Visitor(LAN, 80, connecting(lab, LAN)).get("/login").text
        except OSError:
            return False

    wait_for(answers, 20.0, f"the pages of unit {unit} at the factory's address", 0.2)


def _login(
    browser: Browser, url: str, viewport: Any, script: bool, password: str
) -> tuple[BrowserContext, Page]:  # fmt: skip
    context = browser.new_context(viewport=viewport, java_script_enabled=script, base_url=url)
    page = context.new_page()
    page.set_default_timeout(SECOND)
    page.goto("/")
    page.get_by_label("User Name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    return context, page


def _first_login(
    browser: Browser, url: str, unit: str, viewport: Any, script: bool
) -> tuple[BrowserContext, Page]:  # fmt: skip
    context, page = _login(browser, url, viewport, script, serial(unit))
    page.get_by_label("Old Password").fill(serial(unit))
    page.get_by_label("New Password", exact=True).fill(NEW)
    page.get_by_label("New Password once more").fill(NEW)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your password was changed.")).to_be_visible()
    return context, page


def _configured(page: Page, unit: str, key: str) -> None:
    """Sections 3.1 and 3.2: the key, then Redundancy Settings, with the guide's fields."""
    expect(page.get_by_text("This device works alone.")).to_be_visible()
    follow(page, "Setup", "Feature Keys")
    page.get_by_label("Feature Key").fill(key)
    page.get_by_role("button", name="Install").click()
    expect(page.get_by_text("Redundancy: this device is paired with")).to_be_visible()
    follow(page, "Setup", "Redundancy")
    peer = "b" if unit == "a" else "a"
    page.get_by_label("Enable Redundancy").check()
    page.get_by_label("Redundant Group ID").fill("18")
    page.get_by_label("Virtual IP Address/Virtual Subnet Mask").fill(str(VIRTUAL_IP[unit]))
    page.get_by_label("Redundant Device Virtual IP Address").fill(str(VIRTUAL_IP[peer].ip))
    page.get_by_label("Synchronization Interval").fill("60")
    expect(page.get_by_label("Backup Device GUI Access Port")).to_have_value("7777")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    # "Do not be misled by the following message on the screen."
    for _ in range(30):
        page.goto("/setup/redundancy")
        if page.get_by_text("Info: Current mode: Device is in Master mode").is_visible():
            return
        page.wait_for_timeout(300)
    raise AssertionError(re.sub(r"\s+", " ", page.locator("#mode").inner_text()))


def _named(lab: Lab, name: str) -> bool:
    return any(event["name"] == name for event in events(lab, "a"))
