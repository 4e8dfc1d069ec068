# SPDX-License-Identifier: Apache-2.0
"""The factory block, and what a start makes of it (issue 7, R1)."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from qx import factory
from qx.board import read_board
from qx.errors import NotProvisioned, Refusal
from qx.factory import Factory, decode, encode, mac_address, read_block
from qx.identity import Identity, read_identity
from qx.model import MODELS
from qx.paths import Paths
from qx.redundancy.join import DATA_LOST, join
from qx.settings.store import Store
from qx.settings.view import Settings
from qx.trust.bond import Permission

QX200 = MODELS["qx200"]
LAN, WAN = bytes.fromhex("025158000001"), bytes.fromhex("025158000101")
GOOD = Factory(Identity("QX200-000001", QX200), "1.0", LAN, WAN)
BOARD = 'name = "virt"\nkind = "unit"\nlan = "lo"\nwan = "eth1"\n'


def test_the_octets_of_a_block() -> None:
    """Its form is a contract with the factory."""
    octets = encode(GOOD)
    assert len(octets) == 512
    assert octets[:30] == b"QXFB\0\1QX200-000001" + bytes(12)
    assert octets[30:46] == b"qx200".ljust(16, b"\0")
    assert octets[46:54] == b"1.0".ljust(8, b"\0")
    assert octets[54:66] == LAN + WAN
    assert int.from_bytes(octets[-4:], "big") == zlib.crc32(octets[:-4])
    assert decode(octets) == GOOD


@limits(deadline=None)
@given(
    st.from_regex(r"[A-Za-z0-9+-]{1,24}", fullmatch=True),
    st.sampled_from(list(MODELS.values())),
    st.binary(min_size=6, max_size=6),
)
def test_what_is_written_is_read(serial: str, model: object, mac: bytes) -> None:
    block = Factory(Identity(serial, model), "2.10", mac)  # type: ignore[arg-type]
    assert decode(encode(block) + b"what the partition has behind it") == block


@pytest.mark.parametrize("octets", [b"", bytes(512), b"\xff" * 512, bytes(65536)])
def test_a_blank_block(octets: bytes) -> None:
    with pytest.raises(Refusal, match="factory block: blank; expected the serial number"):
        decode(octets)


@given(st.integers(0, 511), st.integers(1, 255))
def test_a_damaged_block(at: int, change: int) -> None:
    """Any octet that is another one."""
    octets = bytearray(encode(GOOD))
    octets[at] ^= change
    with pytest.raises(Refusal, match="factory block: damaged"):
        decode(bytes(octets))


@given(st.integers(1, 511))
def test_a_truncated_block(length: int) -> None:
    with pytest.raises(Refusal, match="factory block: damaged"):
        decode(encode(GOOD)[:length])


def test_a_block_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=f"factory block: {tmp_path}/none: No such file"):
        read_block(tmp_path / "none")


@pytest.mark.parametrize(
    "text", ["02:00:00:00:00", "02-00-00-00-00-01", "02:00:00:00:00:0g", "", "2:0:0:0:0:1"]
)
def test_no_mac(text: str) -> None:
    with pytest.raises(Refusal, match=r"lan: .* is not a MAC; expected six octets"):
        mac_address("lan", text)


@pytest.mark.parametrize("text", ["01:00:5e:00:00:12", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"])
def test_not_the_mac_of_a_port(text: str) -> None:
    with pytest.raises(Refusal, match="expected neither a group's nor zero"):
        mac_address("lan", text)


# ── a start ──


@pytest.fixture
def root(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    paths.etc_qx.mkdir(parents=True)
    paths.board_toml.write_text(BOARD)
    return paths


def start(paths: Paths, block: Factory | Refusal = GOOD, model: str = "qx200") -> list[str]:
    return factory.start(paths, read_board(paths), block, model)


def test_the_first_start_makes_a_unit_and_later_ones_leave_it(root: Paths) -> None:
    assert start(root) == []
    assert read_identity(root) == GOOD.identity
    before = {file: file.read_bytes() for file in root.root.rglob("*") if file.is_file()}
    assert start(root) == []
    assert before == {file: file.read_bytes() for file in root.root.rglob("*") if file.is_file()}
    assert root.board_toml.read_text() == BOARD, "the image's own board stays"


BLANK = Refusal("factory block: blank")


def test_a_blank_block_on_a_unit_that_was_made(root: Paths) -> None:
    """The identity that the data have counts, and it is said."""
    start(root)
    assert start(root, BLANK) == ["factory block: blank"]
    assert read_identity(root) == GOOD.identity


def test_a_blank_block_on_a_new_unit(root: Paths) -> None:
    """Under a serial number of its MAC, and under its own when the block is there; its settings stay."""
    assert start(root, BLANK) == ["factory block: blank"]
    assert read_identity(root).serial == "BLANK-000000000000"
    with Store(root.settings_db, QX200) as store:
        store.commit({"redundancy.group_id": 7}, "t", "set")
    assert start(root) == []
    assert read_identity(root) == GOOD.identity
    with Store(root.settings_db, QX200) as store:
        assert store.settings["redundancy.group_id"] == 7


def test_data_of_another_unit(root: Paths) -> None:
    """Somebody has put another unit's flash in: said, and nothing is changed."""
    start(root)
    other = replace(GOOD, identity=Identity("QX200-000002", QX200))
    assert start(root, other) == [
        "serial: the data are those of QX200-000001, the hardware is QX200-000002; "
        "expected both to be the same"
    ]
    assert read_identity(root) == GOOD.identity


