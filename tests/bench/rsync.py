# SPDX-License-Identifier: Apache-2.0
"""rsync beside the pair's synchronisation: its daemon on one unit, its client on the other, on the same lab.

One run is one `rsync` from fork to exit, made durable with --fsync; its start in the unit's namespace (some
3 ms) is in it. rsync encrypts nothing and proves nobody; the session of the pair does both.
"""

import re
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from board.lab.demo import VIRTUAL_IP
from board.lab.namespace import LabError
from board.lab.pair import Lab

PORT = 8730


@dataclass(frozen=True)
class Run:
    seconds: float
    cpu: float  # of the client, seconds
    octets: int  # both ways


class Rsync:
    """Copies of folders of unit `source` on unit `target`, below `folder`. A context manager."""

    def __init__(self, lab: Lab, source: str, target: str, folder: Path) -> None:
        self._lab, self._source, self._folder = lab, source, folder
        self._address = str(VIRTUAL_IP[target].ip)
        folder.mkdir(parents=True)
        config = folder / "rsyncd.conf"
        options = "use chroot = no\nread only = no\nuid = root\ngid = root\n"
        config.write_text(f"{options}[to]\npath = {folder}\n")
        argv = ["rsync", "--daemon", "--no-detach", f"--config={config}", f"--port={PORT}"]
        self._daemon = subprocess.Popen(lab.exec_argv(target, argv))
        time.sleep(0.5)

    def __enter__(self) -> "Rsync":
        return self

    def __exit__(self, *_: object) -> None:
        self._daemon.terminate()
        self._daemon.wait()

    def tree(self, name: str) -> Path:
        return self._folder / name

    def run(self, source: Path, name: str, *options: str) -> Run:
        """Makes `name` on the target what the folder `source` is."""
        argv = ["rsync", "-a", "--delete", "--fsync", "--stats", *options]
        argv += [f"{source}/", f"rsync://{self._address}:{PORT}/to/{name}/"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        done = self._lab.exec(self._source, argv, timeout=300)
        lasted = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise LabError(f"rsync: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
        told = re.findall(r"^Total bytes (?:sent|received): ([\d,]+)", done.stdout, re.MULTILINE)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Run(lasted, cpu, sum(int(number.replace(",", "")) for number in told))
