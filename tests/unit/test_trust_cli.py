# SPDX-License-Identifier: Apache-2.0
"""qx licence as a user runs it, with a daemon and without (R1, R17, R37, Bad input, contract)."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_bench import Bench, BenchUnit, new_root
from trust_bench import DEVELOPMENT, A, B, issued, traces

import qx
from qx.board import read_board
from qx.control.server import Server
from qx.identity import read_identity
from qx.paths import Paths
from qx.trust.keyring import Keyring
from qx.trust.pairing import Pin, fingerprint

FIRMWARE = Path(qx.__file__).parent.parent


def run(*argv: str | Path, given: str = "") -> tuple[int, str, str]:
    """Exit code, stdout, stderr of `qx licence …`."""
    done = subprocess.run(
        [sys.executable, "-m", "qx", "licence", *map(str, argv)],
        check=False, capture_output=True, text=True, input=given, timeout=30,
        env={**os.environ, "PYTHONPATH": str(FIRMWARE)},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


class KeyUnit(BenchUnit):
    """As the controller serves it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.keyring = Keyring(self.paths, read_identity(self.paths), read_board(self.paths), write=1)

    def licence(self) -> dict[str, Any]:
        return self.keyring.plain()

    async def install_licence(self, text: str, _how: str = "") -> dict[str, Any]:
        done = await asyncio.get_running_loop().run_in_executor(self.worker, self.keyring.install, text)
        return {**done.plain(), "reboot": done.changed}

    def close(self) -> None:
        super().close()
        self.keyring.close()


class KeyBench(Bench):
    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.unit.close()
        self.unit = KeyUnit(root)
        self.server = Server(self.unit, self.unit.paths)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return new_root(tmp_path / "a")


@pytest.fixture(params=["daemon", "no daemon"])
def served(root: Path, request: pytest.FixtureRequest) -> Iterator[bool]:
    if request.param == "daemon":
        with KeyBench(root):
            yield True
    else:
        yield False


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    return issued("redundancy,fax", signer=DEVELOPMENT)


def test_install_and_list(root: Path, served: bool, keys: tuple[str, str]) -> None:
    """Contract: `licence install -`, with a daemon and without; R37; R17: the secret is never shown."""
    why = "no redundancy key is installed; install one with `qx licence install -`"
    assert run("--root", root) == (0, f"Redundancy: not available: {why}\n", "")
    code, out, err = run("install", "-", "--root", root, given=keys[0] + "\n")
    assert (code, err) == (0, "")
    assert out.startswith(f"Installed: fax, redundancy: {A} with {B}, set ")
    assert ("The device reboots now" in out) == served
    listed = run("--root", root)
    assert listed[1].startswith(f"Redundancy: {A} is paired with {B}\nfax, redundancy: {A} with {B}, set ")
    code, as_json, _ = run("--json", "--root", root)
    found = json.loads(as_json)
    assert (found["redundancy"], found["peer"], found["features"]) == (True, B, ["fax", "redundancy"])
    again = json.loads(run("install", "-", "--json", f"--root={root}", given=keys[0])[1])
    assert again["changed"] is False
    for trace in traces(keys[0]):
        assert trace not in out + err + as_json + "".join(listed[1:]) + repr(again)
    assert (
        Keyring(Paths(root), read_identity(Paths(root)), read_board(Paths(root))).redundancy_allowed() is None
    )


def test_a_key_as_argument_and_in_a_file(root: Path, tmp_path: Path, keys: tuple[str, str]) -> None:
    """Contract: KEY|@FILE|-; a key wrapped by mail, quoted or not."""
    file = tmp_path / "key.txt"
    file.write_text("\r\n".join(keys[0][at : at + 70] for at in range(0, len(keys[0]), 70)))
    assert run("install", f"@{file}", "--root", root)[0] == 0
    assert run("install", keys[0], "--root", root)[1].startswith("Installed already: ")
    assert run("install", *keys[0].split("-"), "--root", root)[1].startswith("Installed already: ")


