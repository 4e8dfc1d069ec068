# SPDX-License-Identifier: Apache-2.0
"""What the documentation names is there: events, commands, files it points to, goals of make."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qx import ports
from qx.__main__ import APPLETS, INTERNAL
from qx.sync.conflicts import KEPT_MAX
from qx.sync.voice import looking, naming, part, scan

PROJECT = Path(__file__).parents[2]
PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")])
SOURCES = "".join(file.read_text() for file in (PROJECT / "firmware/qx").rglob("*.py"))
SYNC = " ".join((PROJECT / "docs/synchronisation.md").read_text().split())


def test_every_event_of_synchronisation_is_in_its_table_and_none_that_is_not() -> None:
    """R32: by name. The events of sync/ and of the store, and those of the table."""
    rows = SYNC.partition("## Events")[2].partition("## Files")[0]
    named = set(re.findall(r"\| ([A-Z][^|]*?) \| ", rows))
    assert len(named) > 20
    assert not {name for name in named if f'"{name}"' not in SOURCES}
    sync = "".join(file.read_text() for file in (PROJECT / "firmware/qx/sync").rglob("*.py"))
    told = set(re.findall(r'"(?:success|warning|critical|info)"(?: if [^,]*)?,\s+"([A-Z][^"]+)"', sync))
    assert len(told) > 12
    assert told <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_every_file_that_a_page_names_is_there(page: Path) -> None:
    """R31, and the README's promise to a newcomer."""
    text = page.read_text()
    words = set(re.findall(r"(?:^    |`)(?:out/host/)?qx ([a-z]+)", text, re.M))
    known = {*APPLETS, *INTERNAL}
    assert words <= known, words - known
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    goals = set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^    make ([a-z-]+)", text, re.M))
    for goal in goals:
        assert re.search(rf"^{goal}:", (PROJECT / "Makefile").read_text(), re.M), goal
    if page.name in ("README.md", "synchronisation.md"):
        assert words


def test_no_port_is_given_twice_and_all_are_told() -> None:
    """R2, R17: `ports` is the one place; C and the documentation say the same."""
    given = {name: number for name, number in vars(ports).items() if isinstance(number, int)}
    assert len(given) == len(set(given.values())) >= 6
    assert f"#define QX_HELLO_PORT {ports.HELLO}\n" in (PROJECT / "cext/hello.h").read_text()
    rows = (PROJECT / "docs/architecture.md").read_text().partition("## Ports")[2]
    told = {int(number) for number in re.findall(r"\d+", "".join(re.findall(r"^\| ([\d, ]+)", rows, re.M)))}
    assert told >= {*given.values(), 80, 443, 161}
    assert len(told) == len(re.findall(r"^\| \d", rows, re.M)) + 1  # 80 and 443 share a row


def test_the_figures_of_synchronisation_are_those_of_the_code() -> None:
    for text in (
        f"{ports.SESSION} TCP",
        f"{ports.PAIRING} TCP",
        f"for {looking.TRASH_DAYS} days, at most {looking.TRASH_MOST >> 30} GiB",
        f"more than {scan.GUARD_FILES} files and more than {scan.GUARD_PART:.0%}".replace("%", " %"),
        f"{naming.PATH_MAX:,} octets, {naming.DEPTH_MAX} parts, {naming.NAME_MAX} octets a part",
        f"up to {part.NAMED_MAX:,} voice files",
    ):
        assert text in SYNC, text
    assert KEPT_MAX == 8
    assert "At most eight are kept" in SYNC
