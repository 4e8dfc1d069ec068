# SPDX-License-Identifier: Apache-2.0
"""Bad input to the daemon and to a running unit: one line that says what was expected, nothing changed."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from board.lab import namespace
from board.lab.demo import Demo
from board.lab.pair import Lab

from holders import Holders
from labtools import becomes, guardian_pid, make_lab, other, qx
from pairs import DEFAULT


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Unit a configured, with links and no firmware running."""
    with make_lab("bs", tmp_path_factory.mktemp("dark")) as lab:
        lab.up(DEFAULT, power=False, fresh=True)
        lab.power_on("a", bare=True)
        yield lab


def tree(root: Path) -> dict[str, bytes]:
    """Every file below the root but what only lasts until a reboot."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def network(lab: Lab, unit: str) -> str:
    """Addresses, links, routes and sysctls of the unit's namespace."""
    return lab.exec(unit, ["sh", "-c", "ip -br address; ip -br link; ip route; sysctl net.ipv4.conf"]).stdout


def daemon(lab: Lab, root: Path, *before: str) -> str:
    """Start a daemon that refuses; its one line."""
    argv = lab.exec_argv("a", [*before, str(lab.units["a"].executable), "daemon", "--root", str(root)])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 1, (done.returncode, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and not done.stdout, done.stderr
    return lines[0]


def test_a_root_without_provision(dark: Lab, tmp_path: Path) -> None:
    """Bad input: the line names the root, what was expected and how to make it."""
    before = network(dark, "a")
    line = daemon(dark, tmp_path)
    assert str(tmp_path) in line and "board.toml" in line and "qx provision" in line
    assert not list(tmp_path.iterdir()) and network(dark, "a") == before


def test_a_root_that_is_not_there(dark: Lab, tmp_path: Path) -> None:
    """Bad input: nothing is made in its place."""
    line = daemon(dark, tmp_path / "none")
    assert str(tmp_path / "none") in line
    assert not (tmp_path / "none").exists()


def test_no_privilege(dark: Lab) -> None:
    """Bad input: run as nobody, it names the capabilities."""
    root = dark.units["a"].root
    for folder in (root, *root.parents):
        if folder == Path("/tmp"):
            break
        folder.chmod(folder.stat().st_mode | 0o055)
    before, files = network(dark, "a"), tree(root)
    line = daemon(dark, root, "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    assert "CAP_NET_ADMIN" in line and "CAP_NET_RAW" in line
    assert tree(root) == files and network(dark, "a") == before


@pytest.mark.parametrize("port", ["lan", "wan"])
def test_an_interface_that_does_not_exist(dark: Lab, tmp_path: Path, port: str) -> None:
    """Bad input: port, interface and file by name; the other port is not touched."""
    root = tmp_path / "unit"
    shutil.copytree(dark.units["a"].root, root)
    board = root / "etc" / "qx" / "board.toml"
    text = board.read_text()
    assert f'{port} = "{port}"' in text
    board.write_text(text.replace(f'{port} = "{port}"', f'{port} = "eth9"'))
    before, files = network(dark, "a"), tree(root / "data")
    line = daemon(dark, root)
    assert str(board) in line and f"{port}: there is no interface eth9" in line and "expected one of" in line
    assert network(dark, "a") == before and tree(root / "data") == files


# ── a unit that runs ──


@pytest.fixture(scope="module")
def lit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A Master, alone."""
    with make_lab("bt", tmp_path_factory.mktemp("lit")) as lab:
        lab.up(Demo(plan="other"), power=False, fresh=True)
        lab.power_on("a")
        becomes(lab, "a", "master", 8.0)
        yield lab


def test_a_second_daemon_on_the_same_root(lit: Lab) -> None:
    """Bad input: it names the root and the process that has it; the first one goes on."""
    root = lit.units["a"].root
    with Holders(lit) as holders:
        since = time.monotonic()
        line = daemon(lit, root)
        assert str(root) in line and str(guardian_pid(lit, "a")) in line
        time.sleep(0.5)
        assert holders.held_throughout("a", since)
    os.kill(guardian_pid(lit, "a"), 0)


BAD_SETTINGS = {
    "redundancy.group_id=0": ("redundancy.group_id", "1"),
    "redundancy.group_id=256": ("redundancy.group_id", "255"),
    "redundancy.group_id=x": ("redundancy.group_id", "255"),
    "redundancy.advertisement_interval=0": ("redundancy.advertisement_interval", "1"),
    "redundancy.advertisement_interval=0.5": ("redundancy.advertisement_interval", "1"),
    "redundancy.advertisement_interval=300": ("redundancy.advertisement_interval", "255"),
    "redundancy.vrrp_version=4": ("redundancy.vrrp_version", "3"),
    "redundancy.virtual_ip=10.77.0.300/24": ("redundancy.virtual_ip", "ADDRESS/PREFIX"),
    "redundancy.virtual_ip=10.77.0.2/24": ("redundancy.", "10.77.0.2"),
    "redundancy.peer_virtual_ip=10.78.0.2": ("redundancy.peer_virtual_ip", "subnet"),
    "redundancy.backup_mode=sleepy": ("redundancy.backup_mode", "passive"),
    "redundancy.nonsense=1": ("redundancy.nonsense", ""),
    "network.lan.address=10.77.0.1/24": ("10.77.0.1", ""),
    "network.lan.address=224.0.0.18/24": ("network.lan.address", ""),
    "network.wan.gateway=198.51.100.1": ("network.wan.gateway", "subnet"),
}


@pytest.mark.parametrize("setting", BAD_SETTINGS)
def test_a_setting_that_cannot_be(lit: Lab, setting: str) -> None:
    """Bad input: one line names field and expectation, and the Master is as it was."""
    before, told = network(lit, "a"), qx(lit, "a")["sync"]["revision"]
    done = lit.qx("a", "set", setting, "redundancy.backup_gui_port=7001")
    assert done.returncode in (1, 2), done.stdout
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    for word in BAD_SETTINGS[setting]:
        assert word in lines[0], lines[0]
    assert qx(lit, "a")["sync"]["revision"] == told and network(lit, "a") == before
    assert lit.qx("a", "get", "redundancy.backup_gui_port").stdout.strip() == "7777", "all of it or nothing"
    assert namespace.processes(lit.network.name("a")) and not lit.network.powered(other("a"))
