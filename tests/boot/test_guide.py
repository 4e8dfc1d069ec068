# SPDX-License-Identifier: Apache-2.0
"""The guide's sections 9, 10 and 11 as they are written, on the emulated pair: through its pages in Chromium,
with calls up; and section 9 with one button (R37, R38, R40, R41, R42).

How long the service was away and which calls lived is recorded; how long an emulated unit takes for it says
nothing of hardware.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from board.vendor import firmware
from board.virt.debian import PROJECT
from board.virt.vm import UNITS
from office import Office, office, silences
from playwright.sync_api import Browser, BrowserContext, Page, expect

from counts import count
from emulated import BOOT, becomes, page_of, started_anew, status, wait_for
from pbx.phones import TOLD, Prober, Sipp, calls_of, register, tell
from web.conftest import browser, come_in, follow
from web.visitor import Visitor

__all__ = ["browser"]
pytestmark = pytest.mark.vm

PARTS = PROJECT / "out/image/virt-qx200"
DESK = {"width": 1280, "height": 900}
CALLS = count(10, 100)
CALLERS, CALLEES = range(1000, 1000 + CALLS), range(1000 + CALLS, 1000 + 2 * CALLS)
PATIENCE = 60_000  # ms for a page of an emulated unit
INSTALL = 600_000  # ms
LONGEST = 2400  # seconds for a section of the guide


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("guide"), [*CALLERS, *CALLEES]) as made:
        master, _ = made.roles()
        page_of(master)
        Visitor("127.0.0.1", UNITS[master].pages).come_in(UNITS[master].serial)
        register(made, CALLERS, 5070, 5061, rate=5)
        register(made, CALLEES, 5070, 5062, rate=5)
        yield made


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Newer firmware, by version."""
    folder = tmp_path_factory.mktemp("images")
    made = {version: folder / f"{version}.swu" for version in ("1.1.0", "1.2.0")}
    for version, file in made.items():
        firmware.make(file, version, "qx200", PARTS / "kernel.itb", PARTS / "rootfs.squashfs")
    return made


class Calls:
    """Calls that are up while something is done, then changed by one side and ended by the other; beside
    them somebody who asks the service ten times a second. `lived` and `away` say how it went."""

    def __init__(self, at: Office) -> None:
        self._at = at
        self._stack = ExitStack()
        self.lived = 0
        self.away: list[float] = []

    def __enter__(self) -> Calls:
        start = self._stack.enter_context
        self._prober = start(Prober(self._at, 0.1))
        self._called = start(
            Sipp(self._at, "callee-ends", 5062, CALLS, media=20000, ring=100, timeout=LONGEST)
        )
        self._calling = start(
            Sipp(self._at, "caller-changes", 5061, CALLS, media=40000, hold=TOLD, after=0, rate=2,
                 rows=calls_of(CALLERS, CALLEES), timeout=LONGEST, more=("-cid_str", "guide-%u"))
        )  # fmt: skip
        master, _ = self._at.roles()
        wait_for(lambda: calls_up(self._at, master) == CALLS, BOOT, "all calls are up", every=2)
        self._since = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stack:
            if kind is None:
                for number in range(1, CALLS + 1):
                    tell(self._at, 5061, f"guide-{number}")
                    time.sleep(0.2)
                self.away = silences(self._prober, self._since)
                found = self._calling.outcome()
                self._called.outcome()
                self.lived = found.successful
                print(f"{self.lived} of {CALLS} calls lived; the service was silent for {self.away} s")
                if self.lived < CALLS:
                    print(found.said)


def calls_up(at: Office, unit: str) -> int:
    return len(told(at, unit, "pbx status").get("calls", ()))


def pages(browser: Browser, unit: str) -> tuple[BrowserContext, Page]:
    page_of(unit)
    context, page = come_in(browser, f"http://127.0.0.1:{UNITS[unit].pages}", DESK, True)
    page.set_default_timeout(PATIENCE)
    return context, page


def mode(browser: Browser, unit: str, wanted: str) -> None:
    context, page = pages(browser, unit)
    follow(page, "Setup", "Redundancy")
    page.get_by_label("Backup Device Mode").select_option(wanted)
    page.get_by_role("button", name="Save").click()
    line = f"Info: Current mode: Device is in Backup mode ({wanted.capitalize()})"
    expect(page.get_by_text(line)).to_be_visible(timeout=PATIENCE)
    context.close()


def updated(browser: Browser, at: Office, unit: str, image: Path) -> None:
    """Section 9, steps 2 and 4: the link on the passive Backup's Redundancy Settings, as on a unit alone."""
    slot = at.idle(unit)
    context, page = pages(browser, unit)
    follow(page, "Setup", "Redundancy")
    page.locator("main").get_by_role("link", name="Firmware Update", exact=True).click()
    page.get_by_label("Firmware image").set_input_files(image)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("The image is here.")).to_be_visible(timeout=INSTALL)
    page.get_by_role("button", name="Update and reboot").click(timeout=INSTALL)
    expect(page.get_by_text("This device restarts")).to_be_visible(timeout=PATIENCE)
    context.close()
    at.confirmed(unit, slot)
    at.passive(unit)


def swapped(browser: Browser, at: Office, master: str, backup: str) -> None:
    context, page = pages(browser, master)
    follow(page, "Setup", "Redundancy")
    page.get_by_role("link", name="Swap Master Device").click()
    page.get_by_role("button", name="Swap Master Device").click()
    expect(page.get_by_text("The Backup device is Master now")).to_be_visible(timeout=PATIENCE)
    context.close()
    wait_for(lambda: status(at.pair.machines[backup]).get("role") == "master", BOOT, "the swap", every=2)


