# SPDX-License-Identifier: Apache-2.0
"""Where a figure comes from: commit, machine, kernel, versions. Written beside every result that is kept.

Nothing in it names a path or a host.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
QX = Path(os.environ.get("QX") or PROJECT / "out" / "host" / "qx")


def told(*argv: str) -> str:
    """What a command says (both streams), "" where it is not there or fails."""
    try:
        done = subprocess.run(
            argv, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def commit() -> dict[str, Any]:
    """The commit id and whether the tree differs from it; files that git ignores do not count."""
    return {"commit": told("git", "rev-parse", "HEAD"), "dirty": bool(told("git", "status", "--porcelain"))}


def machine() -> dict[str, Any]:
    """Processors, memory, kernel and distribution."""
    processor = re.search(r"^model name\s*:\s*(.*)$", _text("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", _text("/proc/meminfo"), re.MULTILINE)
    system = re.search(r'^PRETTY_NAME="(.*)"$', _text("/etc/os-release"), re.MULTILINE)
    return {
        "processor": processor[1] if processor else platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_mib": int(memory[1]) // 1024 if memory else None,
        "kernel": f"{platform.release()} {platform.version()}",
        "system": system[1] if system else platform.system(),
    }


def versions() -> dict[str, str]:
    """The product's executable, by its digest too, and what it is measured with."""
    executable = QX.read_bytes() if QX.exists() else b""
    return {
        "qx": told(str(QX), "version"),
        "qx_sha256": hashlib.sha256(executable).hexdigest() if executable else "",
        "keepalived": next(iter(told("keepalived", "--version").splitlines()), ""),
        "keepalived_package": told("dpkg-query", "-W", "-f", "${Version}", "keepalived"),
        "python": platform.python_version(),
    }


def packages(names: Iterable[str]) -> dict[str, str]:
    """The versions of Debian packages, of those that are installed."""
    found = {name: told("dpkg-query", "-W", "-f", "${Version}", name) for name in names}
    return {name: version for name, version in found.items() if version}


def provenance() -> dict[str, Any]:
    return {**commit(), "machine": machine(), "versions": versions(), "at": now()}


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
