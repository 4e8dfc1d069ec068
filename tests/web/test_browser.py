# SPDX-License-Identifier: Apache-2.0
"""The pages in Debian's Chromium: the guide's words on a desk and on a phone, with script and without;
axe-core on every page; the keyboard alone; nothing asked of anybody but the unit."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from board.lab.pair import Lab
from playwright.sync_api import Browser

from counts import SOAK
from labtools import other
from web.conftest import come_in, follow, serial
from web.visitor import Visitor

AXE = Path(__file__).resolve().parents[2] / "out/axe/package/axe.min.js"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PAGE_MAX = 30_000  # octets, with style and script
ALL = pytest.mark.skipif(not SOAK, reason="the other two ways with QX_SOAK=1")
WAYS = [
    pytest.param(DESK, True, id="desk"), pytest.param(PHONE, False, id="phone-no-script"),
    pytest.param(DESK, False, id="desk-no-script", marks=ALL),
    pytest.param(PHONE, True, id="phone", marks=ALL),
]  # fmt: skip
FIELDS = (
    "Enable Redundancy", "Redundant Group ID", "Virtual IP Address/Virtual Subnet Mask",
    "Redundant Device Virtual IP Address", "Synchronization Interval", "Backup Device GUI Access Port",
    "Backup Device Mode",
)  # fmt: skip


@pytest.mark.parametrize(("viewport", "script"), WAYS)
def test_the_guides_pages_word_by_word(
    urls: dict[str, str], browser: Browser, master: str, viewport: Any, script: bool
) -> None:
    """R12, R26, R28: the guide's sections 3, 6 and 12 as they are written, on the Master."""
    context, page = come_in(browser, urls[master], viewport, script)
    follow(page, "Setup", "Redundancy")
    assert page.get_by_text("Info: Current mode: Device is in Master mode").is_visible()
    for label in FIELDS:
        assert page.get_by_label(label, exact=True).is_visible(), label
    assert page.get_by_label("Redundant Group ID").input_value() == "18"
    assert page.get_by_role("link", name="Swap Master Device").is_visible()
    assert page.get_by_role("button", name="Save").is_visible()
    follow(page, "Status", "Hardware Status")
    assert page.get_by_role("heading", name="Backup device").is_visible()
    row = page.locator("table tr", has_text=serial(other(master)))
    assert "UP" in row.inner_text() and "Backup (Active mode)" in row.inner_text()
    follow(page, "Status", "System Events")
    assert page.get_by_text("Backup device is UP (Active mode)").first.is_visible()
    follow(page, "Setup", "Feature Keys")
    assert page.get_by_text(f"this device is paired with {serial(other(master))}").is_visible()
    context.close()


