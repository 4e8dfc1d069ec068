# SPDX-License-Identifier: Apache-2.0
"""What an idle pair costs by the day: octets written to flash and octets over the LAN, seen for a while.

Each unit of the product has its data partition on a block device of its own for that (ext4, with the options
of a unit's start script), which counts what is written below the file system. keepalived has no data: what
its processes have had the kernel write is counted.
"""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from board.lab import namespace
from board.lab.network import UNITS

from .crossing import Daemon
from .figures import PRODUCT, Sample
from .pair import Pair, other, wait_for
from .traffic import frames

DAY = 86_400
SIZE = 64 << 20  # octets of a data partition
SECTOR = 512  # octets, in the kernel's statistics whatever the device has
CHANGES = 50
QUIET = 5.0  # seconds without a write: what a start leaves to be written is
PATIENCE = 60.0


def idle(pair: Pair, seconds: float, folder: Path) -> dict[str, list[Sample]]:
    """`flash` and `flash-backup`: MiB a day that a unit writes; `wire`: MiB a day that both send. Of the
    product `change` and `change-backup`: KiB that one setting has a unit write."""
    with contextlib.ExitStack() as stack:
        if pair.contestant.name != PRODUCT:
            return _idle(pair, seconds, lambda unit: _by_processes(pair, unit))
        devices = {unit: stack.enter_context(_partition(pair, unit, folder)) for unit in UNITS}
        stack.callback(pair.end)  # before the partitions go
        found = _idle(pair, seconds, lambda unit: _by_device(pair, unit, devices))
        return found | _change(pair, lambda unit: _by_device(pair, unit, devices))


def _idle(pair: Pair, seconds: float, written: Callable[[str], int]) -> dict[str, list[Sample]]:
    master = pair.ready()
    _settled(written)
    flash, wire, began = {unit: written(unit) for unit in UNITS}, frames(pair.lab), time.monotonic()
    time.sleep(seconds)
    crossed, lasted = frames(pair.lab) - wire, time.monotonic() - began
    spent = {unit: written(unit) - flash[unit] for unit in UNITS}
    a_day = DAY / lasted / (1 << 20)
    return {
        "flash": [Sample(spent[master] * a_day, detail={"octets": spent[master], "seconds": lasted})],
        "flash-backup": [Sample(spent[other(master)] * a_day, detail={"octets": spent[other(master)]})],
        "wire": [Sample(crossed * a_day, detail={"octets": crossed, "seconds": lasted})],
    }


def _settled(written: Callable[[str], int]) -> None:
    """A unit keeps a snapshot of its settings some seconds after they were set: that is no day's."""
    known: list[int] = []

    def still() -> bool:
        before = known[:]
        known[:] = [written(unit) for unit in UNITS]
        return before == known

    wait_for(still, PATIENCE, "an idle pair that writes nothing", QUIET)


def _change(pair: Pair, written: Callable[[str], int]) -> dict[str, list[Sample]]:
    master = pair.ready()
    daemon = Daemon(pair, master)
    wait_for(lambda: daemon.in_step, PATIENCE, "the pair in step", 0.1)
    before = {unit: written(unit) for unit in UNITS}
    for number in range(CHANGES):
        daemon.set({"mail.user": f"user{number}"})
    spent = {unit: (written(unit) - before[unit]) / CHANGES / 1024 for unit in UNITS}
    return {"change": [Sample(spent[master])], "change-backup": [Sample(spent[other(master)])]}


def _by_device(pair: Pair, unit: str, devices: Mapping[str, Path]) -> int:
    """Octets written to the unit's block device, with all that the file system has in hand."""
    namespace.run(["sync", "--file-system", str(pair.lab.units[unit].root / "data")])
    return SECTOR * int(devices[unit].read_text().split()[6])  # Documentation/block/stat.rst


def _by_processes(pair: Pair, unit: str) -> int:
    total = 0
    for pid in pair.contestant.processes(unit).values():
        found = re.search(r"^write_bytes: (\d+)$", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
        total += int(found[1]) if found else 0
    return total


@contextlib.contextmanager
def _partition(pair: Pair, unit: str, folder: Path) -> Iterator[Path]:
    """The unit's data on a file system of its own, then back in its root; the device's statistics."""
    data = pair.lab.units[unit].root / "data"
    kept, image = folder / f"{unit}.kept", folder / f"{unit}.img"
    shutil.copytree(data, kept)
    with image.open("wb") as out:
        out.truncate(SIZE)
    # What a unit does lazily in its first minutes is done here before anything is counted.
    namespace.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^64bit,metadata_csum",
                   "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image)])  # fmt: skip
    namespace.run(["mount", "-o", "loop,noatime", str(image), str(data)])
    try:
        device = namespace.run(["findmnt", "--noheadings", "--output", "SOURCE", str(data)]).strip()
        shutil.copytree(kept, data, dirs_exist_ok=True)
        yield Path("/sys/block") / Path(device).name / "stat"
    finally:
        subprocess.run(["umount", data], check=True)
