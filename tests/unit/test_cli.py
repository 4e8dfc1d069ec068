# SPDX-License-Identifier: Apache-2.0
"""The commands as a user runs them: exact output and exit codes (R31, Bad input, contract)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_bench import Bench, new_root

import qx
from qx.settings.store import Store
from qx.settings.view import Settings

FIRMWARE = Path(qx.__file__).parent.parent


def run(*argv: str | Path, debug: str = "") -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    environment = {**os.environ, "PYTHONPATH": str(FIRMWARE), "QX_DEBUG": debug, "TZ": "UTC"}
    done = subprocess.run(
        [sys.executable, "-m", "qx", *map(str, argv)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
    )
    assert debug or "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return new_root(tmp_path / "a")


@pytest.fixture
def bench(root: Path) -> Iterator[Bench]:
    with Bench(root) as served:
        yield served


def test_provision_set_and_get_without_a_daemon(tmp_path: Path) -> None:
    """Contract: the factory step; get and set also work with no daemon; options stand anywhere."""
    root = tmp_path / "a"
    assert run(
        "provision", "--root", root, "--model", "qx200", "--serial", "QX200-000001", "--lan", "lan0"
    ) == (
        0,
        "QX200 QX200-000001 provisioned\n",
        "",
    )
    assert run(
        "set",
        "redundancy.enabled=true",
        "redundancy.group_id=18",
        "redundancy.virtual_ip=10.77.0.1/24",
        "--root",
        root,
        "redundancy.peer_virtual_ip=10.77.0.2",
        "network.lan.address=10.77.0.100/24",
    ) == (0, "durable: this\n", "")
    for path, text in (("enabled", "true"), ("advertisement_interval", "1"), ("virtual_ip", "10.77.0.1/24")):
        assert run("get", f"redundancy.{path}", f"--root={root}") == (0, f"{text}\n", "")
    assert run("get", "network.lan", "--root", root) == (
        0,
        "network.lan.address=10.77.0.100/24\nnetwork.lan.gateway=\n",
        "",
    )
    code, out, _ = run(
        "get", "--json", "--root", root, "redundancy.group_id", "network.dns", "network.lan.gateway"
    )
    assert (code, json.loads(out)) == (
        0,
        {"redundancy.group_id": 18, "network.dns": [], "network.lan.gateway": None},
    )
    code, out, _ = run("set", "network.dns=9.9.9.9", "--root", root, "--json")
    assert json.loads(out) == {"revision": 2, "changed": ["network.dns"], "durable": "this"}
    paths = list(Settings(qx_model()).paths())
    assert [line.partition("=")[0] for line in run("get", "--root", root)[1].splitlines()] == paths


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["set", "redundancy.group_id=0"], "redundancy.group_id: '0': expected a whole number from 1 to 255"),
        (["set", "redundancy.group=1"], "redundancy.group: unknown setting; near it: redundancy.group_id"),
        (["get", "redundancy.group"], "redundancy.group: unknown setting; near it: redundancy.group_id"),
        (["get", "redundancy.group_id", "nonsense"], "nonsense: unknown setting"),
        (
            ["set", "redundancy.enabled=true"],
            "redundancy.virtual_ip: not set; expected ADDRESS/PREFIX, because redundancy.enabled is true; "
            "redundancy.peer_virtual_ip: not set",
        ),
        (["status"], "no daemon runs on ROOT; expected `qx daemon` to be running there"),
        (["swap"], "no daemon runs on ROOT"),
        (["mode", "passive"], "no daemon runs on ROOT"),
        (["events"], "no daemon runs on ROOT"),
        (["provision", "--model", "qx200", "--serial", "A"], "ROOT: provisioned already"),
    ],
)
def test_a_refusal_is_exit_1_and_one_line(root: Path, argv: list[str], said: str) -> None:
    """Contract: 1 refused or failed, one line on stderr says why."""
    code, out, err = run(*argv, "--root", root)
    assert (code, out) == (1, "")
    assert err.startswith(f"qx: {said}".replace("ROOT", str(root)))
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["nonsense"], "'nonsense': unknown applet; expected one of provision, daemon, status"),
        (["status", "extra"], "status: 'extra': one argument too many"),
        (["status", "--nonsense"], "status: --nonsense: unknown option; expected --root, --json"),
        (["status", "-x"], "status: -x: unknown option"),
        (["status", "--root"], "status: --root: expected a value"),
        (["status", "--root="], "status: --root: expected a value"),
        (["status", "--json=1"], "status: --json: expected no value"),
        (["status", "--json", "--json"], "status: --json: given twice"),
        (["set"], "set: an argument is missing; usage: qx set [--force] PATH=VALUE ..."),
        (["set", "redundancy.group_id"], "set: 'redundancy.group_id': expected PATH=VALUE"),
        (["set", "=1"], "set: '=1': expected PATH=VALUE"),
        (["set", "a=1", "a=2"], "set: a: given twice"),
        (["mode", "on"], "mode: 'on': expected active or passive"),
        (["events", "--last", "x"], "events: --last: 'x'; expected a whole number"),
        (["provision", "--serial", "A"], "provision: --model is missing"),
        (["vrrp"], "vrrp: expected decode"),
        (["vrrp", "encode"], "vrrp: 'encode': expected decode"),
    ],
)
def test_wrong_usage_is_exit_2(argv: list[str], said: str) -> None:
    """Contract: 2 wrong usage."""
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert err.startswith(f"qx: {said}")
    assert err.count("\n") == 1


def test_help_and_version() -> None:
    """Contract: applets by name."""
    assert run()[0] == 2
    code, out, err = run("help")
    assert (code, err) == (0, "")
    assert "  status         show the state" in out
    assert run("set", "--help")[1].startswith("usage: qx set [--force] PATH=VALUE ...")
    assert run("version") == (0, f"{qx.__version__}\n", "")
    assert json.loads(run("version", "--json")[1]) == {"firmware": qx.__version__}


@pytest.mark.parametrize(
    "applet", [["get"], ["set", "redundancy.group_id=2"], ["status"], ["events", "--follow"]]
)
def test_a_root_without_provision_names_what_is_missing(tmp_path: Path, applet: list[str]) -> None:
    """Bad input: `qx provision` as the way, and nothing is made."""
    code, _, err = run(*applet, "--root", tmp_path)
    assert code == 1
    assert err.startswith(f"qx: {tmp_path}/data/qx/identity.toml: not found")
    assert "qx provision" in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Bad input: a file where a folder should be."""
    (tmp_path / "file").touch()
    code, _, err = run("provision", "--root", tmp_path / "file", "--model", "qx50", "--serial", "A")
    assert (code, err) == (1, f"qx: {tmp_path / 'file'}: File exists\n")


