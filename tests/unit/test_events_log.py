# SPDX-License-Identifier: Apache-2.0
"""The event log: what it keeps, on flash as well, and that adding never waits (R33)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qx.events import journal as module
from qx.events.damper import SETTLE, Damper
from qx.events.event import DESCRIPTION_MAX, Event
from qx.events.kept import FLOOR
from qx.events.log import CAPACITY, EventLog
from qx.packing import pack
from qx.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    Paths(tmp_path).data_qx.mkdir(parents=True)
    return Paths(tmp_path)


def opened(paths: Paths, gather: float = 0.01) -> EventLog:
    return EventLog(paths, "QX200-000001", gather)


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + 5
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_an_event_has_what_r33_lists_and_survives(paths: Paths) -> None:
    """R33: status, time, source, name, description, severity; across a reboot, with ids going on."""
    log = opened(paths)
    before = time.time()
    event = log.add("critical", "Backup device is DOWN", "QX200-000002", source="Redundancy")
    log.add("info", "takeover")
    log.close()
    assert event.plain() == {
        "id": 1,
        "time": event.time,
        "monotonic": event.monotonic,
        "unit": "QX200-000001",
        "source": "Redundancy",
        "severity": "critical",
        "name": "Backup device is DOWN",
        "description": "QX200-000002",
        "state": "new",
        "uid": event.uid,
        "cleared": False,
        "owed": None,
    }
    assert len(event.uid) == 16
    assert before <= event.time <= time.time()
    again = opened(paths)
    assert again.recent()[0] == event
    assert again.add("info", "third").id == 3
    again.close()


def test_reading_is_remembered(paths: Paths) -> None:
    """R33: new or read; warnings and critical events are pending until read."""
    log = opened(paths)
    for severity in ("critical", "warning", "success", "info"):
        log.add(severity, "x")
    assert log.unread() == 2
    assert log.mark_read([1, 99]) == 1
    assert log.unread() == 1
    log.close()
    again = opened(paths)
    assert [event.state for event in again.recent()] == ["read", "new", "new", "new"]
    assert again.mark_read() == 3
    assert again.mark_read() == 0
    assert again.unread() == 0
    again.close()


@pytest.mark.parametrize("tail", [b"\x89", b"\x00" * 4096, b"\xc1rubbish", b"\x81\xa4read", b"\xa4text"])
def test_a_torn_tail_costs_the_torn_record_only(paths: Paths, tail: bytes) -> None:
    """A power cut while writing; what is written afterwards is read again."""
    log = opened(paths)
    log.add("info", "first")
    log.close()
    with paths.events_log.open("ab") as file:
        file.write(tail)
    log = opened(paths)
    assert [event.name for event in log.recent()] == ["first"]
    log.add("info", "second")
    log.close()
    assert [event.name for event in opened(paths).recent()] == ["first", "second"]


def test_nothing_of_a_torn_tail_comes_back(paths: Paths) -> None:
    """What stands behind a shorter record that was written over it must not be read as a record."""
    sizes = []
    for name in ("first", "again"):
        log = opened(paths)
        log.add("info", name)
        log.close()
        sizes.append(paths.events_log.stat().st_size)
    octets = paths.events_log.read_bytes()[: sizes[0]]
    ghost = octets.replace(b"first", b"ghost")
    paths.events_log.write_bytes(octets + b"\xc1" * (sizes[1] - sizes[0]) + ghost)
    log = opened(paths)
    log.add("info", "third")
    log.close()
    assert [event.name for event in opened(paths).recent()] == ["first", "third"]


def test_every_cut_of_the_file_can_be_read(paths: Paths) -> None:
    """A power cut at any octet leaves whole events only, in order."""
    log = opened(paths)
    for number in range(3):
        log.add("info", f"e{number}")
    log.mark_read([1])
    log.close()
    octets = paths.events_log.read_bytes()
    for cut in range(len(octets)):
        paths.events_log.write_bytes(octets[:cut])
        names = [event.name for event in opened(paths).recent()]
        assert names == ["e0", "e1", "e2"][: len(names)]


@pytest.mark.parametrize(
    "record", [{}, {"id": 1}, {"read": 3}, {"read": [[]]}, {"id": "x", "new": 1}, 7, "text", [1]]
)
def test_records_of_another_firmware_are_passed_over(paths: Paths, record: object) -> None:
    """Bad input: a file holds anything."""
    paths.events_log.write_bytes(pack(record))
    log = opened(paths)
    assert log.add("info", "x").id == 1
    log.close()


def test_it_is_bounded_in_memory_and_on_flash(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded: the file is written whole when it has grown, and holds the newest events."""
    monkeypatch.setattr(module, "GROWN", 20_000)
    log = opened(paths, gather=0.001)
    for number in range(CAPACITY + 500):
        log.add("info", f"event {number}", "y" * 10_000)
        if number % 100 == 99:
            assert log.settled(5)
    kept = len(log.recent())
    assert 300 < kept < CAPACITY  # their texts are long: bounded by octets
    assert log.recent(1)[0].name == f"event {CAPACITY + 499}"
    assert [event.id for event in log.recent(2)] == [CAPACITY + 499, CAPACITY + 500]
    assert [event.id for event in log.after(CAPACITY + 498)] == [CAPACITY + 499, CAPACITY + 500]
    assert log.dropped["info"] == CAPACITY + 500 - kept
    log.close()
    assert paths.events_log.stat().st_size < 2_000_000
    again = opened(paths)
    assert again.recent(1)[0].id == CAPACITY + 500
    assert len(again.recent(1)[0].description) == DESCRIPTION_MAX
    assert again.dropped == log.dropped
    assert again.recent() == log.recent()


