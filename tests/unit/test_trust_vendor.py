# SPDX-License-Identifier: Apache-2.0
"""The vendor's commands as a user runs them, and that no private key ships (R37, contract of issue-keys)."""

from __future__ import annotations

import base64
import os
import re
import stat
import subprocess
import sys
import zipfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from board.vendor import issuing
from trust_bench import DEVELOPMENT, LAB_SIGNERS, TODAY, A, B, new_paths, opened

from qx.trust.key import read_text
from qx.trust.signers import DEVELOPMENT_PUBLIC

PROJECT = Path(issuing.__file__).resolve().parents[2]
EXECUTABLE = PROJECT / "out/host/qx"


def run(name: str, *argv: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, PROJECT / "board/vendor" / name, *map(str, argv)],
        check=False, capture_output=True, text=True, timeout=30, cwd="/",
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_issue_keys_prints_one_key_a_line_for_a_and_b() -> None:
    """Contract: the first for A, the second for B, signed with the development key, redundancy by default."""
    assert os.access(PROJECT / "board/vendor/issue-keys", os.X_OK)
    code, out, err = run("issue-keys", A, B)
    assert (code, err) == (0, "")
    a, b = (read_text(line, LAB_SIGNERS).licence for line in out.splitlines())
    assert (a.serial, a.peer, b.serial, b.peer) == (A, B, B, A)
    assert a.features == b.features == {"redundancy"}
    assert (a.signer, a.expires, a.issued) == ("development", None, date.today())
    assert len(out.split()) == 2
    later = date.today() + timedelta(days=30)
    code, out, _ = run("issue-keys", A, B, "--features", "redundancy, fax", "--expires", later)
    first = read_text(out.split()[0], LAB_SIGNERS).licence
    assert (first.features, first.expires) == ({"redundancy", "fax"}, later)


@pytest.mark.parametrize(
    ("argv", "code", "line"),
    [
        ((A, A), 1, "SERIAL-B: 'QX200-000001' is SERIAL-A; expected the other unit's serial number"),
        (("a b", B), 1, "SERIAL-A: 'a b' is not a serial number"),
        ((A, B, "--features", ""), 1, "features: expected names of 1 to 32"),
        ((A, B, "--features", "X"), 1, "features: expected names of 1 to 32"),
        ((A, B, "--expires", "2020-01-01"), 1, "expires: 2020-01-01 has passed"),
        ((A, B, "--expires", "soon"), 2, "expected a day like 2026-01-31"),
        ((A, B, "--signer", "/nowhere/key"), 1, "/nowhere/key: No such file"),
        ((A, B, "--signer", __file__), 1, "not readable as TOML"),
        ((A,), 2, "SERIAL-B"),
    ],
)
def test_issue_keys_refuses_in_words(argv: tuple[str, ...], code: int, line: str) -> None:
    """Bad input."""
    done = run("issue-keys", *argv)
    assert (done[0], done[1]) == (code, "")
    assert line in done[2]


def test_a_production_key_is_made_outside_the_tree_and_issues_keys(tmp_path: Path) -> None:
    """Item 3: a key that never ships; what units need of it goes into the image."""
    file = tmp_path / "vendor.key"
    code, out, err = run("make-signer", "vendor-2027", file)
    assert (code, err) == (0, "")
    assert re.fullmatch(r'\[vendor-2027\]\npublic = "[0-9a-f]{64}"\n', out)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    keys = run("issue-keys", A, B, "--signer", file)[1].split()
    paths = new_paths(tmp_path / "unit")
    paths.signers.write_text(out)
    with opened(paths) as ring:
        assert ring.install(keys[0], TODAY).licence.signer == "vendor-2027"
    private = issuing.read_signer(file).private
    assert bytes(private).hex() not in out
    assert bytes(private).hex() not in repr(issuing.read_signer(file))
    assert "File exists" in run("make-signer", "vendor-2027", file)[2]
    assert "lies in the source tree" in run("make-signer", "x", PROJECT / "out/x.key")[2]
    assert "NAME: 'development'" in run("make-signer", "development", tmp_path / "y")[2]
    assert not (PROJECT / "out/x.key").exists()


def test_the_development_key_is_the_one_that_the_firmware_knows() -> None:
    assert DEVELOPMENT.public == DEVELOPMENT_PUBLIC
    assert "THIS IS NOT A SECRET" in issuing.DEVELOPMENT_FILE.read_text()


@pytest.mark.skipif(not EXECUTABLE.exists(), reason="make build makes out/host/qx")
def test_no_private_key_is_in_the_executable() -> None:
    """Item 3: the development key's private part, in any spelling, and what makes keys stay off units."""
    private = bytes(DEVELOPMENT.private)
    spellings = [private, private.hex().encode(), private.hex().upper().encode(), base64.b64encode(private)]
    spellings += [base64.b32encode(private).rstrip(b"="), b"-----BEGIN PRIVATE KEY"]
    with zipfile.ZipFile(EXECUTABLE) as archive:
        names = archive.namelist()
        parts = {name: archive.read(name) for name in names}
    parts["the file itself"] = EXECUTABLE.read_bytes()
    assert any(DEVELOPMENT_PUBLIC.hex().encode() in part for part in parts.values())  # so we look rightly
    for name, part in parts.items():
        assert not [s for s in spellings if s in part], name
    assert not [name for name in names if "vendor" in name or "issuing" in name or name.endswith(".key")]
