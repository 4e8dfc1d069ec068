# SPDX-License-Identifier: Apache-2.0
"""The store: one commit is all or nothing, durable, by one process at a time (R2, R13, R16)."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from qx.errors import Refusal
from qx.model import MODELS
from qx.settings.check import BadSettings
from qx.settings.database import StoreBusy, StoreDamaged
from qx.settings.store import Store

QX200 = MODELS["qx200"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    Store.create(tmp_path / "settings.db")
    return tmp_path / "settings.db"


def test_a_commit_is_there_after_a_reopening(file: Path) -> None:
    """R2: settings last."""
    with Store(file, QX200) as store:
        revision = store.commit({"redundancy.group_id": 18, "network.dns": ("9.9.9.9",)}, "test", "set")
        assert revision.rev == 1
        assert revision.changed == {"redundancy.group_id", "network.dns"}
    with Store(file, QX200) as store:
        assert store.settings["redundancy.group_id"] == 18
        assert store.settings.words("network.dns") == ("9.9.9.9",)
        assert store.settings["redundancy.sync_interval"] == 60
        assert store.revision == 1


def test_a_commit_is_all_or_nothing(file: Path) -> None:
    """Bad input: one bad change and none of them is made, in memory and on flash."""
    with Store(file, QX200) as store:
        before = store.settings
        with pytest.raises(BadSettings, match=r"redundancy\.sync_interval"):
            store.commit({"redundancy.group_id": 18, "redundancy.sync_interval": 0}, "test", "set")
        with pytest.raises(BadSettings, match="not set"):
            store.commit({"redundancy.group_id": 18, "redundancy.enabled": True}, "test", "set")
        assert store.settings is before
        assert store.revision == 0
    with Store(file, QX200) as store:
        assert store.settings["redundancy.group_id"] == 1


def test_a_failure_half_way_rolls_back(file: Path) -> None:
    """All or nothing when SQLite fails in the middle; no write is taken afterwards."""
    with Store(file, QX200) as store:
        store._db.execute(
            "CREATE TEMP TRIGGER fail BEFORE UPDATE ON meta BEGIN SELECT RAISE(ABORT, 'cut'); END"
        )
        with pytest.raises(Refusal, match=r"settings\.db: writing failed \(cut\)"):
            store.commit({"redundancy.group_id": 18}, "test", "set")
        store._db.execute("DROP TRIGGER fail")
        assert store.settings["redundancy.group_id"] == 1
        with pytest.raises(Refusal, match="no change is taken"):
            store.commit({"redundancy.group_id": 19}, "test", "set")
    with Store(file, QX200) as store:
        assert store.settings["redundancy.group_id"] == 1


def test_a_full_disk_refuses_and_recovers(file: Path) -> None:
    """Bad input: no space is said, nothing changes, and works again when there is space."""
    with Store(file, QX200) as store:
        pages = store._db.rows("PRAGMA page_count")[0][0]
        store._db.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(Refusal, match="no space left; nothing was changed"):
            store.unit_state_put({"blob": "x" * 100_000})
        assert store.unit_state_get("blob") is None
        store._db.execute("PRAGMA max_page_count=100000")
        assert store.commit({"redundancy.group_id": 18}, "test", "set").rev == 1


def test_the_units_own_settings_do_not_move_the_shared_revision(file: Path) -> None:
    """R13: what the unit keeps for itself is no history that the peer could lack."""
    with Store(file, QX200) as store:
        revision = store.commit({"redundancy.backup_mode": "passive"}, "test", "set")
        assert (revision.rev, revision.own_rev) == (0, 1)
        revision = store.commit(
            {"redundancy.backup_mode": "active", "redundancy.group_id": 18}, "test", "set"
        )
        assert (revision.rev, revision.own_rev) == (1, 2)
        assert {row[0] for row in store._db.rows("SELECT path FROM own")} == {"redundancy.backup_mode"}
        assert {row[0] for row in store._db.rows("SELECT path FROM kv")} == {"redundancy.group_id"}


def test_nothing_new_is_no_revision(file: Path) -> None:
    """A set of what is set already writes nothing; None takes a setting back to its default."""
    with Store(file, QX200) as store:
        store.commit({"redundancy.group_id": 18}, "test", "set")
        again = store.commit({"redundancy.group_id": 18}, "test", "set")
        assert (again.rev, again.changed) == (1, frozenset())
        assert store.commit({"redundancy.group_id": None}, "test", "set").rev == 2
        assert store.settings["redundancy.group_id"] == 1
        assert store._db.rows("SELECT * FROM kv") == []


def test_unit_state_survives_and_is_put_together(file: Path) -> None:
    """R7, R8: role, mode and term survive reboots."""
    with Store(file, QX200) as store:
        assert store.unit_state_get("term", 0) == 0
        store.unit_state_put({"role": "backup", "mode": "passive", "term": 7})
        store.unit_state_put({"term": 8})
    with Store(file, QX200) as store:
        assert [store.unit_state_get(name) for name in ("role", "mode", "term")] == ["backup", "passive", 8]
        assert store.revision == 0


def test_a_second_process_is_told_that_it_is_in_use(file: Path) -> None:
    """A second daemon on the same root: one line that names the file."""
    code = (
        "import sys; from pathlib import Path\n"
        "from qx.settings.store import Store; from qx.model import MODELS\n"
        "try: Store(Path(sys.argv[1]), MODELS['qx200'], wait=0.1)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with Store(file, QX200):
        said = subprocess.run(
            [sys.executable, "-c", code, file], check=True, capture_output=True, text=True, env=environment
        )
    assert said.stdout == f"StoreBusy {file}: in use by another process; expected to be its only user\n"
    assert not file.with_name("settings.db-shm").exists()
    with pytest.raises(StoreBusy), Store(file, QX200), Store(file, QX200, wait=0.1):
        pass


@pytest.mark.parametrize("damage", ["text", "zeros", "torn", "no tables", "no revision", "not msgpack"])
def test_a_damaged_file_is_named(file: Path, damage: str) -> None:
    """Bad input: no traceback and no fresh start over a damaged database."""
    octets = file.read_bytes()
    if damage in ("text", "zeros", "torn"):
        file.write_bytes({"text": b"hello" * 999, "zeros": bytes(len(octets)), "torn": octets[:5000]}[damage])
    else:
        db = sqlite3.connect(file)
        db.executescript(
            {
                "no tables": "DROP TABLE kv",
                "no revision": "DELETE FROM meta",
                "not msgpack": "UPDATE meta SET v = x'c1'",
            }[damage]
        )
        db.close()
    before = file.read_bytes()
    with pytest.raises(StoreDamaged, match=r"settings\.db: damaged settings database"):
        Store(file, QX200)
    assert damage == "torn" or file.read_bytes() == before


def test_an_empty_or_missing_file_is_not_made_into_a_store(tmp_path: Path) -> None:
    """R1: data lost never looks like a new unit."""
    with pytest.raises(Refusal, match="not found"):
        Store(tmp_path / "settings.db", QX200)
    (tmp_path / "settings.db").touch()
    with pytest.raises(StoreDamaged):
        Store(tmp_path / "settings.db", QX200)


def test_a_newer_format_is_refused_by_name(file: Path) -> None:
    """R5: data of newer firmware."""
    db = sqlite3.connect(file)
    db.execute("UPDATE meta SET v = x'63' WHERE name = 'schema_version'")
    db.commit()
    db.close()
    with pytest.raises(Refusal, match="format 99 of newer firmware"):
        Store(file, QX200)


def _commit_for_ever(file: Path, told: int) -> None:
    with Store(file, QX200) as store:
        for number in range(1, 1_000_000):
            both = {"redundancy.sync_interval": number % 86400 + 1, "redundancy.group_id": number % 255 + 1}
            store.commit(both, "test", "set")
            os.write(told, number.to_bytes(4, "big"))


def test_killed_at_any_moment_it_holds_a_whole_commit(file: Path) -> None:
    """R16: SIGKILL during commits; the last acknowledged is there, and the two settings belong together."""
    for delay in (0.02, 0.05, 0.08):
        reading, writing = os.pipe()
        child = multiprocessing.get_context("fork").Process(target=_commit_for_ever, args=(file, writing))
        child.start()
        os.close(writing)
        child.join(delay + 0.05)
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        acknowledged = 0
        while octets := os.read(reading, 4):
            acknowledged = int.from_bytes(octets, "big")
        os.close(reading)
        with Store(file, QX200) as store:
            interval, group = (
                store.settings.number(f"redundancy.{n}") for n in ("sync_interval", "group_id")
            )
        if interval == 60 and group == 1:
            assert acknowledged == 0
            continue
        number = interval - 1
        assert group == number % 255 + 1
        assert number >= acknowledged
