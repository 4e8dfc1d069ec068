# SPDX-License-Identifier: Apache-2.0
"""The executable as it ships: the same bytes wherever it is built, stripped, small, one link an applet."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = ("Makefile", "pyproject.toml", "cext", "firmware", "board")
MOST = 1_000_000  # octets


def made(sources: Path, arch: str, *options: str) -> None:
    subprocess.run(
        ["make", "firmware", f"ARCH={arch}", *options, "-j2"],
        cwd=sources,
        env={**os.environ, "MAKEFLAGS": ""},
        check=True,
        capture_output=True,
        text=True,
        timeout=200,
    )


def shipped(arch: str) -> Path:
    """The executable of this tree."""
    made(PROJECT, arch)
    return PROJECT / "out" / "firmware" / arch / "usr" / "bin" / "qx"


def elsewhere(folder: Path, arch: str) -> Path:
    """The executable of a copy with another path, other dates and another order of its files."""
    copy, out = folder / "somewhere" / "else", folder / "made"
    for name in reversed(SOURCES):
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, copy_function=shutil.copyfile)
        else:
            shutil.copy2(source, copy / name)
    out.mkdir()
    for stamp in (".build-packages", ".image-packages"):
        (out / stamp).touch()  # this machine was set up by the tests' own make
    if (PROJECT / "out" / "debian").exists():
        (out / "debian").symlink_to(PROJECT / "out" / "debian")
        (copy / "out").symlink_to(out)
    made(copy, arch, f"OUT={out}", f"VENV={PROJECT}/out/venv")
    return out / "firmware" / arch / "usr" / "bin" / "qx"


def small_and_the_same(one: Path, two: Path) -> None:
    assert one.read_bytes() == two.read_bytes()
    assert one.stat().st_size < MOST
    assert str(PROJECT).encode() not in one.read_bytes()


def test_same_bytes(tmp_path: Path) -> None:
    """R43: one executable file; built in two places it has the same bytes, and no debugging information."""
    one = shipped("host")
    small_and_the_same(one, elsewhere(tmp_path, "host"))
    sections = subprocess.run(["readelf", "-S", one], capture_output=True, text=True, check=True).stdout
    assert ".text" in sections
    assert ".symtab" not in sections
    assert ".debug_info" not in sections


def test_applets_by_name(tmp_path: Path) -> None:
    """R43: applets by name: `qx-version` is `qx version`, and there is a link for each applet."""
    folder = tmp_path / "bin"
    shutil.copytree(shipped("host").parent, folder, symlinks=True)
    (folder / "site-packages").symlink_to(PROJECT / "out" / "host" / "site-packages")
    usage = subprocess.run([folder / "qx", "help"], capture_output=True, text=True, check=True).stdout
    applets = {line.split()[0] for line in usage.splitlines() if line.startswith("  ")}
    assert {link.name.removeprefix("qx-") for link in folder.glob("qx-*")} == applets
    told = [
        subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        for argv in ([folder / "qx", "version"], [folder / "qx-version"])
    ]
    assert told[0] == told[1] != ""


@pytest.mark.vm
def test_same_bytes_for_arm(tmp_path: Path) -> None:
    """R43: the same for the units' own architecture, made by the cross compiler."""
    one = shipped("aarch64")
    small_and_the_same(one, elsewhere(tmp_path, "aarch64"))
    header = subprocess.run(["readelf", "-h", one], capture_output=True, text=True, check=True).stdout
    assert "AArch64" in header