def test_firmware_of_another_model(root: Paths) -> None:
    """R5: nothing is made of it."""
    assert start(root, GOOD, "qx50") == ["model: the hardware is a QX200; this firmware is for the QX50"]
    with pytest.raises(NotProvisioned):
        read_identity(root)


def test_a_damaged_identity_is_said(root: Paths) -> None:
    start(root)
    root.identity.write_text("serial = ")
    (said,) = start(root)
    assert "identity.toml: not readable as TOML" in said


def test_lost_data_keep_the_unit_in_fault() -> None:
    """R1: whatever key there is, until an administrator says what this unit is to be."""
    for permission in (Permission(True), Permission(False, "no redundancy key is installed")):
        found = join(Settings(QX200, {}), permission, None, DATA_LOST)
        assert not found.member and "the data partition of this unit is lost" in found.barred
    said = Settings(QX200, {"redundancy.enabled": False})
    assert not join(said, Permission(True), None, DATA_LOST).barred


# ── the command ──


def qx(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qx", "factory", *map(str, argv)],
        capture_output=True, text=True, check=False, env={"PYTHONPATH": ":".join(map(str, PATH))},
    )  # fmt: skip


PATH = [Path(path).resolve() for path in sys.path if path]


def test_write_and_show(tmp_path: Path) -> None:
    file = tmp_path / "factory"
    file.write_bytes(b"x" * 1000)
    done = qx("write", file, "--serial", "QX200-000001", "--model", "qx200",
              "--lan", "02:51:58:00:00:01", "--wan", "02:51:58:00:01:01")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == encode(GOOD) + b"x" * 488, "what is behind the block stays"
    told = json.loads(qx("show", file, "--json").stdout)
    assert told == {
        "serial": "QX200-000001", "model": "qx200", "revision": "1.0",
        "lan": "02:51:58:00:00:01", "wan": "02:51:58:00:01:01",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--serial", "A B"], 1, "serial: 'A B' is not a serial number"),
        (["--model", "qx9"], 1, "qx9"),
        (["--wan", "02:00:00:00:00:0"], 1, "wan: '02:00:00:00:00:0' is not a MAC"),
        (["--revision", "123456789"], 1, "revision: '123456789'; expected 1 to 8 characters"),
        (["--model", "qx2000"], 1, "wan: expected none for QX2000"),
    ],
)
def test_what_is_not_written(tmp_path: Path, more: list[str], code: int, words: str) -> None:
    """Bad input: the field is named, and there is no block."""
    given_ = {
        "--serial": "QX200-000001",
        "--model": "qx200",
        "--lan": "02:51:58:00:00:01",
        "--wan": "02:51:58:00:01:01",
    }
    given_[more[0]] = more[1]
    done = qx("write", tmp_path / "factory", *[word for pair in given_.items() for word in pair])
    assert (done.returncode, done.stdout) == (code, "") and words in done.stderr
    assert not (tmp_path / "factory").exists()
