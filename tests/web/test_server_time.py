# SPDX-License-Identifier: Apache-2.0
"""Issue: with 2,000 phones the unit makes each page in at most 20 ms (median), because lists are paged, and
neither the daemon nor the pages' process takes 40 MB."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from board.lab import namespace
from board.lab.pair import Lab

from counts import bound, count
from labtools import becomes, make_lab, memory, wait_for
from pairs import DEFAULT
from web.conftest import address_of, answers, connecting
from web.visitor import Visitor

PHONES = 2000
RESIDENT = 40_000  # KiB, the 40 MB
SERIAL = "QX2000-000001"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A QX2000 that serves, with as many phones as it takes."""
    with make_lab("wt", tmp_path_factory.mktemp("time")) as lab:
        lab.up(replace(DEFAULT, model="qx2000", plan="same", pages=True), fresh=True, power=False)
        settings = [f"extensions.{1000 + at}.name=Desk {at}" for at in range(PHONES)]
        for at in range(PHONES):
            phone = f"phones.00:15:65:00:{at // 256:02x}:{at % 256:02x}"
            settings += [f"{phone}.extension={1000 + at}", f"{phone}.vendor=yealink"]
        lab.units["a"].qx(["set", *settings], 60).check_returncode()
        lab.power_on("a")
        becomes(lab, "a", "master", 15.0)
        wait_for(lambda: answers(lab, address_of(lab, "a")), 15.0, "the pages")
        yield lab


def test_each_page_in_20_ms_with_2000_phones(large: Lab, record_figures: Callable[..., None]) -> None:
    """R26, R28: from the connection to the last octet, as somebody on the LAN waits for it."""
    page = Visitor(address_of(large, "a"), 80, connecting(large, address_of(large, "a")))
    page.come_in(SERIAL)
    paths = [*page.paths(), "/setup/phones?from=1975", "/setup/extensions?find=Desk%201999",
             "/setup/phones/row?table=phones&row=00:15:65:00:00:00"]  # fmt: skip
    assert f"1976 to {PHONES} of {PHONES}" in page.get("/setup/phones?from=1975").page.flat
    medians: dict[str, float] = {}
    rounds = count(7, 40)
    for path in paths:
        medians[path] = statistics.median(_once(page, path) for _ in range(rounds))
    record_figures(server_time_ms={path: round(1e3 * seconds, 1) for path, seconds in medians.items()})
    print({path: f"{1e3 * seconds:.1f} ms" for path, seconds in medians.items()})
    most = bound(0.020, 0.060)
    slow = {path: round(1e3 * seconds, 1) for path, seconds in medians.items() if seconds > most}
    assert not slow, slow
    by = {name: memory(pid) for name, pid in _processes(large).items()}
    record_figures(resident_kib=by)
    assert max(by.values()) < RESIDENT, by
    largest = max(len(page.get(path).octets) for path in paths)
    assert largest < 16_000, "with style and script, which are 15 kB, it would be more than 30 kB"


def _processes(lab: Lab) -> dict[str, int]:
    """The daemon's process id and that of the pages, which are a process of their own."""
    unit = lab.units["a"]
    pages = [
        pid
        for pid in namespace.processes(unit.netns)
        if b"\0web\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(pages) == 1, pages
    return {"daemon": unit.daemon_pid(), "pages": pages[0]}


def _once(page: Visitor, path: str) -> float:
    start = time.perf_counter()
    assert page.ask("GET", path).code == 200, path
    return time.perf_counter() - start
