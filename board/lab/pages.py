"""The units' pages in this computer's browser: starts and stops the forwarder (forwarder.py) of a lab.

127.0.0.1:8081 is unit a, :8082 unit b, :8080 the Master (the LAN service address). The forwarder is a process
of its own, ended by the id in `pages.pid`.
"""

import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Interface
from pathlib import Path

from . import namespace
from .demo import VIRTUAL_IP
from .namespace import LabError

PORTS = {8080: "service", 8081: "a", 8082: "b"}


def _started_at(pid: int) -> str:
    """The kernel's start time of a process: an id that went to another process is not taken for ours."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return ""


class Pages:
    """Start and stop the forwarder of one lab."""

    def __init__(self, folder: Path, pc: str) -> None:
        self._pid_file = folder / "pages.pid"
        self._log = folder / "pages.log"
        self._pc = pc

    def start(self, service: Sequence[str], ports: Mapping[int, str] = PORTS) -> None:
        """Listen here, so that a port in use is said at once, and hand the sockets to the process."""
        targets = {
            port: str(IPv4Interface(service[0]).ip if which == "service" else VIRTUAL_IP[which].ip)
            for port, which in ports.items()
        }
        listening: list[socket.socket] = []
        try:
            for port in targets:
                listener = socket.socket()
                listening.append(listener)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    listener.bind(("127.0.0.1", port))
                except OSError:
                    raise LabError(f"port {port} is in use: end what holds it, or use --no-pages") from None
                listener.listen()
            descriptors = [listener.fileno() for listener in listening]
            handed = [
                f"{descriptor}={target}"
                for descriptor, target in zip(descriptors, targets.values(), strict=True)
            ]
            with self._log.open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "board.lab.forwarder", self._pc, *handed],
                    cwd=namespace.PROJECT,
                    pass_fds=descriptors,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        finally:
            for listener in listening:
                listener.close()
        self._pid_file.write_text(f"{process.pid} {_started_at(process.pid)}\n")

    def stop(self) -> None:
        """End the forwarder, if it is still the process that was started."""
        try:
            pid, _, started = self._pid_file.read_text().strip().partition(" ")
        except FileNotFoundError:
            return
        if pid.isdigit() and started and _started_at(int(pid)) == started:
            namespace.signal_all([int(pid)], signal.SIGTERM)
        self._pid_file.unlink(missing_ok=True)