@pytest.mark.parametrize("served", [False], indirect=True, ids=["no daemon"])  # with one: tests/lab
@pytest.mark.parametrize("asked", [False, True], ids=["of the other unit", "our own"])
def test_confirm_a_changed_certificate(root: Path, served: bool, keys: tuple[str, str], asked: bool) -> None:
    """R17: nothing waiting is refused; the second hand settles it."""
    refused = (1, "", "qx: licence confirm: no changed certificate waits for it on this unit\n")
    assert run("confirm", "--root", root) == refused
    assert run("install", "-", "--root", root, given=keys[0])[0] == 0
    paths = Paths(root)
    with Keyring(paths, read_identity(paths), read_board(paths), write=1) as ring:
        ring.met(B, b"one", False, asked)
        if not asked:
            ring.met(B, b"two", False, False)
    code, out, err = run("confirm", "--root", root)
    assert (code, err) == (0, "")
    assert out == (
        "Confirmed on this unit. The other unit must confirm as well: `qx licence confirm` there.\n"
    )
    with Keyring(paths, read_identity(paths), read_board(paths), write=1) as ring:
        if asked:
            assert ring.pin == Pin(b"one", here=True, asked=True)
            return
        ring.keep_pin(Pin(b"one", b"two", there=True))
    code, out, err = run("confirm", "--root", root)
    assert (code, out) == (
        0, f"Confirmed on both units. The other unit's certificate is {fingerprint(b'two').hex()}.\n",
    )  # fmt: skip
    assert run("confirm", "--root", root) == refused
    assert run("confirm", "now", "--root", root)[0] == 2


def test_refusals_are_one_line_without_the_key(root: Path, served: bool, keys: tuple[str, str]) -> None:
    """Bad input, R17, must show: refused by name, and nothing of the key in the answer."""
    text = keys[0]
    for given, line in (
        (keys[1], f"for serial number {B}; expected one for this unit, {A}"),
        (text[:199], f"truncated: 177 of {len(text.replace('-', ''))} characters; expected the whole"),
        (text[:90] + "AAAAAAAA" + text[98:], "mistyped"),
        (text + "\n" + keys[1], "characters too many; expected one key"),
        ("", "not a feature key; expected a line that begins with QXLICKEY"),
        ("\ufffd\0" * 100, "mistyped: character 1 is none that a key has"),
        ("A" * 70_000, "standard input: more than 65536 octets; expected a feature key"),
    ):
        code, out, err = run("install", "-", "--root", root, given=given)
        assert (code, out, err.count("\n")) == (1, "", 1), err
        assert err.startswith(("qx: feature key: ", "qx: standard input: "))
        assert line in err
        assert not [trace for trace in traces(text) if trace in err]
    assert json.loads(run("--json", "--root", root)[1])["keys"] == []


def test_wrong_usage_does_not_repeat_the_key(root: Path, keys: tuple[str, str]) -> None:
    """R17: who forgot the word `install` has his key nowhere but in his own shell."""
    for argv in ((keys[0],), ("install",), (keys[0], "install")):
        code, out, err = run(*argv, "--root", root)
        assert (code, out) == (2, "")
        assert "expected" in err
        assert keys[0][:20] not in err
    code, _, err = run("install", "@/nowhere", "--root", root)
    assert (code, err) == (1, "qx: /nowhere: No such file or directory; expected a feature key\n")


def test_a_root_that_is_no_unit(tmp_path: Path) -> None:
    for argv in ((), ("install", "-")):
        code, _, err = run(*argv, "--root", tmp_path)
        assert code == 1
        assert "not provisioned" in err


def test_a_daemon_that_is_starting_is_waited_for(root: Path, keys: tuple[str, str]) -> None:
    """A daemon between its start and its socket has the keyring; the command writes when it has gone."""
    paths = Paths(root)
    ring = Keyring(paths, read_identity(paths), read_board(paths), write=1)
    process = subprocess.Popen(
        [sys.executable, "-m", "qx", "licence", "install", "-", "--root", root],
        env={**os.environ, "PYTHONPATH": str(FIRMWARE)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(keys[0].encode())
    process.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.6)
    ring.close()
    assert process.wait(10) == 0


def test_the_daemon_checks_what_comes_over_its_socket(root: Path) -> None:
    """Bad input: arguments of the operation come from a socket."""
    from qx.control import client
    from qx.errors import Refusal

    with KeyBench(root):
        for wrong in (None, 5, b"octets", ["text"]):
            with pytest.raises(Refusal, match="key: expected a text"):
                client.call(Paths(root), "licence_install", {"key": wrong})


def test_status_imports_nothing_of_trust() -> None:
    """DESIGN: `status`-like applets import neither construct nor PyNaCl."""
    program = (
        "import sys\nfrom qx.__main__ import main\nmain(['status', '--root', '/nowhere'])\n"
        "print([m for m in sys.modules if m.startswith(('qx.trust', 'nacl', 'construct', 'ssl'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(FIRMWARE)},
    )  # fmt: skip
    assert done.stdout == "[]\n"
