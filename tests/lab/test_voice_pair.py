# SPDX-License-Identifier: Apache-2.0
"""Voice data on the pair: files cross within a second, deletions and moves too, a split unites (R10, R14)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from board.lab.network import UNITS
from board.lab.pair import Lab

from labtools import becomes, other, qx, wait_for
from pairs import QUICK, get, in_step, pair, put, ready

SECOND = 1.0


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("vp", tmp_path_factory.mktemp("voice"), QUICK) as lab:
        yield lab


def tree(lab: Lab, unit: str) -> Path:
    return lab.units[unit].root / "data" / "qx" / "voice"


def content(lab: Lab, unit: str) -> dict[str, bytes]:
    """Every file of the PBX in the tree (names that begin with a dot are the synchronisation's own)."""
    root = tree(lab, unit)
    found: dict[str, bytes] = {}
    for file in root.rglob("*"):
        name = file.relative_to(root)
        if not any(part.startswith(".") for part in name.parts) and file.is_file():
            try:
                found[str(name)] = file.read_bytes()
            except FileNotFoundError:
                continue  # taken away meanwhile
    return found


def test_files_cross_within_a_second(voices: Lab) -> None:
    """R14: new, changed (the size stays the same), moved and deleted."""
    master = ready(voices)
    backup = other(master)
    in_step(voices)
    root = tree(voices, master)
    mail = root / "voicemail" / "101"
    mail.mkdir(parents=True)
    for number in range(20):
        (mail / f"m{number}.wav").write_bytes(os.urandom(20_000))
    slowest = 0.0

    def crossed(what: str) -> None:
        nonlocal slowest
        since = time.monotonic()
        wait_for(lambda: content(voices, backup) == content(voices, master), SECOND, what, 0.01)
        slowest = max(slowest, time.monotonic() - since)

    crossed("the new files are on the Backup")
    (mail / "m1.wav").write_bytes(os.urandom(20_000))
    crossed("the changed file is on the Backup")
    sent = qx(voices, master)["peer"]["session"]["counters"]["octets_sent"]
    (root / "archive").mkdir()
    for number in range(5, 15):
        (mail / f"m{number}.wav").rename(root / "archive" / f"m{number}.wav")
    crossed("the moved files are on the Backup")
    more = qx(voices, master)["peer"]["session"]["counters"]["octets_sent"] - sent
    assert more < 20_000, f"{more} octets for files that were moved"
    (mail / "m2.wav").unlink()
    crossed("the deleted file is gone on the Backup")
    assert len(content(voices, backup)) == 19
    print(f"slowest {slowest * 1000:.0f} ms")


def test_a_split_unites_the_files(voices: Lab) -> None:
    """R10: after it both units have the files of both; the loser's settings are a conflict snapshot."""
    master = ready(voices)
    backup = other(master)
    in_step(voices)
    (tree(voices, master) / "greeting.wav").write_bytes(b"greeting" * 500)
    wait_for(lambda: "greeting.wav" in content(voices, backup), SECOND, "it has crossed")
    voices.split()
    becomes(voices, backup, "master", 10.0)
    for unit in UNITS:
        (tree(voices, unit) / f"only-{unit}.wav").write_bytes(os.urandom(5000))
        put(voices, unit, f"extensions.40{UNITS.index(unit)}.name=On-{unit}")
    own = {unit: content(voices, unit) for unit in UNITS}
    voices.heal()
    assert ready(voices) == master
    in_step(voices, 20.0)
    union = {**own["a"], **own["b"]}
    for unit in UNITS:
        wait_for(lambda: content(voices, unit) == union, 5.0, f"unit {unit} has the files of both")  # noqa: B023
    lost = UNITS.index(backup)
    for unit in UNITS:
        assert get(voices, unit, f"extensions.40{lost}.name") == ""
        assert get(voices, unit, f"extensions.40{1 - lost}.name") == f"On-{master}"
    (found,) = json.loads(voices.qx(backup, "conflict", "--json").stdout)
    done = voices.qx(backup, "conflict", "diff", str(found["number"]))
    assert f"extensions.40{lost}.name" in done.stdout and f"On-{backup}" in done.stdout
