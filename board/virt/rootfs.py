# SPDX-License-Identifier: Apache-2.0
"""rootfs: the root file system of the emulated board: Debian's packages, our overlay and the executable.

The same overlay, scripts and executable as on hardware; what Buildroot compiles there comes from Debian here.
Nothing needs a privilege: files are made as the caller's and packed as root's.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import subprocess
from pathlib import Path

from .debian import PROJECT, Debian, DebianError, table

PARTS = ("base", "python", "update", "telephony")
TREES = ("rootfs", "board/virt/overlay")
FOLDERS = ("dev", "proc", "sys", "run", "tmp", "data", "root", "mnt", "usr/sbin", "etc/qx/master.d")
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "var": "run/var"}


def applets(busybox: Path) -> list[str]:
    """The applets of a BusyBox, from the list within the file (it is of another architecture)."""
    found = re.search(rb"\0(\[\0(?:[a-z0-9_\[-]+\0){100,})", busybox.read_bytes())
    if not found:
        raise DebianError(f"{busybox}: has no list of applets")
    return [name.decode() for name in found[1].split(b"\0") if name]


def merge_usr(root: Path) -> None:
    """Debian's packages still bring /bin, /sbin and /lib: what is in them moves below /usr."""
    for name in ("bin", "sbin", "lib"):
        old, new = root / name, root / "usr" / name
        if old.is_dir() and not old.is_symlink():
            subprocess.run(["cp", "-a", f"{old}/.", str(new)], check=True)
            shutil.rmtree(old)


def link_applets(root: Path) -> None:
    """Every applet that no program of its own replaces, in both folders: scripts name either."""
    own = {path.name for folder in ("usr/bin", "usr/sbin") for path in (root / folder).iterdir()}
    for name in applets(root / "usr/bin/busybox"):
        if name not in own:
            (root / "usr/bin" / name).symlink_to("busybox")
            (root / "usr/sbin" / name).symlink_to("../bin/busybox")


def missing_libraries(root: Path) -> set[str]:
    """Shared libraries that a file of the tree needs and the tree does not have."""
    there = {path.name for path in root.rglob("*.so*")}
    needed: set[str] = set()
    for path in [*root.glob("usr/bin/*"), *root.glob("usr/sbin/*"), *root.rglob("*.so*")]:
        if path.is_file() and not path.is_symlink() and path.open("rb").read(4) == b"\x7fELF":
            told = subprocess.run(["readelf", "-d", str(path)], capture_output=True, text=True, check=True)
            needed.update(re.findall(r"\(NEEDED\).*\[(.+)\]", told.stdout))
    return needed - there


def copy_modules(kernel: Path, root: Path, wanted: list[str]) -> list[str]:
    """Copies these modules (a name, parameters behind it) and what they depend on. Returns their paths,
    dependencies first."""
    version = next((kernel / "lib" / "modules").iterdir()).name
    tree = Path("lib") / "modules" / version
    subprocess.run(["depmod", "-b", str(kernel), version], check=True)
    needs: dict[str, list[str]] = {}
    for line in (kernel / tree / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    by_name = {Path(path).name.removesuffix(".ko").replace("-", "_"): path for path in needs}
    order: list[str] = []
    for name in (words.split()[0] for words in wanted):
        path = by_name.get(name.replace("-", "_"))
        if path is None:
            raise DebianError(f"packages.toml: kernel.modules: Debian's kernel {version} has no {name}")
        # depmod lists what a module needs with the nearest first.
        order += [need for need in (*reversed(needs[path]), path) if need not in order]
    for path in order:
        target = root / "usr" / tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(kernel / tree / path, target)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(kernel / tree / name, root / "usr" / tree / name)
    return [str(tree / path) for path in order]


def compile_python(root: Path) -> None:
    """Byte code only, as the executable's own: what is imported is not compiled again at every start."""
    for folder in (root / "usr/lib/python3.11", root / "usr/lib/python3/dist-packages"):
        compileall.compile_dir(
            str(folder), quiet=2, legacy=True, force=True, stripdir=str(root), prependdir="/",
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )  # fmt: skip
        for source in folder.rglob("*.py"):
            if source.with_suffix(".pyc").exists():
                source.unlink()
        for cache in list(folder.rglob("__pycache__")):
            shutil.rmtree(cache)


def lay_over(root: Path, executable: Path) -> None:
    """Our own trees, and the executable with its links."""
    for tree in TREES:
        shutil.copytree(PROJECT / tree, root, symlinks=True, dirs_exist_ok=True)
    for file in executable.parent.iterdir():
        target = root / "usr" / "bin" / file.name
        target.unlink(missing_ok=True)
        shutil.copy(file, target, follow_symlinks=False)


def write_accounts(root: Path) -> None:
    """Nobody logs in by them: the console and the pages have their own. Programs ask for names."""
    etc = root / "etc"
    (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/false\nnobody:x:65534:65534::/:/bin/false\n")
    (etc / "group").write_text("root:x:0:\ntty:x:5:\ndisk:x:6:\nnogroup:x:65534:\n")
    (etc / "shadow").write_text("root:*:::::::\n")
    (etc / "shadow").chmod(0o600)
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    (etc / "mtab").unlink(missing_ok=True)
    (etc / "mtab").symlink_to("/proc/mounts")


def stage(root: Path, kernel: Path, executable: Path, release: dict[str, str]) -> None:
    """Makes the tree anew below `root`. `kernel`: the unpacked kernel package; `release`: /etc/qx-release."""
    packages = table()
    debian = Debian(packages["arch"])
    shutil.rmtree(root, ignore_errors=True)
    for part in PARTS:
        if part in packages:
            groups = [names for key, names in packages[part].items() if key != "pure"]
            debian.unpack([name for names in groups for name in names], root)
    merge_usr(root)
    for pattern in packages["prune"]["paths"]:
        for target in list(root.glob(pattern)):
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink()
    shutil.rmtree(root / "var", ignore_errors=True)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for link, target in LINKS.items():
        (root / link).symlink_to(target)
    link_applets(root)
    site = PROJECT / "out/host/site-packages"
    for name in packages["python"]["pure"]:
        shutil.copytree(site / name, root / "usr/lib/python3/dist-packages" / name)
    lay_over(root, executable)
    copy_modules(kernel, root, packages["kernel"]["modules"])
    version = next((kernel / "lib" / "modules").iterdir()).name
    subprocess.run(["depmod", "-b", str(root), version], check=True)
    (root / "etc/modules").write_text("\n".join(packages["kernel"]["modules"]) + "\n")
    write_accounts(root)
    (root / "etc/qx-release").write_text("".join(f"{key}={value}\n" for key, value in release.items()))
    os.utime(root / "etc/qx-release", (int(release["BUILT"]), int(release["BUILT"])))
    compile_python(root)
    absent = missing_libraries(root)
    if absent:
        raise DebianError(f"packages.toml: no package has {', '.join(sorted(absent))}")
