# SPDX-License-Identifier: Apache-2.0
"""boot.cmd under the real U-Boot: which slot it starts, what it writes, and what it makes of torn copies
(R38).

A disk with the unit's own table and script, and kernels that only loop: a start takes seconds. What the
environment holds afterwards is read by the firmware's own parser, and judged by the rules that the lab's
boot loader has.
"""

from __future__ import annotations

import itertools
import re
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from board.virt import image
from board.virt.disk import Disk
from board.virt.machine import Machine

from counts import choices, count
from emulated import BOOT
from qx.upgrade import environment
from qx.upgrade.environment import SIZE, Environment
from qx.upgrade.start import boot

pytestmark = pytest.mark.vm

KERNELS = ("kernel-a", "kernel-b")
SAID = re.compile(r"qx: slot ([AB]), tries (\d*)")
# Linux's arm64 image header (Documentation/arch/arm64/booting.rst): `b .`, and sizes that U-Boot asks for.
LOOP = struct.pack("<IIQQQQQQ4sI", 0x14000000, 0, 0, 4096, 0xA, 0, 0, 0, b"ARM\x64", 0).ljust(4096, b"\0")


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk as genimage makes it, with kernels that loop."""
    folder = tmp_path_factory.mktemp("boot")
    (folder / "kernel/boot").mkdir(parents=True)
    (folder / "kernel/boot/vmlinuz-0").write_bytes(LOOP)
    (folder / "early").write_bytes(bytes(512))
    image.pack_boot(folder)
    image.environment(folder)
    image.pack_kernel(folder, folder / "kernel", folder / "early")
    for name in ("rootfs.squashfs", "factory.bin", "data.bin"):
        (folder / name).write_bytes(bytes(4096))
    return image.pack_disk(folder)


@pytest.fixture
def machine(blank: Path, tmp_path: Path) -> Iterator[Machine]:
    made = Machine("u", tmp_path / "u", Disk.copy(blank, tmp_path / "u/disk.img"), [])
    yield made
    made.power_cut()


def put(machine: Machine, one: bytes, two: bytes) -> None:
    machine.disk.write("env", one + two)


def found(machine: Machine) -> Environment:
    return environment.parse(machine.disk.read("env", 0, 2 * SIZE))


def start(machine: Machine) -> list[tuple[str, str]]:
    """Power on until a kernel runs, or none can; the slots that it tried, with the tries it had."""
    machine.power_on()
    machine.wait_said("Starting kernel|no slot can be started", BOOT)
    machine.power_cut()
    return SAID.findall(machine.said())


def as_the_rules_say(machine: Machine) -> str:
    """One start, compared with the rules; the slot that runs."""
    before = found(machine)
    slot, _failed, changes = boot(before.variables)
    kept = {name: value for name, value in before.variables.items() if name in ("slot", "tries", "failed")}
    for name, value in changes.items():
        kept.pop(name, None)
        if value is not None:
            kept[name] = value
    octets = machine.disk.read("env")
    tried = start(machine)
    assert tried[0] == (slot, kept.get("tries", ""))
    after = found(machine)
    assert after.variables == kept
    if changes:
        assert (after.flag, after.place) == ((before.flag + 1) % 256, 1 - before.place)
    else:
        assert machine.disk.read("env") == octets, "a confirmed slot writes nothing"
    return tried[-1][0]


@pytest.mark.parametrize("flag", [1, 254])
def test_a_slot_on_trial_has_three_starts(machine: Machine, flag: int) -> None:
    """R38: B, B, B, and A for good, with the failed slot named; also where the octet of the flag begins
    anew."""
    put(
        machine,
        environment.build({"slot": "B", "tries": "3"}, flag),
        environment.build({"slot": "A"}, flag - 1),
    )
    assert [as_the_rules_say(machine) for _ in range(5)] == ["B", "B", "B", "A", "A"]
    assert found(machine).variables == {"slot": "A", "failed": "B"}


def torn(copy: bytes) -> bytes:
    """As a write that was cut leaves it: the head of the one, the rest of another."""
    return copy[:512] + bytes(512) + copy[1024 : SIZE - 1] + b"x"


GOOD_A = environment.build({"slot": "A"}, 7)
GOOD_B = environment.build({"slot": "B"}, 6)


@pytest.mark.parametrize(
    ("one", "two", "slot"),
    [
        (GOOD_A, GOOD_B, "A"),
        (GOOD_B, GOOD_A, "A"),
        (torn(GOOD_A), GOOD_B, "B"),
        (GOOD_B, torn(GOOD_A), "B"),
        (torn(GOOD_A), torn(GOOD_B), "A"),
        (bytes(SIZE), bytes(SIZE), "A"),
        (b"\xff" * SIZE, GOOD_B, "B"),
        (environment.build({"slot": "C"}, 7), environment.build({"slot": "C"}, 6), "A"),
    ],
)
def test_torn_and_damaged_copies(machine: Machine, one: bytes, two: bytes, slot: str) -> None:
    """R38: the good copy counts, the newer of two; none: slot A. Nothing is written."""
    put(machine, one, two)
    assert start(machine) == [(slot, "")]
    assert machine.disk.read("env", 0, 2 * SIZE) == one + two


@pytest.mark.parametrize("damaged", ["kernel-a", "kernel-b"])
def test_a_damaged_kernel_is_passed_over(machine: Machine, damaged: str) -> None:
    """R38: one octet of a kernel flipped: its hash says so, and the other slot's starts; nothing is
    written."""
    mine = damaged[-1].upper()
    put(machine, environment.build({"slot": mine}, 7), environment.build({"slot": mine}, 6))
    octets = bytearray(machine.disk.read(damaged, 0, 4096))
    at = octets.index(b"\x1f\x8b") + 40  # in the packed kernel
    octets[at] ^= 0x10
    machine.disk.write(damaged, bytes(octets))
    env = machine.disk.read("env")
    assert [slot for slot, _ in start(machine)] == [mine, "B" if mine == "A" else "A"]
    assert "Bad hash" in machine.said()
    assert machine.disk.read("env") == env


def test_both_kernels_damaged(machine: Machine) -> None:
    """R38: it says so, and goes on trying."""
    for name in KERNELS:
        machine.disk.write(name, bytes(4096))
    assert [slot for slot, _ in start(machine)] == ["A", "B"]
    assert "qx: no slot can be started" in machine.said()


def test_power_that_goes_while_the_boot_loader_writes(machine: Machine) -> None:
    """R38: the plug is pulled at random moments around the write of a start on trial: one copy is always
    good, and tries are never gained."""
    rounds = count(4, 30)
    random = choices("boot loader")
    before = {"slot": "B", "tries": "3"}
    put(machine, environment.build(before, 1), environment.build({"slot": "A"}, 0))
    started = timed(machine, lambda: start(machine))
    tries = 2
    for _ in itertools.repeat(None, rounds):
        if tries == 0:
            put(machine, environment.build(before, 1), environment.build({"slot": "A"}, 0))
            tries = 3
        machine.power_on()
        time.sleep(random.uniform(0.5, 1.0) * started)
        machine.power_cut()
        left = found(machine).variables
        assert left["slot"] == "B" and int(left["tries"]) in (tries, tries - 1), left
        tries = int(left["tries"])


def timed(machine: Machine, work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def test_what_the_script_wrote_is_read_by_the_tools(machine: Machine, tmp_path: Path) -> None:
    """R38: fw_printenv reads the environment after a start on trial."""
    put(
        machine,
        environment.build({"slot": "B", "tries": "3"}, 1),
        environment.build({"slot": "A"}, 0),
    )
    start(machine)
    env = tmp_path / "env"
    env.write_bytes(machine.disk.read("env", 0, 2 * SIZE))
    config = tmp_path / "fw_env.config"
    config.write_text(f"{env} 0x0000 0x4000\n{env} 0x4000 0x4000\n")
    told = subprocess.run(["fw_printenv", "-c", config], capture_output=True, text=True, check=True).stdout
    assert sorted(told.split()) == ["slot=B", "tries=2"]