def test_a_damaged_store_is_named(root: Path) -> None:
    """Bad input: the file, on one line; a developer may ask for the traceback."""
    (root / "data/qx/settings.db").write_bytes(b"nonsense" * 1000)
    code, _, err = run("get", "--root", root)
    assert (code, err.count("\n")) == (1, 1)
    assert "settings.db: damaged settings database" in err
    assert "Traceback" in run("get", "--root", root, debug="1")[2]


def test_a_store_that_another_holds_is_waited_for_then_named(root: Path) -> None:
    """A daemon that is starting holds the store before it has its socket."""
    with Store(root / "data/qx/settings.db", qx_model()):
        began = time.monotonic()
        code, _, err = run("get", "--root", root)
        assert time.monotonic() - began > 4
    assert code == 1
    assert "settings.db: in use by another process" in err


def qx_model():
    from qx.model import MODELS

    return MODELS["qx200"]


def test_commands_through_the_daemon(bench: Bench, root: Path) -> None:
    """R31: the same commands with a daemon; what is set is in use."""
    code, out, err = run("status", "--root", root)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "Info: Current mode: Device is in Master mode"
    assert json.loads(run("status", "--root", root, "--json")[1])["service_addresses"] == ["10.77.0.100/24"]
    assert run("set", "redundancy.group_id=18", "--root", root) == (0, "durable: this\n", "")
    assert bench.unit.applied == [{"redundancy.group_id"}]
    assert run("get", "redundancy.group_id", "--root", root) == (0, "18\n", "")
    assert run("mode", "passive", "--root", root) == (0, "passive\n", "")
    assert run("mode", "--root", root) == (0, "no mode: not a Backup\n", "")
    assert json.loads(run("mode", "--root", root, "--json")[1]) == {"mode": None}
    assert run("swap", "--root", root) == (1, "", "qx: swap: no Backup answers; expected one that is up\n")


def test_events_through_the_daemon(bench: Bench, root: Path) -> None:
    """R33: time, severity, state, unit, name, description; with --follow --json one object a line."""
    event = bench.unit.events.add("success", "Backup device is UP (Active mode)", "QX200-000002")
    bench.unit.events.add("critical", "This device is in fault")
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(event.time))
    code, out, _ = run("events", "--root", root)
    assert code == 0
    assert out.splitlines()[0] == (
        f"{when}  success   new   QX200-000001  Backup device is UP (Active mode): QX200-000002"
    )
    assert [e["id"] for e in json.loads(run("events", "--root", root, "--json")[1])] == [1, 2]
    assert [e["id"] for e in json.loads(run("events", "--root", root, "--json", "--after", "1")[1])] == [2]
    follower = subprocess.Popen(
        [sys.executable, "-m", "qx", "events", "--follow", "--json", "--last", "1", "--root", root],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(FIRMWARE)},
    )
    assert follower.stdout
    assert json.loads(follower.stdout.readline())["id"] == 2
    bench.unit.events.add("info", "takeover")
    assert json.loads(follower.stdout.readline())["name"] == "takeover"
    follower.stdout.close()
    bench.unit.events.add("info", "another")  # nobody reads: the command ends by itself and says nothing
    assert follower.wait(10) == 1


def test_status_starts_fast(bench: Bench, root: Path) -> None:
    """DESIGN: status-like applets import neither asyncio nor construct (nor what is as heavy)."""
    heavy = (
        "asyncio",
        "construct",
        "socket",
        "sqlite3",
        "dataclasses",
        "pathlib",
        "json",
        "typing",
        "enum",
        "contextlib",
    )
    code = (
        f"import sys; sys.path += {sys.path!r}; from qx.__main__ import main; main(sys.argv[1:])\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    argv = [sys.executable, "-S", "-c", code, "status", "--root", root]
    done = subprocess.run(argv, check=True, text=True, capture_output=True)
    assert done.stdout.startswith("Info: Current mode: ")
    assert done.stdout.splitlines()[-1] == "[]"