def test_every_page_for_everybody(
    urls: dict[str, str], browser: Browser, master: str, admin: Visitor
) -> None:
    """R28: axe-core finds nothing serious, nothing is wider than a phone's screen, nothing hidden is
    shown, all comes from the unit, and it is at most 30 kB with style and script."""
    paths = [*admin.paths(), "/setup/extensions/row?table=extensions", "/setup/redundancy/swap"]
    extra = sum(len(admin.get(f"/static/{name}").octets) for name in ("style.css", "live.js", "icon.svg"))
    axe = AXE.read_text()
    context, page = come_in(browser, urls[master], PHONE, True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    errors: list[str] = []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    wrong: list[str] = []
    for path in paths:
        answer = page.goto(path)
        assert answer
        if not answer.ok:
            wrong.append(f"{path}: {answer.status}")
        if len(answer.body()) + extra > PAGE_MAX:
            wrong.append(f"{path}: {len(answer.body()) + extra} octets")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"{path}: wider than the screen")
        shown = page.evaluate("[...document.querySelectorAll('[hidden]')].filter(e => e.offsetParent).length")
        if shown:
            wrong.append(f"{path}: {shown} elements are hidden and shown")
        page.evaluate(axe)
        found = page.evaluate("axe.run().then(r => r.violations)")
        wrong += [
            f"{path}: {one['id']}: {one['nodes'][0]['html'][:90]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
    context.close()
    assert not wrong, "\n".join(wrong)
    assert all(url.startswith(urls[master]) for url in asked)
    assert not errors


def test_live_status_without_a_click(lab: Lab, urls: dict[str, str], browser: Browser, master: str) -> None:
    """R7, R28: the Backup becomes passive by its drop-down, and the Master's open page says so by itself; the
    passive Backup offers the guide's links."""
    context, watching = come_in(browser, urls[master], DESK, True)
    there, page = come_in(browser, urls[other(master)], PHONE, False)
    try:
        follow(page, "Setup", "Redundancy")
        page.get_by_label("Backup Device Mode").select_option("passive")
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Info: Current mode: Device is in Backup mode (Passive)").wait_for()
        for name in ("Firmware Update", "Upload Language Pack", "Features"):
            assert page.get_by_role("link", name=name, exact=True).last.is_visible(), name
        watching.get_by_text("The pair is not protected: the Backup device is in passive mode.").wait_for(
            timeout=10_000
        )
        assert watching.get_by_text("Not protected", exact=True).is_visible()
    finally:
        page.goto("/setup/redundancy")
        page.get_by_label("Backup Device Mode").select_option("active")
        page.get_by_role("button", name="Save").click()
    watching.get_by_text("Protected", exact=True).wait_for(timeout=15_000)
    watching.goto("/status/events")
    assert watching.get_by_text("Backup device is UP (Passive mode)").first.is_visible()
    context.close()
    there.close()


LINE = 115_200 / 8  # octets a second
FIRST_PAGE = 3.0  # seconds


def test_the_first_page_over_a_slow_line(
    urls: dict[str, str], browser: Browser, master: str, record_figures: Callable[..., None]
) -> None:
    """Issue: 115 kbit/s and 100 ms of delay, nothing cached: everything is there within 3 s."""
    context, page = come_in(browser, urls[master], DESK, True)
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    line.send("Network.clearBrowserCache")
    line.send("Network.emulateNetworkConditions", {
        "offline": False, "latency": 100, "downloadThroughput": LINE, "uploadThroughput": LINE,
    })  # fmt: skip
    start = time.monotonic()
    page.goto("/", wait_until="load")
    took = time.monotonic() - start
    assert page.get_by_text("Am I protected?").is_visible()
    context.close()
    record_figures(first_page_s=round(took, 2))
    assert 1.0 < took < FIRST_PAGE


def test_a_setting_by_the_keyboard_alone(urls: dict[str, str], browser: Browser, master: str) -> None:
    """R28: from the first page to a saved setting and back with Tab, Enter and typing; where the focus is can
    be seen."""
    context, page = come_in(browser, urls[master], DESK, True)

    def to(name: str) -> None:
        """Tab until something of that name has the focus."""
        for _ in range(60):
            page.keyboard.press("Tab")
            found = page.evaluate(
                "(document.activeElement.labels?.[0] || document.activeElement).innerText.trim()"
            )
            if found == name:
                style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert style == "solid", name
                return
        raise AssertionError(f"no Tab leads to {name}")

    to("Setup")
    page.keyboard.press("Enter")
    to("Redundancy")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Redundancy Settings").wait_for()
    to("Synchronization Interval")
    page.keyboard.press("Control+a")
    page.keyboard.type("61")
    page.keyboard.press("Enter")
    page.get_by_text("Saved.").wait_for()
    assert page.get_by_label("Synchronization Interval").input_value() == "61"
    to("Synchronization Interval")
    page.keyboard.press("Control+a")
    page.keyboard.type("60")
    to("Save")
    page.keyboard.press("Space")
    page.get_by_text("Saved.").wait_for()
    assert page.get_by_label("Synchronization Interval").input_value() == "60"
    to("Log out")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Login").wait_for()
    context.close()