def test_many_events_are_one_write(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flash: what gathers is flushed once."""
    flushes: list[int] = []
    monkeypatch.setattr(module.os, "fdatasync", flushes.append)
    log = opened(paths, gather=0.1)
    for _ in range(200):
        log.add("info", "x")
    log.close()
    assert len(flushes) <= 2
    assert len(opened(paths).recent()) == 200


def test_adding_never_waits_for_flash(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """R9: a slow disk holds up nothing."""
    release = threading.Event()
    monkeypatch.setattr(module.os, "fdatasync", lambda _handle: release.wait(5))
    log = opened(paths, gather=0)
    began = time.monotonic()
    for _ in range(100):
        log.add("info", "x")
        time.sleep(0.0005)
    assert time.monotonic() - began < 1
    release.set()
    log.close()


def test_a_failing_flash_is_tried_again(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disk full: events stay in memory, the trouble is known, and they are written once it works."""
    monkeypatch.setattr(module, "RETRY", 0.01)
    write, fail = module.os.pwrite, True

    def torn(handle: int, octets: bytes, at: int) -> int:
        if fail:
            write(handle, octets[:5], at)
            raise OSError(28, "No space left on device")
        return write(handle, octets, at)

    monkeypatch.setattr(module.os, "pwrite", torn)
    log = opened(paths)
    log.add("info", "first")
    wait_for(lambda: log.trouble)
    assert log.trouble == f"{paths.events_log}: No space left on device"
    log.add("info", "second")
    assert len(log.recent()) == 2
    fail = False
    wait_for(lambda: not log.trouble)
    log.close()
    assert [event.name for event in opened(paths).recent()] == ["first", "second"]


def test_closing_ends_even_when_flash_fails(paths: Paths) -> None:
    """A unit goes down whatever its flash does."""
    paths.data_qx.rmdir()
    log = opened(paths)
    log.add("info", "x")
    log.close()
    assert "No such file" in log.trouble


def test_subscribers_hear_each_event_until_they_leave(paths: Paths) -> None:
    """R33: faces and delivery follow."""
    log = opened(paths)
    heard: list[int] = []
    end = log.subscribe(lambda event: heard.append(event.id))
    log.add("info", "a")
    end()
    end()
    log.add("info", "b")
    assert heard == [1]
    log.close()


def test_a_burst_drops_the_oldest_of_the_lowest_severity_and_counts(paths: Paths) -> None:
    """R33, R34: 10,000 events at once: the log stays bounded, what matters stays, what went is counted, also
    after a reboot."""
    log = opened(paths)
    for number in range(10):
        log.add("critical", f"bad {number}")
    for number in range(10_000):
        log.add("warning" if number % 10 == 0 else "info", f"event {number}")
    events = log.recent()
    assert len(events) == CAPACITY
    assert sum(event.severity == "critical" for event in events) == 10
    assert [e.name for e in events if e.severity == "info"][-1] == "event 9999"
    assert sum(event.severity == "info" for event in events) == FLOOR
    assert log.dropped == {"info": 8940, "success": 0, "warning": 570, "critical": 0, "deliveries": 0}
    log.close()
    again = opened(paths)
    assert again.recent() == events
    assert again.dropped == log.dropped
    assert paths.events_log.stat().st_size < 1 << 20


def test_a_log_full_of_critical_events_still_shows_the_last_ones(paths: Paths) -> None:
    """R33: nobody wants a log that is deaf from now on."""
    log = opened(paths)
    for number in range(CAPACITY + 100):
        log.add("critical", f"bad {number}")
    log.add("info", "last")
    assert log.recent(1)[0].name == "last"
    log.close()


def test_up_clears_down(paths: Paths) -> None:
    """R32: what is over is marked so, on flash as well; other subjects are left alone."""
    log = opened(paths)
    down = log.add("critical", "Backup device is DOWN")
    link = log.add("warning", "LAN link is down")
    log.add("warning", "Synchronization is stale")
    log.add("success", "Synchronization is current")
    log._damper = Damper()  # as if it had lasted
    log.add("success", "Backup device is UP (Active mode)")
    cleared = {event.name for event in log.recent() if event.cleared}
    assert cleared == {down.name, "Synchronization is stale"}
    assert not [e for e in log.recent() if e.uid == link.uid and e.cleared]
    assert log.unread() == 3, "cleared is not read: somebody should still look at it"
    log.close()
    assert {event.name for event in opened(paths).recent() if event.cleared} == cleared


def test_a_peer_that_flaps_ten_times_in_ten_seconds(paths: Paths) -> None:
    """R34: one event for each state that lasted, not one for each flap."""
    log = opened(paths)
    told: list[str] = []
    log.subscribe(lambda event: told.append(event.name))
    begin = time.monotonic()
    for flap in range(10):  # with times of our own: the damper is the log's, the clock is not
        for half, name in enumerate(("Backup device is DOWN", "Backup device is UP (Active mode)")):
            made = log._damper.heard("Backup device", name, _event(log, name), begin + flap + half / 2)
            if made:
                told.append(name)
    log.settle(begin + 9.5 + SETTLE - 0.01)
    assert told == ["Backup device is DOWN"]
    log.settle(begin + 9.5 + SETTLE)
    assert told == ["Backup device is DOWN", "Backup device is UP (Active mode)"]
    log.settle(begin + 100)
    assert len(told) == 2
    log.close()


def _event(log: EventLog, name: str) -> Event:
    return Event(0, time.time(), time.monotonic(), "QX200-000001", "Redundancy", "info", name, "",
                 uid=os.urandom(8).hex())  # fmt: skip
