# SPDX-License-Identifier: Apache-2.0
"""The factory step: it makes a unit or leaves none (Models, R1, Bad input)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from qx import provision as module
from qx.board import Board, read_board
from qx.errors import NotProvisioned, Refusal
from qx.identity import read_identity
from qx.model import MODELS
from qx.paths import Paths
from qx.provision import choose_board, provision
from qx.settings.store import Store

GOOD: dict[str, Any] = {"model": "qx200", "serial": "QX200-000001", "lan": "lan0", "wan": "wan0"}


def test_it_writes_identity_board_and_default_settings(tmp_path: Path) -> None:
    """Contract of `qx provision`; Models: the default LAN address."""
    root = tmp_path / "new" / "root"
    provision(root, **GOOD)
    paths = Paths(root)
    identity = read_identity(paths)
    assert (identity.serial, identity.model) == ("QX200-000001", MODELS["qx200"])
    assert read_board(paths) == Board("lab", "lab", "lan0", "wan0")
    assert paths.master_d.is_dir()
    assert paths.run_qx.is_dir()
    with Store(paths.settings_db, identity.model) as store:
        assert store.settings.text("network.lan.address") == "172.30.0.1/24"
        assert store.revision == 0
    assert not (root / "data/qx.new").exists()


@pytest.mark.parametrize("model", list(MODELS))
def test_every_model_by_its_contract_name(tmp_path: Path, model: str) -> None:
    """Models."""
    assert provision(tmp_path, model=model, serial="A").model.name == model


def test_a_provisioned_root_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Contract: `provision` refuses a root that is provisioned."""
    provision(tmp_path, **GOOD)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(Refusal, match="provisioned already"):
        provision(tmp_path, **{**GOOD, "serial": "OTHER"})
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}


def test_data_without_an_identity_is_not_overwritten(tmp_path: Path) -> None:
    """R1: data lost in part never starts afresh by accident."""
    provision(tmp_path, **GOOD)
    Paths(tmp_path).identity.unlink()
    with pytest.raises(Refusal, match="data of a unit without its identity"):
        provision(tmp_path, **GOOD)
    assert Paths(tmp_path).settings_db.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "qx100"),
        ("model", ""),
        ("serial", ""),
        ("serial", "A" * 25),
        ("serial", "QX 1"),
        ("serial", "QX/1"),
        ("serial", "QX1\n"),
        ("serial", "Ä1"),
        ("board", "virt"),
        ("lan", "a" * 16),
        ("lan", "eth/0"),
        ("lan", "."),
        ("lan", "eth 0"),
        ("lan", "eth:0"),
        ("lan", "ä" * 8),
        ("wan", ".."),
        ("wan", "lan0"),
        ("wan", "a\x00b"),
    ],
)
def test_bad_options_are_named(tmp_path: Path, field: str, value: str) -> None:
    """Bad input: the field and what was expected; nothing is made."""
    with pytest.raises(Refusal) as caught:
        provision(tmp_path / "root", **{**GOOD, field: value})
    assert str(caught.value).startswith(f"{field}: ")
    assert "expected" in str(caught.value)
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("serial", ["A", "A" * 24, "QXISDN4+-000001"])
def test_serials_at_their_limits(tmp_path: Path, serial: str) -> None:
    """Contract: 1 to 24 characters."""
    assert provision(tmp_path, model="qx50", serial=serial).serial == serial


def test_the_qx2000_has_no_wan(tmp_path: Path) -> None:
    """Models: refused by name."""
    with pytest.raises(Refusal, match=r"wan: 'wan0'; expected none, because the QX2000 has no WAN port"):
        provision(tmp_path, model="qx2000", serial="A", wan="wan0")


def test_the_board_depends_on_the_root() -> None:
    """Contract: `lab` for any root but `/`."""
    qx50, qx2000 = MODELS["qx50"], MODELS["qx2000"]
    assert choose_board(qx50, False, "", "", "") == Board("lab", "lab", "eth0", "")
    assert choose_board(qx50, True, "", "", "") == Board("qx50", "unit", "eth0", "eth1")
    assert choose_board(qx2000, True, "virt", "", "") == Board("virt", "unit", "eth0", "")
    with pytest.raises(Refusal, match="board: 'lab' is for any root but /"):
        choose_board(qx50, True, "lab", "", "")


class Cut(BaseException):
    """The power went."""


@pytest.mark.parametrize("at", range(1, 8))
def test_an_interrupted_provision_is_no_unit_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Atomic: cut before each flush; the root is not provisioned, and the next provision does it."""
    flush, count = os.fsync, 0

    def cut(handle: int) -> None:
        nonlocal count
        count += 1
        if count == at:
            raise Cut
        flush(handle)

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "fsync", cut)
        try:
            provision(tmp_path, **GOOD)
            assert count < at  # there are fewer flushes than that
        except Cut:
            pass
    if count < at or Paths(tmp_path).identity.exists():
        return  # the rename was done: the cut fell on the flush behind it
    with pytest.raises(NotProvisioned):
        read_identity(Paths(tmp_path))
    provision(tmp_path, **GOOD)
    assert read_identity(Paths(tmp_path)).serial == GOOD["serial"]


@pytest.mark.parametrize(
    "text", ["", "serial = 3", "serial = 'A'", "serial='A'\nmodel='b'", "\x00", "serial='A B'\nmodel='qx50'"]
)
def test_a_damaged_identity_is_named(tmp_path: Path, text: str) -> None:
    """R1, Bad input: damaged is not the same as new."""
    paths = Paths(tmp_path)
    paths.data_qx.mkdir(parents=True)
    paths.identity.write_text(text)
    with pytest.raises(Refusal) as caught:
        read_identity(paths)
    assert not isinstance(caught.value, NotProvisioned)
    with pytest.raises(Refusal):
        provision(tmp_path, **GOOD)
