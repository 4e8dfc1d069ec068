# SPDX-License-Identifier: Apache-2.0
"""What the kernel's hints leave out is found all the same: queues that run over, watches too few (R14)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from voice_bench import in_step, pair, run

from waiting import until

QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


def test_a_queue_that_ran_over_means_a_full_look(tmp_path: Path) -> None:
    """R14: a burst longer than the kernel's queue, and a change that it had no room for."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, _line):
            a.write("d/one.wav", b"one")
            await in_step(a, b)
            time.sleep(a.tree.settled / 1e9 * 1.5)  # the loop stands still from here: nobody reads the queue
            one, other = a.voice / "d/one.wav", a.voice / "d/other.wav"
            for _ in range(int(QUEUE.read_text()) // 4 + 1):  # two events each, and the next are other ones
                one.rename(other)
                other.rename(one)
            a.write("d/late.wav", b"late")
            looks = a.part._looking.due
            await until(lambda: b.files().get("d/late.wav") == b"late", 5)
            assert a.part._looking.due > looks
            await in_step(a, b)

    run(check())


SCRIPT = """
import asyncio, sys
from pathlib import Path
from voice_bench import in_step, pair
from waiting import until

async def main(folder, limit):
    limit = Path("/proc/sys/user") / limit
    before = limit.read_text()
    limit.write_text("3")
    if limit.name.endswith("instances"):
        limit.write_text("0")
    async with pair(folder) as (a, b, _, _line):
        for number in range(12):
            a.write(f"d{number}/file.wav", b"first")
        a.part.reconcile()
        await in_step(a, b)
        print(a.part.status()["trouble"], "|", end=" ")
        await asyncio.sleep(0.5)  # nothing is young any more
        for number in range(12):
            a.write(f"d{number}/file.wav", b"other")
        await asyncio.sleep(0.2)
        print(len(set(b.files().values())) == 1 and b"other" in b.files().values(), "|", end=" ")
        a.part.reconcile()
        await in_step(a, b)
        print(set(b.files().values()) == {b"other"}, "|", end=" ")
        limit.write_text(before)
        a.part.reconcile()
        await in_step(a, b)
        print(a.part.status()["trouble"], "|", end=" ")
        for number in range(12):
            a.write(f"d{number}/file.wav", b"third")
        await until(lambda: set(b.files().values()) == {b"third"}, 5)
        print("watched", a.told)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("limit", "trouble"),
    [
        ("max_inotify_watches", "not all folders are watched (No space left on device): others wait"),
        ("max_inotify_instances", "changes wait for the interval: no watch: Too many open files"),
    ],
)
def test_where_watches_run_out_changes_wait_for_the_interval(
    tmp_path: Path, limit: str, trouble: str
) -> None:
    """R14, R15: said in the status; all crosses with the full comparison; over when there are some again.

    In a user namespace of its own, whose limits are nobody else's."""
    folders = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", SCRIPT, str(tmp_path), limit],
        env={**os.environ, "PYTHONPATH": folders}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    said, at_once, compared, after, watched = done.stdout.split(" | ")
    assert said.startswith(trouble)
    assert (at_once, compared, after) == ("False", "True", "None")
    assert watched == "watched []\n"
