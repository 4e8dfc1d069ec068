# SPDX-License-Identifier: Apache-2.0
"""Debian's lsyncd beside the pair's synchronisation: it watches a folder and runs rsync for what changes.

It waits for nothing before it does so (its default is 15 s), and rsync makes durable what it writes. What a
user sees is the time from a change until the copy is equal, so that is looked for on the other unit.
"""

import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from board.lab.namespace import LabError
from board.lab.pair import Lab

from .pair import wait_for
from .rsync import LONGEST, Rsync, Run
from .traffic import Traffic

LSYNCD = "lsyncd"
PORT = 8731
_CONFIGURATION = """\
settings {{ nodaemon = true, statusFile = "{folder}/status", statusInterval = 1 }}
sync {{
    default.rsync,
    source = "{tree}",
    target = "{target}",
    delay = 0,
    rsync = {{ archive = true, _extra = {{ "--fsync" }} }},
}}
"""
_COMPARED = b" finished.\n"  # with which the log ends the comparison at its start


def commands() -> list[str]:
    """What is run and configured, for the report; folders by what they are."""
    told = _CONFIGURATION.format(folder="FOLDER", tree="TREE", target=f"rsync://BACKUP:{PORT}/to/copy/")
    return [
        f"rsync --daemon --no-detach --config=rsyncd.conf --port={PORT}",
        "lsyncd lsyncd.lua",
        *told.splitlines(),
    ]


class Lsyncd:
    """Follows the folder `tree` of unit `source` in `copy` on unit `target`, below `folder`. A context
    manager."""

    def __init__(self, lab: Lab, source: str, target: str, folder: Path, tree: Path) -> None:
        self._rsync = Rsync(lab, source, target, folder, PORT)
        self._traffic = Traffic(lab, target, PORT)
        self._log = folder / "log"
        self._argv = lab.exec_argv(source, ["lsyncd", str(folder / "lsyncd.lua")])
        self.tree, self.copy = tree, self._rsync.tree("copy")
        (folder / "lsyncd.lua").write_text(
            _CONFIGURATION.format(folder=folder, tree=tree, target=self._rsync.address("copy"))
        )
        self._start()

    def __enter__(self) -> "Lsyncd":
        return self

    def __exit__(self, *arguments: object) -> None:
        self._stop()
        self._rsync.__exit__(*arguments)

    def follow(self, change: Callable[[Path], None], there: Callable[[Path], bool]) -> Run:
        """From the change of its tree until it is there; without the CPU of whom goes on watching."""
        octets, began = self._traffic.octets, time.monotonic()
        change(self.tree)
        wait_for(lambda: there(self.copy), LONGEST, "lsyncd: the change in its copy", 0.001)
        lasted = time.monotonic() - began
        time.sleep(0.3)  # rsync takes away what is gone, and ends
        return Run(lasted, 0.0, self._traffic.octets - octets)

    def compare(self) -> Run:
        """It compares when it starts, and not again."""
        self._stop()
        before, octets = resource.getrusage(resource.RUSAGE_CHILDREN), self._traffic.octets
        began = time.monotonic()
        self._start()
        lasted = time.monotonic() - began
        self._stop()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        crossed = self._traffic.octets - octets
        self._start()
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Run(lasted, cpu, crossed)

    def _start(self) -> None:
        """Until it has compared, and so watches."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log)
        wait_for(self._compared, LONGEST, "lsyncd: its first comparison", 0.002)

    def _compared(self) -> bool:
        if self._process.poll() is not None:
            raise LabError(f"lsyncd: {(self._log.read_text().strip() or 'ended').splitlines()[-1]}")
        return _COMPARED in self._log.read_bytes()

    def _stop(self) -> None:
        self._process.terminate()
        self._process.wait()
