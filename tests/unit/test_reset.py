# SPDX-License-Identifier: Apache-2.0
"""The factory reset: what was wished is done at the next start, whole, whenever power goes (R41, R1)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from control_bench import new_root

from qx import reset
from qx.errors import Refusal
from qx.identity import read_identity
from qx.model import MODELS
from qx.paths import Paths
from qx.settings.store import Store


def used(folder: Path) -> Paths:
    """A unit with settings, a voice file, an event and a key."""
    paths = Paths(new_root(folder))
    with Store(paths.settings_db, MODELS["qx200"]) as store:
        store.commit({"redundancy.group_id": 77}, "test", "set")
    for file in (paths.voice / "greeting.wav", paths.trust / "keys", paths.events_log):
        file.parent.mkdir(exist_ok=True)
        file.write_text("secret of the old owner")
    return paths


def is_fresh(paths: Paths) -> bool:
    with Store(paths.settings_db, MODELS["qx200"]) as store:
        group = store.settings.number("redundancy.group_id")
    assert read_identity(paths).serial == "QX200-000001"
    left = [
        file for file in paths.data_qx.parent.rglob("*") if file.is_file() and b"secret" in file.read_bytes()
    ]
    return group == 1 and not left and not paths.reset.exists()


def test_nothing_happens_unless_it_was_wished(tmp_path: Path) -> None:
    paths = used(tmp_path)
    assert not reset.carry_out(paths)
    reset.wish(paths)
    reset.unwish(paths)
    assert not reset.carry_out(paths)
    assert (paths.voice / "greeting.wav").exists()


def test_all_goes_but_identity_and_board(tmp_path: Path) -> None:
    """R41: settings, keys, voice data, events; and once only."""
    paths = used(tmp_path)
    board = paths.board_toml.read_bytes()
    reset.wish(paths)
    assert reset.carry_out(paths)
    assert is_fresh(paths)
    assert paths.board_toml.read_bytes() == board
    assert [file.name for file in paths.data_qx.parent.iterdir()] == ["qx"]
    assert not reset.carry_out(paths)


class Cut(Exception):
    pass


@pytest.mark.parametrize("step", range(9))
def test_power_goes_at_any_step_and_the_next_start_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """R16 in spirit: a cut before each change of the folders; the old data never comes back."""
    paths = used(tmp_path)
    reset.wish(paths)
    left = step

    def cut(real: object) -> object:
        def replaced(*args: object, **kwargs: object) -> object:
            nonlocal left
            if left == 0:
                raise Cut
            left -= 1
            return real(*args, **kwargs)  # type: ignore[operator]

        return replaced

    with monkeypatch.context() as patched:
        for owner, name in ((Path, "rename"), (Path, "replace"), (Path, "unlink"), (shutil, "rmtree")):
            patched.setattr(owner, name, cut(getattr(owner, name)))
        try:
            reset.carry_out(paths)
            assert step >= 6  # as many steps there are at least; beyond them it is done
        except Cut:
            assert paths.reset.exists()
    reset.carry_out(paths)
    assert is_fresh(paths)


def test_a_unit_whose_identity_is_lost_is_left_alone(tmp_path: Path) -> None:
    """R1: it would be nobody afterwards."""
    paths = used(tmp_path)
    paths.identity.unlink()
    reset.wish(paths)
    with pytest.raises(Refusal, match=r"identity\.toml: not found"):
        reset.carry_out(paths)
    assert (paths.voice / "greeting.wav").exists()
