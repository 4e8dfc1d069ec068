"""Network namespaces by name: make and remove them, run iproute2 in them, open sockets in them.

Knows nothing of units or switches. A name is one of `ip netns`, bound at /run/netns/NAME. os.setns comes
with Python 3.12 only, hence the call into libc.
"""

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]  # where `python -m board.lab.…` runs
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """What could not be done, in one line for the user."""


def path(name: str) -> Path:
    """Where `ip netns` binds the namespace."""
    return Path("/run/netns") / name


def exists(name: str) -> bool:
    """Whether the namespace is there; a file left over without its mount does not count."""
    try:
        return path(name).stat().st_dev != Path("/run").stat().st_dev
    except FileNotFoundError:
        return False


def identity(name: str) -> int | None:
    """The kernel's number of the namespace: another one when it was removed and made anew."""
    try:
        return path(name).stat().st_ino
    except FileNotFoundError:
        return None


def enter(name: str) -> None:
    """Move the calling thread (and what it starts from now on) into the namespace."""
    try:
        descriptor = os.open(path(name), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise LabError(f"{name} is not there") from None
    try:
        if _libc.setns(descriptor, _CLONE_NEWNET):
            raise LabError(f"{name}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(descriptor)


def socket_in(name: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket that lives in the namespace, for a caller that stays outside.

    A socket belongs to the namespace of the thread that made it, for ever; so a thread of its own enters,
    makes the socket and ends. The caller's thread never changes its namespace.
    """
    made: list[socket.socket] = []
    failed: list[Exception] = []

    def make() -> None:
        try:
            enter(name)
            made.append(socket.socket(family, kind, protocol))
        except (LabError, OSError) as error:
            failed.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def run(argv: Sequence[str], stdin: str | None = None) -> str:
    """Run a tool and return its output; its first complaint becomes the LabError."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not installed") from None
    except PermissionError:
        raise LabError(f"{argv[0]} is not executable") from None
    if done.returncode:
        complaint = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[0]
        raise LabError(f"{' '.join(argv[:3])}: {complaint}")
    return done.stdout


def batch(lines: Iterable[str], name: str | None = None, tool: str = "ip") -> None:
    """Many commands of `ip` or `tc` in one process, in the namespace or (None) in the host's."""
    where = ["-n", name] if name else []
    run([tool, *where, "-batch", "-"], "".join(f"{line}\n" for line in lines))


def processes(name: str) -> list[int]:
    """Process ids in the namespace, without the caller's own.

    As `ip netns pids`, without a process for it. A zombie has no namespace any more and is not listed.
    """
    inode = identity(name)
    if inode is None:
        return []
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        if entry.name == str(os.getpid()):
            continue
        try:
            if (entry / "ns" / "net").stat().st_ino == inode:
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # ended meanwhile
    return found


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal every process that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def kill_all(name: str, patience: float = 5.0) -> None:
    """SIGKILL every process in the namespace until there is none: a process may fork while we look."""
    deadline = time.monotonic() + patience
    while pids := processes(name):
        if time.monotonic() > deadline:
            raise LabError(f"{name}: process {pids[0]} does not end")
        signal_all(pids, signal.SIGKILL)
        time.sleep(0.0005)


def remove(names: Iterable[str]) -> None:
    """Remove namespaces with everything in them; those that are not there are skipped."""
    names = [name for name in names if path(name).exists()]
    for name in names:
        kill_all(name)
    if names:
        batch(f"netns del {name}" for name in names)
