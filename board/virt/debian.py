# SPDX-License-Identifier: Apache-2.0
"""debian: packages of another architecture, fetched and unpacked without telling this machine's dpkg of them.

apt runs with a state of its own under out/debian, so no foreign architecture is added here and nobody else's
`apt-get update` changes. It uses the mirrors and keys of this machine. What was fetched is kept;
`out/debian/arm64/lock.json` names the versions, and until that folder is removed no mirror is asked again.

Usage: debian.py sysroot DIR     unpack what the executable is compiled against
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]


class DebianError(Exception):
    """A package that cannot be had; the text says which and why."""


def table() -> dict[str, Any]:
    """packages.toml."""
    return tomllib.loads((HERE / "packages.toml").read_text())


class Debian:
    """Packages of `arch`, kept in `folder`."""

    def __init__(self, arch: str, folder: Path | None = None) -> None:
        self.arch = arch
        self.folder = (folder or PROJECT / "out" / "debian" / arch).absolute()
        self._lock = self.folder / "lock.json"
        self._files: dict[str, str] = json.loads(self._lock.read_text()) if self._lock.exists() else {}

    def files(self, names: Iterable[str]) -> list[Path]:
        """The package files of these names, fetched where they are not here yet. Raises DebianError."""
        wanted = list(dict.fromkeys(names))
        missing = [name for name in wanted if not (self.folder / self._files.get(name, "-")).is_file()]
        if missing:
            self._fetch(missing)
        return [self.folder / self._files[name] for name in wanted]

    def dependency(self, meta: str, prefix: str) -> str:
        """The first package that `meta` depends on whose name begins with `prefix`."""
        key = f"{meta} > {prefix}"
        if key not in self._files:
            self._prepare()
            told = self._apt("apt-cache", "depends", "--important", meta)
            names = [line.split()[-1] for line in told.splitlines() if "Depends:" in line]
            found = next((name for name in names if name.startswith(prefix)), None)
            if found is None:
                raise DebianError(f"{meta}: depends on no package {prefix}…; it depends on {names}")
            self._files[key] = found
            self._keep()
        return self._files[key]

    def unpack(self, names: Iterable[str], into: Path) -> None:
        """Unpacks the packages' files below `into`; their scripts are not run."""
        into.mkdir(parents=True, exist_ok=True)
        for file in self.files(names):
            subprocess.run(["dpkg-deb", "-x", str(file), str(into)], check=True)

    # --- apt with a state of its own ----------------------------------------------------------------
    def _fetch(self, names: list[str]) -> None:
        self._prepare()
        print(f"fetching {len(names)} packages of Debian for {self.arch}", flush=True)
        here = self.folder / "fresh"
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir()
        self._apt("apt-get", "-qq", "download", *names, folder=here)
        for file in here.iterdir():
            name = file.name.partition("_")[0]
            file.replace(self.folder / file.name)
            self._files[name] = file.name
        absent = [name for name in names if name not in self._files]
        if absent:
            raise DebianError(f"not fetched: {', '.join(absent)}")
        self._keep()

    def _keep(self) -> None:
        self._lock.write_text(json.dumps(dict(sorted(self._files.items())), indent=1) + "\n")

    def _prepare(self) -> None:
        """Asks for the lists, once for each life of the folder."""
        state = self.folder / "apt"
        if (state / "ready").exists():
            return
        for part in ("lists/partial", "cache/archives/partial"):
            (state / part).mkdir(parents=True, exist_ok=True)
        (state / "status").touch()
        (state / "apt.conf").write_text(
            f'APT::Architecture "{self.arch}";\nAPT::Architectures {{ "{self.arch}"; }};\n'
            f'Dir::State "{state}";\nDir::State::status "{state}/status";\nDir::Cache "{state}/cache";\n'
            'Acquire::Languages "none";\nAPT::Sandbox::User "root";\n'
        )
        print(f"asking this machine's mirrors for Debian's {self.arch} packages", flush=True)
        self._apt("apt-get", "-qq", "update")
        (state / "ready").touch()

    def _apt(self, *argv: str, folder: Path | None = None) -> str:
        done = subprocess.run(
            argv,
            cwd=folder,
            env={**os.environ, "APT_CONFIG": str(self.folder / "apt" / "apt.conf"), "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DebianError(f"{' '.join(argv[:3])}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def sysroot(target: Path) -> None:
    """What the executable is compiled against, in a folder of its own. Raises DebianError."""
    packages = table()
    shutil.rmtree(target, ignore_errors=True)
    Debian(packages["arch"]).unpack(packages["sysroot"]["packages"], target)


def command(usage: str | None, argv: list[str], words: tuple[str, ...], work: Callable[[str], object]) -> int:
    """Runs a tool of this folder: `words`, then the argument of `work`. The exit code."""
    if len(argv) != len(words) + 1 or tuple(argv[:-1]) != words:
        print(str(usage).splitlines()[-1], file=sys.stderr)
        return 2
    try:
        work(argv[-1])
    except DebianError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(command(__doc__, sys.argv[1:], ("sysroot",), lambda folder: sysroot(Path(folder))))
