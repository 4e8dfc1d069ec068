# SPDX-License-Identifier: Apache-2.0
"""The emulated board: how soon two units are a pair that serves its pages, and how large the image is
(R44, R46).

Both units are set up and licensed before their first start. The emulator works in software: seconds are this
computer's, not the board's, and only beside figures of the same computer do they say anything.
"""

import io
import re
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path

from board.lab.namespace import LabError
from board.virt import debian, image, vm
from board.virt.machine import MachineError

import prepared
from emulated import page_of, started, status, wait_for
from labtools import master_of

from .failing import failing
from .figures import PRODUCT, Row, Sample
from .plan import Chapter, Counts
from .runner import Say

_IMAGE = debian.PROJECT / "out" / "image" / "virt-qx200"
_EXECUTABLE = debian.PROJECT / "out" / "firmware" / "aarch64" / "usr" / "bin" / "qx"
_PATIENCE = 600.0  # seconds for a pair: the emulator is niced
_TITLE = "The emulated board"
_ABSENT = "Not measured: there is no image of the emulated board here (make image)."
Found = dict[str, list[Sample]]  # by the rows' keys
_PARTS = {  # row: file of the image, and what it is called
    "image-kernel": ("kernel.itb", "kernel with its early file system"),
    "image-rootfs": ("rootfs.squashfs", "root file system, compressed"),
    "image-boot": ("boot.scr", "boot script"),
    "image-disk": ("disk.img", "the whole disk, with both slots and room for data"),
}


def rows(counts: Counts) -> list[Row]:
    """All of them, whether there is an image or not."""

    def row(key: str, name: str, unit: str, wanted: int = 1) -> Row:
        return Row(key, name, unit, wanted, of=(PRODUCT,))

    return [
        row("board-started", "power-on until the start scripts are done", "s", 2 * counts.boots),
        row("board-listening", "  until one is Master and a Backup listens", "s", counts.boots),
        row("board-pages", "  until both serve the login page", "s", counts.boots),
        *(row(key, name, "kB") for key, (_, name) in _PARTS.items()),
        row("image-without-kamailio", "root file system without Kamailio, compressed", "kB"),
        row("image-executable", "the product's own executable", "kB"),
    ]


def chapters(counts: Counts, keys: Set[str]) -> list[Chapter]:
    """One with the rows of these keys (none: all), without the image with a remark alone; or none."""
    wanted = [row for row in rows(counts) if not keys or row.key in keys]
    if not wanted:
        return []
    there = (_IMAGE / "disk.img").exists()
    return [Chapter(_TITLE, wanted) if there else Chapter(_TITLE, [], _ABSENT)]


def measure(chapter: Chapter, counts: Counts, folder: Path, say: Say) -> None:
    """Fills the rows; what fails is a sample that says so."""
    found = {row.key: row for row in chapter.rows}
    boots = [row for key, row in found.items() if key.startswith("board-")]
    for _ in range(counts.boots if boots else 0):
        _add(boots, lambda: _boot(folder / "vm"), say)
    sizes = [row for key, row in found.items() if key in (*_PARTS, "image-executable")]
    if sizes:
        _add(sizes, lambda: _sizes(found), say)
    if "image-without-kamailio" in found:
        _add([found["image-without-kamailio"]], lambda: _without_kamailio(folder / "rootfs"), say)


def _add(rows: Sequence[Row], work: Callable[[], Found], say: Say) -> None:
    try:
        with failing():
            found = work()
    except (LabError, MachineError, debian.DebianError, OSError) as error:
        found = {row.key: [Sample(failed=str(error))] for row in rows}
    for row in rows:
        for sample in found[row.key]:
            row.add(PRODUCT, sample)
            told = f"FAILED: {sample.failed}" if sample.failed else f"{sample.value:.1f} {row.unit}"
            say(f"{PRODUCT:<10} {row.name.strip()}: {told}")


def _boot(folder: Path) -> Found:
    """Two units that are set up are powered on at once; seconds from the first of the two switches."""
    pair = vm.Pair(folder, pages=True)
    prepared.prepare(pair)
    with pair:
        for machine in pair.machines.values():
            machine.power_on()
        began = min(machine.powered_at for machine in pair.machines.values())
        scripts = [started(machine) for machine in pair.machines.values()]
        wait_for(
            lambda: master_of({name: status(machine) for name, machine in pair.machines.items()}),
            _PATIENCE, "one Master and an active Backup", every=2,
        )  # fmt: skip
        listening = time.monotonic() - began
        for name in pair.machines:
            if "password" not in page_of(name).lower():
                raise LabError(f"unit {name} serves a page that is no login")
        served = time.monotonic() - began
    return {
        "board-started": [Sample(seconds) for seconds in scripts],
        "board-listening": [Sample(listening)],
        "board-pages": [Sample(served)],
    }


def _sizes(rows: Mapping[str, Row]) -> Found:
    """Of all parts; the row of the root file system says so where that was compressed in a hurry."""
    if "image-rootfs" in rows:
        rows["image-rootfs"].note = _hurried(_IMAGE / "rootfs.squashfs")
    files = {key: _IMAGE / name for key, (name, _) in _PARTS.items()}
    return {key: [_size(file)] for key, file in {**files, "image-executable": _EXECUTABLE}.items()}


def _size(file: Path) -> Sample:
    return Sample(file.stat().st_size / 1000)


def _without_kamailio(folder: Path) -> Found:
    """The image's tree packed once more, as it ships, but without the files of the telephony packages."""
    folder.mkdir(parents=True, exist_ok=True)
    tree = _IMAGE / "rootfs"
    packed = image.pack_rootfs(folder, tree, image.LEVEL, _telephony(tree))
    return {"image-without-kamailio": [_size(packed)]}


def _telephony(tree: Path) -> list[str]:
    """Paths in the tree that come from these packages, in their places after rootfs.merge_usr."""
    packages = debian.table()
    found: list[str] = []
    for file in debian.Debian(packages["arch"]).files(packages["telephony"]["packages"]):
        content = subprocess.run(["dpkg-deb", "--fsys-tarfile", file], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            names = [member.name.removeprefix("./") for member in archive if not member.isdir()]
        found += [re.sub(r"^(bin|sbin|lib)/", r"usr/\1/", name) for name in names]
    return [name for name in found if (tree / name).is_symlink() or (tree / name).exists()]


def _hurried(packed: Path) -> str:
    """What is to be said of it, nothing where it is compressed as it ships."""
    told = subprocess.run(["unsquashfs", "-s", packed], capture_output=True, text=True, check=False).stdout
    if f"compression-level {image.LEVEL}\n" in told:
        return ""
    return f"made with QUICK=1, and larger for it; what ships has zstd's level {image.LEVEL}"
