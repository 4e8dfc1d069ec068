# SPDX-License-Identifier: Apache-2.0
"""What the tests of the pages share: a pair with a licence, and users on the PC who are logged in."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from board.lab import namespace
from board.lab.demo import VIRTUAL_IP
from board.lab.pair import Lab
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from labtools import UNITS, other, wait_for
from pairs import DEFAULT, in_step, pair, ready, service
from web.visitor import NEW, Visitor

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The guide's pair: a Master and an active Backup, both with their pages up."""
    with pair("wb", tmp_path_factory.mktemp("web"), replace(DEFAULT, plan="same", pages=True)) as made:
        for unit in made.units:
            wait_for(lambda unit=unit: answers(made, address_of(made, unit)), 20.0, f"pages of {unit}")
        yield made


def address_of(lab: Lab, which: str) -> str:
    """Of the pages of unit a or b, or of the Master's service address."""
    return service(lab) if which == "master" else str(VIRTUAL_IP[which].ip)


def connecting(lab: Lab, address: str, port: int = 80, source: str = "") -> Callable[[], socket.socket]:
    """Connections of the PC to there, from that address of its own."""

    def connect() -> socket.socket:
        made = namespace.socket_in(lab.network.name("pc"), socket.AF_INET, socket.SOCK_STREAM)
        made.settimeout(30)
        try:
            if source:
                made.bind((source, 0))
            made.connect((address, port))
        except BaseException:
            made.close()
            raise
        return made

    return connect


def answers(lab: Lab, address: str, port: int = 80) -> bool:
    try:
        connecting(lab, address, port)().close()
    except OSError:
        return False
    return True


def visitor(lab: Lab, which: str, port: int = 80) -> Visitor:
    """Somebody at the PC who has not logged in."""
    address = address_of(lab, which)
    return Visitor(address, port, connecting(lab, address, port))


@pytest.fixture(scope="session")
def master(lab: Lab) -> str:
    return ready(lab)


@pytest.fixture(scope="session")
def admin(lab: Lab, master: str) -> Visitor:
    made = visitor(lab, master)
    made.come_in(serial(master))
    in_step(lab)
    return made


@pytest.fixture(scope="session")
def at_backup(lab: Lab, master: str, admin: Visitor) -> Visitor:
    """Logged in on the Backup with the password that crossed to it."""
    made = visitor(lab, other(master))
    assert "Am I protected?" in made.login("admin", NEW).text
    return made


def serial(unit: str) -> str:
    return f"QX200-{1 if unit == 'a' else 2:06}"


@pytest.fixture(scope="session")
def urls(lab: Lab, master: str, admin: Visitor) -> Iterator[dict[str, str]]:
    """By unit: its pages on this computer's loopback."""
    yield forwarded(lab, *UNITS)
    lab.pages.stop()


def forwarded(lab: Lab, *places: str) -> dict[str, str]:
    """By place (`service`, a, b): a URL on this computer's loopback that leads to the pages there, until
    `lab.pages.stop()`."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in places]
    ports = {one.getsockname()[1]: place for place, one in zip(places, taken, strict=True)}
    for one in taken:
        one.close()
    lab.pages.start(lab.service_addresses(), ports)
    return {place: f"http://127.0.0.1:{port}" for port, place in ports.items()}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


def come_in(
    browser: Browser, url: str, viewport: Any, script: bool, password: str = NEW, **more: Any
) -> tuple[BrowserContext, Page]:
    """Logs in by the keyboard alone."""
    context = browser.new_context(viewport=viewport, java_script_enabled=script, base_url=url, **more)
    page = context.new_page()
    page.goto("/")
    page.locator("#user").focus()
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    page.locator("#user").wait_for(state="detached")
    return context, page


def follow(page: Page, *names: str) -> None:
    """Opens menus and follows the last name, as the guide writes Setup->Redundancy."""
    menu = page.locator("nav details", has=page.locator("summary", has_text=names[0]))
    if menu.get_attribute("open") is None:
        menu.locator("summary").click()
    menu.get_by_role("link", name=names[-1], exact=True).click()