def test_section_9_firmware_upgrade(
    pair: Office, browser: Browser, images: dict[str, Path], record_figures: Callable[..., None]
) -> None:
    """R38, R41: passive, upgrade of the Backup, swap, upgrade of the other, active: no call is lost, and the
    service is away for the swap alone."""
    master, backup = pair.roles()
    with Calls(pair) as calls:
        mode(browser, backup, "passive")
        updated(browser, pair, backup, images["1.1.0"])
        swapped(browser, pair, master, backup)
        pair.passive(master)
        updated(browser, pair, master, images["1.1.0"])
        mode(browser, master, "active")
        assert pair.roles() == (backup, master)
    record_figures(section=9, lived=calls.lived, of=CALLS, away_s=calls.away)
    assert calls.lived == CALLS


def test_section_10_key_update(pair: Office, browser: Browser, record_figures: Callable[..., None]) -> None:
    """R37, R41: keys of another feature on the passive Backup, then on the Master, which restarts and is
    Master again; then active. No call is lost; the service is away while the Master restarts."""
    master, backup = pair.roles()
    keys = dict(zip(UNITS, pair.pair.keys("fax"), strict=True))
    with Calls(pair) as calls:
        mode(browser, backup, "passive")
        for unit in (backup, master):
            machine = pair.pair.machines[unit]
            starts = machine.starts()
            context, page = pages(browser, unit)
            follow(page, "Setup", "Redundancy")
            page.locator("main").get_by_role("link", name="Features", exact=True).click()
            page.get_by_label("Feature Key").fill(keys[unit])
            page.get_by_role("button", name="Install").click()
            leaving = re.compile("The device reboots now|This device restarts")
            expect(page.get_by_text(leaving)).to_be_visible(timeout=PATIENCE)
            context.close()
            started_anew(machine, starts)
            becomes(machine, "master" if unit == master else "backup")
        pair.passive(backup)
        mode(browser, backup, "active")
        assert pair.roles() == (master, backup)
        wait_for(lambda: calls_up(pair, master) == CALLS, BOOT, "the Master knows the calls again", every=2)
    record_figures(section=10, lived=calls.lived, of=CALLS, away_s=calls.away)
    assert calls.lived == CALLS


def test_section_11_restoring_the_configuration(
    pair: Office, browser: Browser, tmp_path: Path, record_figures: Callable[..., None]
) -> None:
    """R40, R41: the Backup passive, the Master's configuration restored from its file, active again. Nothing
    restarts, and the service is not away."""
    master, backup = pair.roles()
    saved = tmp_path / "saved.qxb"
    with Calls(pair) as calls:
        context, page = pages(browser, master)
        follow(page, "Maintenance", "Configuration")
        page.locator("#out").fill("a passphrase of ours")
        with page.expect_download(timeout=PATIENCE) as download:
            page.get_by_role("button", name="Download the configuration").click()
        download.value.save_as(saved)
        machine = pair.pair.machines[master]
        assert machine.run("qx set extensions.1000.name=Changed", 90)[0] == 0
        mode(browser, backup, "passive")
        follow(page, "Maintenance", "Configuration")
        page.locator("#in").fill("a passphrase of ours")
        page.locator("#file").set_input_files(saved)
        page.get_by_role("button", name="Restore the configuration").click()
        expect(page.get_by_text("The configuration was restored.")).to_be_visible(timeout=PATIENCE)
        context.close()
        mode(browser, backup, "active")
        assert pair.roles() == (master, backup)
        assert machine.run("qx get extensions.1000.name", 90)[1].strip() != "Changed"
    record_figures(section=11, lived=calls.lived, of=CALLS, away_s=calls.away)
    assert calls.lived == CALLS


def test_both_devices_with_one_button(
    pair: Office, browser: Browser, images: dict[str, Path], record_figures: Callable[..., None]
) -> None:
    """R42: one upload on the Master; both run the new firmware in the end, with the other roles."""
    master, backup = pair.roles()
    slots = {unit: pair.idle(unit) for unit in UNITS}
    with Calls(pair) as calls:
        context, page = pages(browser, master)
        follow(page, "Maintenance", "Firmware Update")
        page.get_by_label("Both devices").check()
        page.get_by_label("Firmware image").set_input_files(images["1.2.0"])
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_text("Both devices are updated now.")).to_be_visible(timeout=INSTALL)
        for unit in (backup, master):
            pair.confirmed(unit, slots[unit])
        context.close()
        assert pair.roles() == (backup, master)
        wait_for(lambda: told_of_both(pair, backup), BOOT, "the end is told", every=2)
    record_figures(section=9, button=True, lived=calls.lived, of=CALLS, away_s=calls.away)
    assert calls.lived == CALLS


def told_of_both(at: Office, unit: str) -> bool:
    """Is the last result of an upgrade that of both devices?"""
    results = [event for event in told(at, unit, "events") if event["name"] == "Upgrade result"]
    return "both devices run" in results[-1]["description"] if results else False


def told(at: Office, unit: str, words: str) -> Any:
    """What `qx WORDS --json` says there."""
    code, said = at.pair.machines[unit].run(f"qx {words} --json", 90)
    return json.loads(said) if code == 0 else {}
