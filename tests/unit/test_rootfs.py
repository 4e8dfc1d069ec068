# SPDX-License-Identifier: Apache-2.0
"""R44: the overlay, its scripts under BusyBox, and the Buildroot tree that makes images of them, agree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from qx.board import UNIT, read_board
from qx.model import MODELS
from qx.paths import Paths

PROJECT = Path(__file__).parents[2]
ROOTFS, BOARD = PROJECT / "rootfs", PROJECT / "board"
OVERLAYS = (ROOTFS, *sorted(BOARD.glob("*/overlay")))
BUSYBOX = Path("/bin/busybox")
EXTERNAL = "$(BR2_EXTERNAL_QX_PATH)"
DEFCONFIGS = sorted((BOARD / "configs").glob("*_defconfig"))

# BusyBox init: ID:RUNLEVELS:ACTION:PROCESS, of which the second is not used (busybox, examples/inittab).
ACTIONS = {"sysinit", "wait", "once", "respawn", "askfirst", "ctrlaltdel", "shutdown", "restart"}


def is_script(file: Path) -> bool:
    if file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as source:
        return file.suffix == ".sh" or re.match(rb"#! ?/bin/(ba)?sh\b", source.read(16)) is not None


def scripts(*folders: Path) -> list[Path]:
    return sorted(file for folder in folders for file in folder.rglob("*") if is_script(file))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The overlay with a real BusyBox, as little as its scripts can be started in."""
    made = tmp_path_factory.mktemp("root")
    shutil.copytree(ROOTFS, made, symlinks=True, dirs_exist_ok=True)
    for folder in ("bin", "sbin", "usr/bin", "usr/sbin", "proc", "dev", "run/log", "run/qx", "tmp", "data"):
        (made / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(BUSYBOX, made / "bin/busybox")
    subprocess.run(["chroot", made, "/bin/busybox", "--install", "-s"], check=True, capture_output=True)
    return made


def within(root: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run(
        ["chroot", str(root), *argv], check=False, capture_output=True, text=True, timeout=20, env=environment
    )


def test_every_script_is_sound() -> None:
    """R44: shellcheck has nothing to say, of the overlays' scripts and of those that make images."""
    found = [*scripts(ROOTFS, *BOARD.glob("*/overlay"), BOARD / "common"), BOARD / "virt/init"]
    assert len(found) > 20
    # Scripts of rootfs/ name what they read in a comment, from the top of this tree.
    argv = ["shellcheck", "-x", "-P", str(PROJECT), "--", *map(str, found)]
    said = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_busybox_reads_every_script_of_the_overlays() -> None:
    """R44: its shell is the one that they meet, and no other."""
    for file in [*scripts(*OVERLAYS), BOARD / "virt/init"]:
        said = subprocess.run([BUSYBOX, "sh", "-n", file], check=False, capture_output=True, text=True)
        assert (said.returncode, said.stderr) == (0, ""), file
        assert file.read_bytes().startswith(b"#!/bin/sh\n") or file.suffix == ".sh", file
        assert os.access(file, os.X_OK) or file.suffix == ".sh", f"{file}: not executable"


def test_what_init_starts_is_there() -> None:
    """R44: every program of inittab is in the overlay, executable, or an applet of BusyBox."""
    applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    lines = [line for line in (ROOTFS / "etc/inittab").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 5
    for line in lines:
        _, _, action, process = line.split(":", 3)
        program = process.split()[0]
        ours = ROOTFS / program.lstrip("/")
        assert action in ACTIONS, line
        assert os.access(ours, os.X_OK) or program.removeprefix("/sbin/") in applets, line


def test_every_start_script_takes_start_and_stop_and_nothing_else(root: Path) -> None:
    """R44, Bad input: as rcS and rcK call them; the answer to another word says what is taken."""
    found = sorted((root / "etc/init.d").glob("S*"))
    assert len(found) > 8
    numbers = [file.name[1:3] for file in found]
    assert numbers == sorted(set(numbers)), "two scripts of one number have no order"
    for file in found:
        said = within(root, f"/etc/init.d/{file.name}", "nonsense")
        assert said.returncode == 2, (file.name, said.stderr)
        assert re.search(r"usage: .*start\|stop", said.stderr), file.name


def test_a_script_that_fails_holds_up_no_other_and_the_order_turns_round(root: Path, tmp_path: Path) -> None:
    """R44: rcS and rcK as they are, with three scripts of which one fails."""
    tree = tmp_path / "root"
    shutil.copytree(root, tree, symlinks=True)
    folder = tree / "etc/init.d"
    for file in folder.glob("S*"):
        file.unlink()
    for name, end in (("S10one", ""), ("S20two", "exit 3\n"), ("S30three", "")):
        (folder / name).write_text(f"#!/bin/sh\necho {name} $1\n{end}")
        (folder / name).chmod(0o755)
    (folder / "S40not").write_text("#!/bin/sh\necho S40not\n")  # not executable: switched off
    started, stopped = within(tree, "/etc/init.d/rcS"), within(tree, "/etc/init.d/rcK")
    assert started.stdout.split("\n") == ["S10one start", "S20two start", "S30three start", ""]
    assert "S20two: failed with 3" in started.stderr
    assert stopped.stdout.split("\n") == ["S30three stop", "S20two stop", "S10one stop", ""]


def test_a_process_that_has_kamailios_old_number_lives_on(root: Path) -> None:
    """R20: a number in a file may be anybody's by now. There are no tables here, so nothing starts."""
    run = root / "run/qx/kamailio"
    run.mkdir(parents=True)
    (run / "kamailio.cfg").touch()
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        (run / "pid").write_text(f"{other.pid}\n")
        started = subprocess.run([root / "etc/qx/master.d/S50kamailio", "start"], check=False, timeout=20)
        lives = other.poll() is None
        other.kill()
    assert started.returncode == 1 and lives


def test_links_of_the_overlays_lead_somewhere() -> None:
    """R44: one that does not is a program that is missing on a unit."""
    for overlay in OVERLAYS:
        for link in (path for path in overlay.rglob("*") if path.is_symlink()):
            target = link.readlink()
            there = overlay / target.relative_to("/") if target.is_absolute() else link.parent / target
            assert there.exists(), f"{link} -> {target}"


def test_each_model_and_the_emulator_has_a_defconfig() -> None:
    """R44."""
    there = {file.name.removesuffix("_defconfig") for file in DEFCONFIGS}
    assert there == {"qx_virt", *(model.rstrip("+") for model in MODELS)}


@pytest.mark.parametrize("file", DEFCONFIGS, ids=lambda file: file.name)
def test_a_defconfig_lays_the_overlay_and_names_only_what_is_there(file: Path) -> None:
    """R44: the overlay of all models first, its own after it; read-only slots; BusyBox as init."""
    values = dict(re.findall(r'^(BR2_\w+)="?([^"\n]*)"?$', file.read_text(), re.M))
    named = re.findall(re.escape(EXTERNAL) + r"(/[\w./-]+)", file.read_text())
    assert [path for path in named if not (BOARD / path.lstrip("/")).exists()] == []
    model, board = values["BR2_ROOTFS_POST_SCRIPT_ARGS"].split()
    overlays = values["BR2_ROOTFS_OVERLAY"].split()
    assert overlays == [f"{EXTERNAL}/../rootfs", f"{EXTERNAL}/{board}/overlay"]
    assert model in MODELS
    assert (
        values["BR2_INIT_BUSYBOX"] == values["BR2_TARGET_ROOTFS_SQUASHFS"] == values["BR2_PACKAGE_QX"] == "y"
    )
    assert "BR2_TARGET_GENERIC_REMOUNT_ROOTFS_RW" not in values
    fragment = values["BR2_PACKAGE_BUSYBOX_CONFIG_FRAGMENT_FILES"].replace(EXTERNAL, str(BOARD))
    assert "CONFIG_" in Path(fragment).read_text()
    found = read_board(Paths(BOARD / board / "overlay"))
    assert found.kind == UNIT
    assert bool(found.wan) == MODELS[model].wan


def test_every_package_of_the_tree_is_offered_and_can_be_checked() -> None:
    """R44: Buildroot takes only what Config.in names; what it downloads has a digest."""
    offered = (BOARD / "Config.in").read_text()
    packages = [folder for folder in (BOARD / "package").iterdir() if folder.is_dir()]
    assert packages
    for folder in packages:
        assert f'"$BR2_EXTERNAL_QX_PATH/package/{folder.name}/Config.in"' in offered
        recipe = (folder / f"{folder.name}.mk").read_text()
        assert "SITE_METHOD = local" in recipe or re.search(
            r"^sha256  [0-9a-f]{64}  ", (folder / f"{folder.name}.hash").read_text(), re.M
        )


def test_data_lie_apart_from_two_slots_of_each_kind() -> None:
    """R44: the partition table: slots A and B of kernel and root file system, and data of its own."""
    table = (BOARD / "common/genimage.cfg").read_text()
    parts = re.findall(r"^\tpartition ([\w-]+) \{", table, re.M)
    slots = {f"{what}-{slot}" for what in ("kernel", "rootfs") for slot in "ab"}
    assert set(parts) >= {"env", "factory", "data", *slots}
    assert len(parts) == len(set(parts))
    for what in ("kernel", "rootfs"):
        a, b = (re.search(rf"partition {what}-{slot} {{.*?size = (\w+)", table, re.S) for slot in "ab")
        assert a and b and a[1] == b[1], what


def test_the_scripts_mount_nothing_for_writing_but_memory_and_data() -> None:
    """R44: a root file system that nobody writes; what must last is in /data."""
    mounts = [
        line.strip()
        for file in scripts(ROOTFS)
        for line in file.read_text().splitlines()
        if re.search(r"\bmount (?!-o remount,ro)-", line)
    ]
    assert len(mounts) > 6
    kinds = {found[1] for line in mounts if (found := re.search(r"mount -t (\w+)", line))}
    assert kinds == {"proc", "sysfs", "devtmpfs", "devpts", "tmpfs", "overlay", "ext4"}
    assert [line for line in mounts if "-t ext4" in line and not line.endswith('"$DEVICE" /data')] == []


def test_board_files_have_only_words_that_are_read() -> None:
    """R44, Bad input: one that nobody knows is one that was misspelt."""
    known = {"name", "kind", "lan", "wan", "revision", "leds", "watchdog", "watchdog_seconds", "hang_ms"}
    for overlay in OVERLAYS[1:]:
        told = tomllib.loads((overlay / "etc/qx/board.toml").read_text())
        assert told.keys() <= known, overlay
        assert told["name"] == overlay.parent.name
