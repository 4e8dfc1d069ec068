# SPDX-License-Identifier: Apache-2.0
"""image: the emulated board's disk, with the partition table, boot script and slots of hardware.

Makes out/image/virt-MODEL/{kernel.itb,rootfs.squashfs,boot.scr,disk.img} and says the size of each part.

Usage: image.py MODEL
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import rootfs
from .debian import HERE, PROJECT, Debian, DebianError, command, table

COMMON = PROJECT / "board" / "common"
SITE = "firmware/qx/__init__.py"
LEVEL = 19  # of zstd; with QUICK=1 it is 1: a fifth larger, in a tenth of the time
LOAD = 0x40400000  # where the kernel is unpacked to; 512 MB of RAM begin at 0x40000000


def run(*argv: str | Path, cwd: Path | None = None, stdin: bytes | None = None) -> bytes:
    """A tool's output. Raises DebianError with what it said."""
    done = subprocess.run([str(a) for a in argv], cwd=cwd, input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise DebianError(f"{argv[0]}: {done.stderr.decode(errors='replace').strip()[-2000:]}")
    return done.stdout


def built() -> int:
    """The time of the sources: seconds of the last commit, so that two builds agree."""
    return int(run("git", "log", "-1", "--format=%ct", cwd=PROJECT))


def version() -> str:
    line = next(line for line in (PROJECT / SITE).read_text().splitlines() if "__version__" in line)
    return line.split('"')[1]


def pack_early(folder: Path, kernel: Path, packages: dict[str, list[str]], debian: Debian) -> Path:
    """The initial RAM file system: BusyBox, the modules of the disk, and one script."""
    tree = folder / "early"
    shutil.rmtree(tree, ignore_errors=True)
    debian.unpack(table()["rescue"]["packages"], folder / "rescue")
    (tree / "bin").mkdir(parents=True)
    (tree / "modules").mkdir()
    shutil.copy(folder / "rescue" / "bin" / "busybox", tree / "bin" / "busybox")
    (tree / "bin" / "sh").symlink_to("busybox")
    order = rootfs.copy_modules(kernel, folder / "early-modules", packages["early"])
    for path in order:
        shutil.copy(kernel / path, tree / "modules")
    (tree / "modules" / "order").write_text("".join(f"{Path(path).name}\n" for path in order))
    shutil.copy(HERE / "init", tree / "init")
    names = sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))
    archive = run(
        "cpio", "-o", "-H", "newc", "-R", "0:0", "--reproducible", "--quiet",
        cwd=tree, stdin="\n".join(names).encode(),
    )  # fmt: skip
    packed = folder / "early.cpio.gz"
    packed.write_bytes(gzip.compress(archive, 9, mtime=0))
    return packed


def pack_kernel(folder: Path, kernel: Path, early: Path) -> Path:
    """The kernel of a slot: one FIT image that U-Boot checks."""
    plain = next((kernel / "boot").glob("vmlinuz-*"))
    packed = folder / "Image.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes(), 9, mtime=0))
    text = (COMMON / "kernel.its").read_text()
    for name, value in {
        "KERNEL": str(packed),
        "LOAD": hex(LOAD),
        "EXTRA_IMAGES": (
            f'\t\tramdisk {{ data = /incbin/("{early}"); type = "ramdisk"; arch = "arm64"; os = "linux"; '
            'compression = "none"; hash { algo = "sha256"; }; };'
        ),
        "EXTRA_USED": '\t\t\tramdisk = "ramdisk";',
    }.items():
        text = text.replace(f"@{name}@", value)
    source = folder / "kernel.its"
    source.write_text(text)
    fit = folder / "kernel.itb"
    run("mkimage", "-q", "-f", source, fit)
    return fit


def pack_rootfs(folder: Path, tree: Path, level: int, without: Sequence[str] = ()) -> Path:
    """The tree, but for the paths of `without`, as the file system of a slot; `level` of zstd."""
    packed = folder / "rootfs.squashfs"
    packed.unlink(missing_ok=True)
    run(
        "mksquashfs", tree, packed, "-all-root", "-noappend", "-comp", "zstd",
        "-Xcompression-level", str(level), "-b", "256K", "-quiet", "-no-progress",
        "-no-xattrs", "-mkfs-time", str(built()), "-all-time", str(built()),
        *(["-e", *without] if without else []),
    )  # fmt: skip
    return packed


def pack_boot(folder: Path) -> Path:
    text = (HERE / "boot-board.cmd").read_text() + (COMMON / "boot.cmd").read_text()
    source = folder / "boot.cmd"
    source.write_text(text)
    script = folder / "boot.scr"
    run("mkimage", "-q", "-A", "arm64", "-T", "script", "-C", "none", "-n", "qx boot", "-d", source, script)
    return script


def environment(folder: Path, text: str = "slot=A\n") -> Path:
    """The partition of the slots' environment: two copies, the second one older."""
    (folder / "env.txt").write_text(text)
    copies = folder / "env.bin"
    run("mkenvimage", "-r", "-s", "0x4000", "-o", folder / "env.one", folder / "env.txt")
    one = (folder / "env.one").read_bytes()
    two = bytearray(one)
    two[4] = (one[4] - 1) % 256
    copies.write_bytes(one + bytes(two))
    return copies


def pack_disk(folder: Path) -> Path:
    """The disk of the parts in that folder."""
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    (folder / "none").mkdir(exist_ok=True)
    run(
        "genimage", "--config", COMMON / "genimage.cfg", "--rootpath", folder / "none", "--inputpath", folder,
        "--outputpath", folder, "--tmppath", folder / "tmp",
    )  # fmt: skip
    return folder / "disk.img"


def make(model: str) -> Path:
    """Builds the image of that model; its disk."""
    packages = table()
    debian = Debian(packages["arch"])
    folder = PROJECT / "out" / "image" / f"virt-{model}"
    folder.mkdir(parents=True, exist_ok=True)
    kernel = folder / "kernel"
    name = debian.dependency(packages["kernel"]["meta"], "linux-image-")
    if not (kernel / ".ready").exists() or (kernel / ".ready").read_text() != name:
        shutil.rmtree(kernel, ignore_errors=True)
        debian.unpack([name], kernel)
        (kernel / ".ready").write_text(name)
    executable = PROJECT / "out" / "firmware" / "aarch64" / "usr" / "bin" / "qx"
    release = {"NAME": "qx", "VERSION": version(), "MODEL": model, "BOARD": "virt", "BUILT": str(built())}
    tree = folder / "rootfs"
    rootfs.stage(tree, kernel, executable, release)
    parts = [
        pack_kernel(folder, kernel, pack_early(folder, kernel, packages["kernel"], debian)),
        pack_rootfs(folder, tree, 1 if os.environ.get("QUICK") else LEVEL),
        pack_boot(folder),
        environment(folder),
        executable,
    ]
    (folder / "factory.bin").write_bytes(bytes(65536))
    (folder / "data.bin").write_bytes(b"")
    disk = pack_disk(folder)
    for part in parts:
        print(f"{part.stat().st_size:>12,} octets  {part.name}")
    return disk


if __name__ == "__main__":
    sys.exit(command(__doc__, sys.argv[1:], (), lambda model: print(f"built {make(model)}")))
