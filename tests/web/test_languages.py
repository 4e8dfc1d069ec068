# SPDX-License-Identifier: Apache-2.0
"""R29: every page in another language. A made-up one, which marks each word that is in the catalogue, shows
what is not; German, the example, is complete and fits a phone's screen."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from board.lab.pair import Lab
from board.vendor import issuing
from playwright.sync_api import Browser

import messages
from labtools import UNITS, other, wait_for
from language_packs import DEVELOPMENT, body, catalogue
from pairs import ready
from qx.words import Words
from web.conftest import come_in
from web.visitor import Visitor

PHONE = {"width": 390, "height": 844}
SHOWN = ("aria-label", "alt", "title", "placeholder", "data-label")
# Data, and names that are the same in every language.
NAMES = re.compile(
    r"QX\d*-?\d*|CN=\S+|admin|olga|kamailio|Marked(?: 1\.2)?|UTC|LAN|WAN|[0-9A-F]{2}(?::[0-9A-F]{2})+"
    r"|\d+(?:\.\d+)? (?:s|ms|min|h|d|kB|MB)\b|[0-9a-f]{32,}|\S+@\S+|[a-z_]+(?:\.[a-z0-9_<>]+)+"
)


class Texts(HTMLParser):
    """What a person reads of a page: text outside of `code`, and the attributes that are read out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._code = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._code += tag == "code"
        self.found += [value or "" for name, value in attrs if name in SHOWN]

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        if not self._code and data.strip():
            self.found.append(" ".join(data.split()))


def unmarked(text: str) -> str:
    """The part of a text that no message has marked."""
    depth, kept = 0, ""
    for character in text:
        depth += (character == "⟦") - (character == "⟧")
        kept += character if not depth and character != "⟧" else " "
    return " ".join(NAMES.sub(" ", kept).split())


def pack(words: dict[str, str], **contents: str) -> bytes:
    return issuing.sign_language_pack(body(catalogue=catalogue(words), **contents), DEVELOPMENT)


def install(lab: Lab, unit: str, octets: bytes) -> None:
    file = lab.folder / "some.qxl"
    file.write_bytes(octets)
    lab.qx(unit, "langpack", "install", str(file)).check_returncode()


def paths_of(page: Visitor) -> list[str]:
    return [*page.paths(), "/setup/redundancy/swap", "/setup/extensions/row?table=extensions"]


@pytest.fixture
def english_again(lab: Lab, master: str) -> Iterator[None]:
    yield
    for unit in UNITS:
        lab.qx(unit, "langpack", "remove")
    ready(lab)


def test_no_page_has_a_word_that_no_catalogue_can_have(
    lab: Lab, master: str, admin: Visitor, at_backup: Visitor, english_again: None
) -> None:
    """On the Master and on the Backup, and in what refuses a form."""
    marked = pack({one: f"⟦{one}⟧" for one in messages.collect().places}, name="Marked")
    for unit in UNITS:
        install(lab, unit, marked)
    wait_for(lambda: "⟦Log out⟧" in admin.get("/").text, 5.0, "the Master's pages in that language")
    wait_for(lambda: "⟦Log out⟧" in at_backup.get("/").text, 5.0, "the Backup's pages in that language")
    left = {
        (path, rest)
        for page in (admin, at_backup)
        for path in paths_of(page)
        for text in Texts(page.get(path).text).found
        if re.search(r"[^\W\d_]{2,}", rest := unmarked(text))
    }
    refused = admin.submit("/setup/redundancy", redundancy__group_id="0")
    assert "⟦" in next(text for text in Texts(refused.text).found if "255" in text and "'0'" in text)
    assert not left, "\n".join(sorted(f"{path}: {rest}" for path, rest in left))


def test_german_is_german_and_fits(
    lab: Lab,
    urls: dict[str, str],
    browser: Browser,
    master: str,
    admin: Visitor,
    english_again: None,
    tmp_path: Path,
) -> None:
    """R28, R29: the example pack, uploaded in the page; no English is left where German differs; a phone's
    screen is wide enough for it."""
    compiled = tmp_path / "de.mo"
    subprocess.run(["msgfmt", "-o", compiled, messages.LOCALE / "de.po"], check=True)
    octets = issuing.sign_language_pack(body(catalogue=compiled.read_bytes()), DEVELOPMENT)
    words = Words(compiled.read_bytes(), "de")
    english = {one for one in messages.collect().places if "%(" not in one and words(one) != one}
    install(lab, other(master), octets)
    answer = admin.upload("/maintenance/language", "/maintenance/language/upload", octets)
    assert "Das Sprachpaket wurde installiert." in answer.text and '<html lang="de">' in answer.text
    ready(lab)
    left: set[str] = set()
    context, shown = come_in(browser, urls[master], PHONE, True)
    for path in paths_of(admin):
        shown.goto(path)
        left |= {f"{path}: {text}" for text in Texts(shown.content()).found if text in english}
        if shown.evaluate("document.documentElement.scrollWidth > innerWidth"):
            left.add(f"{path}: wider than the screen")
    context.close()
    assert not left, "\n".join(sorted(left))
