# SPDX-License-Identifier: Apache-2.0
"""Voice data of a large installation costs little memory, and a change still crosses within a second."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

from counts import count
from qx.sync.voice.tree import Tree

MOST = 64 << 20  # octets, with everything of Python, both stores' caches and this script in it

SCRIPT = """
import asyncio, re, sys, time
from pathlib import Path
from voice_bench import Unit, connect
from waiting import until

def resident():
    text = Path("/proc/self/smaps_rollup").read_text()
    return int(re.search(r"^Rss: *(\\d+)", text, re.M)[1]) * 1024

async def main(folder, files, flat):
    unit = Unit(folder / "a", "A")
    for number in range(files):
        where = unit.voice / ("flat" if flat else f"mailbox{number % 500:03}")
        if number < 500:
            where.mkdir(parents=True, exist_ok=True)
        (where / f"recording-of-some-length-{number:06}.wav").write_bytes(b"%d" % number)
    await unit.start()
    most = 0
    unit.part.role(True)
    while unit.part.status()["files"] < files or unit.part._looking.done < unit.part._looking.due:
        await asyncio.sleep(0.05)
        most = max(most, resident())
    if sys.argv[3] == "alone":
        unit.part.reconcile()
        while unit.part._looking.done < unit.part._looking.due:
            await asyncio.sleep(0.05)
            most = max(most, resident())
        before = unit.part._rows.root
        began = time.monotonic()
        unit.write("flat/new.wav", b"new")
        await until(lambda: unit.part._rows.root != before)
        print(most, time.monotonic() - began)
    await unit.stop()

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[4] == "flat"))
"""


def test_many_files_in_one_folder_or_in_many_stay_within_64_mb(tmp_path: Path) -> None:
    """Issue 3: 50,000 files (in `make test` fewer): memory, and a change is seen within a second."""
    files = count(2_000, 50_000)
    folders = os.pathsep.join(path for path in sys.path if path)
    for shape in ("flat", "many"):
        folder = tmp_path / shape
        said = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(folder), str(files), "alone", shape],
            env={**os.environ, "PYTHONPATH": folders}, capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        print(shape, said)
        assert int(said[0]) < MOST
        assert float(said[1]) < 1.0


def test_a_look_at_an_unchanged_flat_folder_costs_no_memory(tmp_path: Path) -> None:
    """R14: 5,000 files of one folder, each compared by its key, and no list of them; the list is there again
    as soon as one of them has changed."""
    tree = Tree(tmp_path / "voice", settled=0)
    tree.open()
    flat = tree.root / "flat"
    flat.mkdir()
    for number in range(5000):
        (flat / f"message-{number:06}.wav").touch()
    whole = tree.list(b"flat")
    assert whole is not None and len(whole.files) == 5000 and whole.files == sorted(whole.files)
    tracemalloc.start()
    same = tree.list(b"flat", whole.stats)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert same is not None and same.stats == whole.stats and not same.files
    assert peak < 600_000, peak
    (flat / "message-002500.wav").write_bytes(b"changed")
    changed = tree.list(b"flat", whole.stats)
    assert changed is not None and changed.stats != whole.stats and len(changed.files) == 5000
    tree.close()
