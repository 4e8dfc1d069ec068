# SPDX-License-Identifier: Apache-2.0
"""Firmware on an emulated unit: installed while it works, tried, confirmed, given up, and cut short (R38).

One unit of a pair, alone, with images of its own firmware on a second disk. Power cuts come at random
moments from the first octet that is read to the end of the first start; what runs afterwards is asked, not
computed.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from board.vendor import firmware
from board.virt import image as images
from board.virt.debian import PROJECT
from board.virt.machine import Machine
from board.virt.vm import Pair

import emulated
import prepared
from counts import choices, count
from emulated import BOOT, becomes, started, started_anew, status, wait_for

pytestmark = pytest.mark.vm

PARTS = PROJECT / "out/image/virt-qx200"
TRAY = "/tmp/tray"
INSTALL = 600.0  # seconds


@dataclass
class Bench:
    machine: Machine
    lasted: float = 0.0  # seconds of an installation with its restart

    def slot(self) -> tuple[str, str]:
        """(slot, confirmed or trial or activated), ("", "") while nobody answers."""
        told = status(self.machine).get("upgrade") or {}
        return told.get("slot", ""), told.get("state", "")

    def confirmed(self, seconds: float = BOOT) -> str:
        """Waits until the slot that runs is confirmed and the unit serves; the slot."""

        def look() -> str:
            told = status(self.machine)
            found = told.get("upgrade") or {}
            return found["slot"] if told.get("role") == "master" and found.get("state") == "confirmed" else ""

        # Seldom: an emulated processor that answers all the time does not start anything meanwhile.
        return wait_for(look, seconds, "a confirmed slot that serves", every=4)

    def results(self) -> list[str]:
        code, said = self.machine.run("qx events --json", 90)
        assert code == 0, said
        return [one["description"] for one in json.loads(said) if one["name"] == "Upgrade result"]

    def on(self) -> None:
        self.machine.power_on()
        started(self.machine)

    def tray(self) -> None:
        """The images are in TRAY; after a restart they have to be put there again."""
        code, said = self.machine.run(
            f"mkdir -p {TRAY}; grep -q ' {TRAY} ' /proc/mounts || mount -t ext4 -o ro /dev/vdb {TRAY}"
        )
        assert code == 0, said

    def upgrade(self, name: str, *options: str) -> tuple[int, str]:
        self.tray()
        return self.machine.run(f"qx upgrade {TRAY}/{name} {' '.join(options)}", INSTALL)

    def restarts_with(self, name: str) -> int:
        """Installs the image, which restarts the unit; how often a kernel had been started before."""
        starts = self.machine.starts()
        code, said = self.upgrade(name, "--now")
        assert code == 0, said
        return starts


@pytest.fixture(scope="module")
def tray(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file system with the images."""
    folder = tmp_path_factory.mktemp("images")
    made = folder / "tray"
    made.mkdir()
    kernel, rootfs = PARTS / "kernel.itb", PARTS / "rootfs.squashfs"
    firmware.make(made / "good.swu", "1.1.0", "qx200", kernel, rootfs)
    firmware.make(made / "ill.swu", "1.2.0", "qx200", kernel, ill(folder))
    firmware.make(made / "dead.swu", "1.3.0", "qx200", kernel, dead(folder))
    small = (folder / "dead", folder / "dead")
    firmware.make(made / "old.swu", "0.9.9", "qx200", *small)
    firmware.make(made / "model.swu", "1.1.0", "qx2000", *small)
    good = (made / "good.swu").read_bytes()
    (made / "truncated.swu").write_bytes(good[: len(good) // 2])
    flipped = bytearray(good)
    flipped[len(good) // 3] ^= 1
    (made / "flipped.swu").write_bytes(flipped)
    (made / "signature.swu").write_bytes(forged(good))
    disk = folder / "tray.img"
    prepared.partition(made, disk, sum(file.stat().st_size for file in made.iterdir()) + (32 << 20))
    return disk


def forged(good: bytes) -> bytes:
    """The version of the signed description is changed, so that the archive's own sum of it stays."""
    at = good.index(b'"1.1.0"')
    return good[:at] + b'"1.0.1"' + good[at + 7 :]


def ill(folder: Path) -> Path:
    """A root file system whose application does not start, and which gives a trial half a minute."""
    tree = folder / "ill"
    shutil.copytree(PARTS / "rootfs", tree, symlinks=True)
    (tree / "etc/qx/master.d/S50kamailio").write_text("#!/bin/sh\nexit 1\n")
    board = tree / "etc/qx/board.toml"
    board.write_text(board.read_text() + "\n[upgrade]\ntrial = 30\n")
    return squashed(tree, folder / "ill.squashfs")


def dead(folder: Path) -> Path:
    """A root file system without an init."""
    tree = folder / "nothing"
    (tree / "dev").mkdir(parents=True)
    return squashed(tree, folder / "dead")


def squashed(tree: Path, file: Path) -> Path:
    images.run("mksquashfs", tree, file, "-all-root", "-noappend", "-comp", "zstd", "-Xcompression-level",
    "1",
               "-quiet", "-no-progress", "-no-xattrs")  # fmt: skip
    return file


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, tray: Path) -> Iterator[Bench]:
    pair = Pair(tmp_path_factory.mktemp("vm"))
    emulated.needs_image(pair)
    machine = pair.machines["a"]
    pair.blank_one("a")
    content = prepared.data(pair.folder, "a", pair.keys()[0])
    prepared.put(machine.disk, prepared.partition(content, pair.folder / "data.img", 256 << 20))
    machine.extra = ["-drive", f"if=none,id=tray,file={tray},format=raw,readonly=on",
                     "-device", "virtio-blk-pci,drive=tray"]  # fmt: skip
    with pair:
        made = Bench(machine)
        made.on()
        yield made


def test_refused_images(bench: Bench) -> None:
    """R38: another model, too old, truncated, flipped, forged: refused in words, and nothing is activated."""
    slot = bench.confirmed()
    env = bench.machine.disk.read("env")
    for name, words in {
        "model": "firmware: is for QX2000; expected QX200",
        "old": "firmware: version 0.9.9 is too old for this device",
        "truncated": "firmware: truncated",
        "flipped": "is damaged: its SHA-256 is not the one described",
        "signature": "firmware: bad signature",
    }.items():
        code, said = bench.upgrade(f"{name}.swu", "--now")
        assert code == 1 and words in said, (name, said)
    assert bench.slot() == (slot, "confirmed")
    assert bench.machine.disk.read("env") == env
    assert len(bench.results()) == 5


def test_an_upgrade(bench: Bench, record_figures: Callable[..., None]) -> None:
    """R38: installed while the unit serves, restarted, on trial, healthy, confirmed; its settings are
    there."""
    before = bench.confirmed()
    assert bench.machine.run("qx set extensions.301.name=Before", 90)[0] == 0
    began = time.monotonic()
    starts = bench.restarts_with("good.swu")
    installed = time.monotonic() - began
    started_anew(bench.machine, starts)
    bench.lasted = time.monotonic() - began
    after = bench.confirmed()
    record_figures(installed_s=installed, started_s=bench.lasted, confirmed_s=time.monotonic() - began)
    print(f"installed after {installed:.0f} s, started after {bench.lasted:.0f} s")
    assert {before, after} == {"A", "B"}
    assert bench.machine.run("qx get extensions.301.name")[1] == "Before\n"
    assert bench.results()[-1].endswith(f"runs in slot {after}: healthy")


def test_firmware_that_never_becomes_healthy(bench: Bench) -> None:
    """R38: its application does not start: after its trial the old slot returns by itself, and says why."""
    before = bench.confirmed()
    starts = bench.restarts_with("ill.swu")
    started_anew(bench.machine, starts)
    started_anew(bench.machine, starts + 1)
    assert bench.confirmed() == before
    assert "was given up" in bench.results()[-1] and "application kamailio" in bench.results()[-1]


def test_firmware_that_does_not_start(bench: Bench) -> None:
    """R38: a root file system without an init: three tries, then the boot loader starts the old slot."""
    before = bench.confirmed()
    starts = bench.restarts_with("dead.swu")
    wait_for(lambda: bench.machine.starts() >= starts + 4, BOOT, "three tries and the old slot")
    bench.machine.hang_up()
    assert bench.confirmed() == before
    assert "was given up: it did not come up" in bench.results()[-1]


@pytest.mark.parametrize("third", [1, 2, 3])
def test_power_cuts(bench: Bench, third: int, record_figures: Callable[..., None]) -> None:
    """R38: power goes at a random moment of upload, check, write, read back, switch and first start: the
    unit starts a slot that works, with its settings, every time."""
    rounds = count(1, 10)
    random = choices(f"power cuts of an upgrade {third}")
    lasted = bench.lasted or 90.0
    seen: list[dict[str, Any]] = []
    for number in range(rounds):
        before = bench.confirmed()
        bench.tray()
        assert bench.machine.run(f"qx set extensions.301.name=Round{number}", 90)[0] == 0
        at = random.uniform(0, lasted)
        bench.machine.begin(
            f"(head -c 999999999 {TRAY}/good.swu | qx upgrade - --now) </dev/null >/dev/null 2>&1 &"
        )
        time.sleep(at)
        bench.machine.power_cut()
        bench.on()
        after = bench.confirmed()
        name = bench.machine.run("qx get extensions.301.name")[1]
        seen.append({"at_s": round(at, 1), "before": before, "after": after})
        print(seen[-1])
        assert name == f"Round{number}\n"
        becomes(bench.machine, "master")
    record_figures(cuts=seen)
