# SPDX-License-Identifier: Apache-2.0
"""rsync beside the pair's synchronisation: its daemon on one unit, its client on the other, on the same lab.

One run is one `rsync` from fork to exit, made durable with --fsync; its start in the unit's namespace (some
3 ms) is in it. rsync encrypts nothing and proves nobody; the session of the pair does both.
"""

import re
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from board.lab.demo import VIRTUAL_IP
from board.lab.namespace import LabError
from board.lab.pair import Lab

from .pair import wait_for
from .processes import serves

PORT = 8730
PATIENCE = 20.0
LONGEST = 900.0  # seconds of a copy
_CONFIGURATION = "use chroot = no\nread only = no\nuid = root\ngid = root\n"
_CLIENT = ("rsync", "-a", "--delete", "--fsync", "--stats")


def commands() -> list[str]:
    """What is run and configured, for the report; folders by what they are."""
    daemon = f"rsync --daemon --no-detach --config=rsyncd.conf --port={PORT}"
    settings = f"{' '.join(_CLIENT)} --checksum --no-whole-file SETTINGS/ rsync://BACKUP:{PORT}/to/settings/"
    voice = f"{' '.join(_CLIENT)} --exclude=/.sync --exclude=/.trash VOICE/ rsync://BACKUP:{PORT}/to/voice/"
    return [daemon, settings, voice, *_CONFIGURATION.splitlines()]


@dataclass(frozen=True)
class Run:
    seconds: float
    cpu: float  # of the client, seconds
    octets: int  # both ways


def finished(lab: Lab, unit: str, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A copy on that unit from fork to exit; LabError where it has no end."""
    try:
        return lab.exec(unit, argv, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        raise LabError(f"not done within {LONGEST:g} s: {' '.join(argv)}") from None


class Rsync:
    """Copies of folders of unit `source` on unit `target`, below `folder`. A context manager."""

    def __init__(self, lab: Lab, source: str, target: str, folder: Path, port: int = PORT) -> None:
        self._lab, self._source, self._folder = lab, source, folder
        self._server = f"{VIRTUAL_IP[target].ip}:{port}"
        folder.mkdir(parents=True)
        config = folder / "rsyncd.conf"
        config.write_text(f"{_CONFIGURATION}[to]\npath = {folder}\n")
        argv = ["rsync", "--daemon", "--no-detach", f"--config={config}", f"--port={port}"]
        self._daemon = subprocess.Popen(lab.exec_argv(target, argv))
        wait_for(lambda: serves(self._daemon.pid, port), PATIENCE, "rsync's daemon listens")

    def __enter__(self) -> "Rsync":
        return self

    def __exit__(self, *_: object) -> None:
        self._daemon.terminate()
        self._daemon.wait()

    def tree(self, name: str) -> Path:
        return self._folder / name

    def address(self, name: str) -> str:
        """Of the same, for a client."""
        return f"rsync://{self._server}/to/{name}/"

    def run(self, source: Path, name: str, *options: str) -> Run:
        """Makes `name` on the target what the folder `source` is."""
        argv = [*_CLIENT, *options, f"{source}/", self.address(name)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        done = finished(self._lab, self._source, argv)
        lasted = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise LabError(f"rsync: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
        told = re.findall(r"^Total bytes (?:sent|received): ([\d,]+)", done.stdout, re.MULTILINE)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Run(lasted, cpu, sum(int(number.replace(",", "")) for number in told))
