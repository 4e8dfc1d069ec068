# SPDX-License-Identifier: Apache-2.0
"""Debian's csync2 beside the pair's synchronisation: its daemon on one unit, `csync2 -x` on the other.

A run is one `csync2 -x` from fork to exit: it looks through the tree and carries what differs from its
database. It flushes nothing but that database, and without TLS (`nossl`) its group key crosses in the clear.
"""

import resource
import secrets
import subprocess
import time
from pathlib import Path

from board.lab.demo import VIRTUAL_IP
from board.lab.namespace import LabError
from board.lab.pair import Lab

from .pair import wait_for
from .processes import serves
from .rsync import PATIENCE, Run, finished
from .traffic import Traffic

CSYNC2 = "csync2"
PORT = 30865
_CONFIGURATION = """\
nossl * *;
prefix tree {{
	on {source}: {tree};
	on {target}: {copy};
}}
group pair {{
	host {source} {target};
	key {folder}/key;
	include %tree%;
	exclude %tree%/.sync %tree%/.trash;
	auto none;
}}
"""


def commands() -> list[str]:
    """What is run and configured, for the report; folders and addresses by what they are."""
    told = _CONFIGURATION.format(source="MASTER", target="BACKUP", tree="TREE", copy="COPY", folder="FOLDER")
    return [
        "csync2 -ii -N BACKUP -D FOLDER",
        "csync2 -x -N MASTER -D FOLDER",
        *told.expandtabs(4).splitlines(),
    ]


class Csync2:
    """Copies the folder `tree` of unit `source` to `copy` on unit `target`, below `folder`. A context
    manager."""

    def __init__(self, lab: Lab, source: str, target: str, folder: Path, tree: Path) -> None:
        self._lab, self._source, self._folder = lab, source, folder
        self._own, address = str(VIRTUAL_IP[source].ip), str(VIRTUAL_IP[target].ip)
        self.copy = folder / "copy"
        self.copy.mkdir(parents=True)
        self.copy.chmod(tree.stat().st_mode & 0o777)  # two that differ are a conflict, which it leaves alone
        (folder / "csync2.cfg").write_text(
            _CONFIGURATION.format(source=self._own, target=address, tree=tree, copy=self.copy, folder=folder)
        )
        (folder / "key").write_text(secrets.token_hex(32) + "\n")
        self._traffic = Traffic(lab, target, PORT)
        with (folder / "log").open("wb") as log:
            self._daemon = subprocess.Popen(
                lab.exec_argv(target, self._argv("-ii", "-N", address)), stdout=log, stderr=log
            )
        wait_for(lambda: serves(self._daemon.pid, PORT), PATIENCE, "csync2's daemon listens")

    def __enter__(self) -> "Csync2":
        return self

    def __exit__(self, *_: object) -> None:
        self._daemon.terminate()
        self._daemon.wait()

    def run(self) -> Run:
        """Makes the copy what the tree is."""
        before, octets = resource.getrusage(resource.RUSAGE_CHILDREN), self._traffic.octets
        began = time.monotonic()
        self._execute("-x", "-N", self._own)
        lasted = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Run(lasted, cpu, self._traffic.octets - octets)

    def _argv(self, *arguments: str) -> list[str]:
        return ["env", f"CSYNC2_SYSTEM_DIR={self._folder}", "csync2", "-D", str(self._folder), *arguments]

    def _execute(self, *arguments: str) -> None:
        done = finished(self._lab, self._source, self._argv(*arguments))
        if done.returncode:
            raise LabError(f"csync2: {(done.stderr.strip() or 'failed').splitlines()[0]}")
