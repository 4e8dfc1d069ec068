# SPDX-License-Identifier: Apache-2.0
"""A unit whose flash, cable or clock is not as it should be: it starts, says so, and does what it still can.

One emulated unit of a pair, set up before, alone. What it says is read where a person would: on the serial
line, in the events that the pages show, and on the LED, outside of the guest.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from board.virt.machine import Machine
from board.virt.vm import Pair

import emulated
import prepared
from emulated import becomes, blinks, started, wait_for
from qx.panel.table import HURRIED

pytestmark = pytest.mark.vm


@dataclass
class Bench:
    pair: Pair
    machine: Machine
    content: Path  # of a data partition that is well

    def put(self, octets: bytes) -> None:
        prepared.put(self.machine.disk, octets)

    def events(self) -> dict[str, str]:
        """The events by name."""
        code, said = self.machine.run("qx events --json", 90)
        assert code == 0, said
        return {one["name"]: one["description"] for one in json.loads(said)}

    def page(self) -> str:
        """What somebody sees who opens the unit's pages, from inside: a unit in fault may have no address.
        Empty while they are not served."""
        code, said = self.machine.run("wget -q -O - http://127.0.0.1/", 90)
        return said if code == 0 else ""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    pair = Pair(tmp_path_factory.mktemp("vm"))
    emulated.needs_image(pair)
    content = prepared.data(pair.folder, "a", pair.keys()[0])
    with pair:
        yield Bench(pair, pair.machines["a"], content)


@pytest.fixture
def bench(made: Bench) -> Iterator[Bench]:
    made.pair.blank_one("a")
    yield made
    made.machine.power_cut()
    made.machine.extra = []


def well(bench: Bench, octets: int = 64 << 20) -> bytes:
    return prepared.partition(bench.content, bench.pair.folder / "data.img", octets)


def serves_nobody(bench: Bench) -> None:
    """R1: in fault, with the reason, no address on an interface, a red LED, and pages that can be asked."""
    told = becomes(bench.machine, "fault")
    assert "the data partition of this unit is lost" in told["why"]
    assert told["service_addresses"] == []
    assert "10.77.0." not in bench.machine.run("ip -4 addr")[1]
    assert blinks(bench.machine, 1, HURRIED, 4)
    assert "Data partition lost" in bench.events()
    wait_for(lambda: "password" in bench.page().lower(), 120, "the login page")


def test_blank_factory_block_no_cable_and_a_clock_in_1970(bench: Bench) -> None:
    """Issue 7: three troubles at once, each named; when the cable is there the unit is Master with its
    settings."""
    bench.put(well(bench))
    bench.machine.disk.write("factory", bytes(512))
    bench.machine.extra = ["-rtc", "base=1970-01-02T00:00:00"]
    bench.machine.power_on()
    bench.machine.plug(0, False)
    started(bench.machine)
    said = bench.machine.said()
    assert "qx: Clock was not set: it said a time before this firmware was made" in said
    assert "qx: Factory block not usable: factory block: blank" in said
    assert "qx: serial number QX200-000001" in said, "the identity that the data have counts"
    told = becomes(bench.machine, "fault")
    assert told["why"] == "the LAN port has no link"
    assert blinks(bench.machine, 1, HURRIED, 4)
    assert {"Clock was not set", "Factory block not usable"} <= set(bench.events())
    code, year = bench.machine.run("date +%Y")
    assert code == 0 and int(year) >= 2025
    bench.machine.plug(0, True)
    assert becomes(bench.machine, "master", 120)["group_id"] == 18


def test_a_data_partition_that_cannot_be_repaired(bench: Bench) -> None:
    """Issue 7, R1: noise where the file system was: in fault, nothing is formatted; a factory reset at the
    console is the way out of it."""
    octets = random.Random(7).randbytes(8 << 20)
    bench.put(octets)
    bench.machine.power_on()
    started(bench.machine)
    assert "qx: Data partition lost: it is damaged and cannot be repaired" in bench.machine.said()
    serves_nobody(bench)
    assert bench.machine.disk.read("data", 0, len(octets)) == octets
    code, said = bench.machine.run(
        "cut -d ' ' -f 1 /proc/uptime >/run/qx/presence; qx factory-reset QX200-000001 --now", 120
    )
    assert code == 0, said
    emulated.started_anew(bench.machine, 1)
    assert "qx: first start: the data partition is formatted" in bench.machine.said()
    assert becomes(bench.machine, "standalone", 180)["serial"] == "QX200-000001"


def test_a_data_partition_that_is_missing(bench: Bench) -> None:
    """Issue 7, R1: no partition has the label."""
    bench.machine.disk.rename("data", "atad")
    bench.machine.disk.write("factory", *prepared.FORMATTED)
    bench.machine.power_on()
    started(bench.machine)
    assert "qx: Data partition lost: there is no partition with the label data" in bench.machine.said()
    serves_nobody(bench)


def test_a_damaged_data_partition_that_can_be_repaired(bench: Bench) -> None:
    """Issue 7: the first superblock and the group's table are gone: repaired from their copies, nothing is
    lost."""
    octets = bytearray(well(bench))
    octets[1024:8192] = bytes(8192 - 1024)
    bench.put(bytes(octets))
    bench.machine.power_on()
    started(bench.machine)
    assert "qx: Data partition repaired" in bench.machine.said()
    assert becomes(bench.machine, "master")["virtual_ip"] == "10.77.0.1/24"


def test_a_data_partition_that_is_full(bench: Bench, tmp_path: Path) -> None:
    """Issue 7, R9: not an octet left: said, and the unit serves all the same; what is refused says why;
    when there is room again it is as before."""
    bench.put(filled(bench, tmp_path))
    bench.machine.power_on()
    started(bench.machine)
    assert "qx: Data partition nearly full: 100 % are used" in bench.machine.said()
    becomes(bench.machine, "master")
    assert "Data partition nearly full" in bench.events()
    code, said = bench.machine.run("qx set extensions.301.name=Nobody", 120)
    assert (code == 1 and "full" in said) or "space" in said, said
    assert bench.machine.run("rm /data/filler && qx set extensions.301.name=Somebody", 120)[0] == 0
    assert bench.machine.run("qx get extensions.301.name", 60) == (0, "Somebody\n")


def filled(bench: Bench, folder: Path) -> bytes:
    """A file system whose last block is taken."""
    octets, filler = 24 << 20, bench.content / "filler"

    def fits(size: int) -> bytes | None:
        filler.write_bytes(random.Random(1).randbytes(size))
        try:
            return prepared.partition(bench.content, folder / "full.img", octets)
        except AssertionError:
            return None

    try:
        return largest(fits, octets)
    finally:
        filler.unlink()


def largest(fits: Callable[[int], bytes | None], most: int) -> bytes:
    """What `fits` gave for the largest size of 4 KiB blocks that it took."""
    low, high, found = 0, most >> 12, b""
    while low < high:
        middle = (low + high + 1) // 2
        if (made := fits(middle << 12)) is None:
            high = middle - 1
        else:
            low, found = middle, made
    return found
