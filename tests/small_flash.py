# SPDX-License-Identifier: Apache-2.0
"""A unit's data partition as a file system of its own and of a size, which can be filled up."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path


@contextlib.contextmanager
def small(folder: Path, size: int) -> Iterator[None]:
    """The folder on an ext4 of its own of `size` octets, with what it had: flushes reach the disk below."""
    kept, image = folder.with_name("kept"), folder.with_name("flash.img")
    folder.rename(kept)
    folder.mkdir()
    with image.open("wb") as out:
        out.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        folder.chmod(0o700)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield
    finally:
        left_over(folder)


def left_over(folder: Path) -> None:
    """Takes the file system away, also one of a run that was killed."""
    if folder.is_mount():
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Callable[[], None]:
    """From here on nothing more fits into the folder's file system, until what is returned is called."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return partial(ballast.unlink, missing_ok=True)
