"""One unit of the lab: its root (the flash), its firmware process and what it says of itself.

The root outlives power cuts; `run/qx` in it does not, as a tmpfs would not. One thing differs from a real
power cut: what a process wrote without a flush is in this computer's page cache and survives.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import namespace
from .demo import Demo, install_key
from .namespace import PROJECT, LabError


class Unit:
    """The root, log and firmware of unit a or b. Power and links are the pair's and the network's."""

    def __init__(self, name: str, netns: str, folder: Path, qx: Path) -> None:
        self.name = name
        self.netns = netns
        self.root = folder / name
        self.log = folder / f"{name}.log"
        self.executable = qx

    # ── factory ──

    @property
    def blank(self) -> bool:
        return not (self.root / "etc" / "qx").exists()

    def erase(self) -> None:
        """A new unit out of the box: flash and log are gone."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    def provision(self, demo: Demo) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self._run("provision", *demo.provision_arguments(self.name))
        if not demo.pages:  # a process more on each unit, which few tests are about
            board = self.root / "etc" / "qx" / "board.toml"
            board.write_text(re.sub(r"http_port = \d+", "http_port = 0", board.read_text()))
        if demo.pbx:
            for script in (PROJECT / "rootfs" / "etc" / "qx" / "master.d").iterdir():
                shutil.copy(script, self.root / "etc" / "qx" / "master.d")

    def configure(self, demo: Demo) -> None:
        self._run("set", *demo.settings(self.name))

    def license(self, key: str) -> None:
        install_key(self.executable, self.root, key)

    # ── running ──

    def start(self) -> None:
        """Start the firmware in the unit's namespace, in a session of its own, as init would after a boot."""
        if not os.access(self.executable, os.X_OK):
            raise LabError(f"{self.executable} is not there: run make build, or set QX")
        volatile = self.root / "run" / "qx"
        shutil.rmtree(volatile, ignore_errors=True)
        volatile.mkdir(parents=True)
        with self.log.open("ab") as log:
            # setsid --fork leaves the daemon to init: no zombies, and no test's process tree holds it.
            subprocess.run(
                [
                    "setsid",
                    "--fork",
                    "ip",
                    "netns",
                    "exec",
                    self.netns,
                    self.executable,
                    "daemon",
                    "--root",
                    self.root,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=True,
            )

    def daemon_pid(self) -> int:
        """Process id of the daemon (not of its guardian), checked to be one of this unit's."""
        try:
            pid = int((self.root / "run" / "qx" / "daemon.pid").read_text())
        except (FileNotFoundError, ValueError):
            raise LabError(f"unit {self.name} has no daemon.pid") from None
        if pid not in namespace.processes(self.netns):
            raise LabError(f"unit {self.name}: process {pid} of daemon.pid is not there")
        return pid

    def kill_daemon(self) -> int:
        """SIGKILL to the daemon alone; its guardian and applications live on."""
        pid = self.daemon_pid()
        os.kill(pid, signal.SIGKILL)
        return pid

    def press(self) -> None:
        """Somebody presses the unit's button: proof that he stands before it."""
        with Path("/proc/uptime").open() as uptime:
            (self.root / "run/qx/presence").write_text(uptime.read().split()[0])

    # ── asking ──

    def qx(self, arguments: Sequence[str], timeout: float = 10.0) -> subprocess.CompletedProcess[str]:
        """Run `qx ARGUMENTS --root ROOT`, whatever its exit status."""
        try:
            return subprocess.run(
                [self.executable, *arguments, "--root", self.root],
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except OSError as error:
            raise LabError(f"{self.executable}: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise LabError(f"qx {arguments[0]} gave no answer within {timeout:g} s") from None

    def ask(self, applet: str, timeout: float = 5.0) -> Any:
        """The JSON answer of `qx APPLET --json`."""
        done = self.qx([applet, "--json"], timeout)
        if done.returncode:
            raise LabError((done.stderr.strip() or f"qx {applet}: exit {done.returncode}").splitlines()[-1])
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise LabError(f"qx {applet} did not print JSON") from None

    def service(self, segments: Sequence[str]) -> list[str]:
        """The service addresses with prefix length that the unit is set to, needs no daemon."""
        told = (self.qx(["get", f"network.{segment}.address"]).stdout.strip() for segment in segments)
        return [address for address in told if "/" in address]

    def _run(self, applet: str, *arguments: str) -> None:
        done = self.qx([applet, *arguments], 30.0)
        if done.returncode:
            complaint = (done.stderr.strip() or f"exit {done.returncode}").splitlines()[0]
            raise LabError(f"unit {self.name}: qx {applet}: {complaint}")
