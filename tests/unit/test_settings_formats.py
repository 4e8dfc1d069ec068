# SPDX-License-Identifier: Apache-2.0
"""Databases of each format that there was, as the firmware of its time wrote them (R5, R40).

`tests/vectors/settings/format-N.db`: three or four commits, a mode, a term. A new format adds its file; none
is ever written anew.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from settings_bench import new, opened

from qx.settings.position import START
from qx.settings.tables import SCHEMA_VERSION
from qx.sync.voice.manifest import Manifest, State
from qx.sync.voice.messages import Entry

FILES = Path(__file__).parents[1] / "vectors/settings"
FORMATS = range(1, SCHEMA_VERSION + 1)


def test_each_format_has_its_file() -> None:
    assert {file.name for file in FILES.iterdir()} == {f"format-{number}.db" for number in FORMATS}


@pytest.mark.parametrize("number", FORMATS)
def test_a_database_of_each_format_is_taken_with_all_that_is_in_it(tmp_path: Path, number: int) -> None:
    """R5: an upgrade keeps settings, what is the unit's own, term and log, and it can be written; read twice,
    since what was migrated must be readable as well."""
    file = tmp_path / "settings.db"
    shutil.copyfile(FILES / f"format-{number}.db", file)
    rev = 2 if number == 1 else 3
    chains: set[bytes] = set()
    for _ in range(2):
        with opened(file) as store:
            settings = store.settings
            assert settings["redundancy.group_id"] == 18
            assert settings["redundancy.sync_interval"] == (30 if number == 1 else 45)
            assert settings["redundancy.backup_mode"] == "passive"
            assert str(settings["network.lan.address"]) == "10.77.0.100/24"
            assert settings.explicit_value("mail.password") == (None if number == 1 else "golden")
            assert (store.unit_state_get("term"), store.unit_state_get("role")) == (3, "backup")
            assert store.revision == rev
            assert not store.position.empty
            assert len(store.log.frames(0)) == (0 if number == 1 else 3)
            assert store.scrub() == ""
            chains.add(store.position.chain)
            manifest = Manifest(store.database)
            assert manifest.files == (1 if number >= 3 else 0)
            if number >= 3:
                row = manifest.row(b"greetings/hello.wav")
                assert row
                assert (row.size, row.mtime, row.hash, row.shared) == (5, 7, bytes(range(32)), 1)
            manifest.closed()
    assert len(chains) == 1
    assert chains != {START}
    with opened(file) as store:
        store.commit({"redundancy.group_id": 19}, "test", "set")
        assert store.revision == rev + 1
        manifest = Manifest(store.database)
        with manifest.moving() as move:
            move.put(Entry(b"new", 1, bytes(32), 0), b"", State.SETTLED, False)
        assert manifest.files == (2 if number >= 3 else 1)
        manifest.closed()


def test_the_oldest_log_still_reads(tmp_path: Path) -> None:
    """R16: delta frames of format 2 are followed by another unit, across the upgrade."""
    shutil.copyfile(FILES / "format-2.db", tmp_path / "settings.db")
    with opened(tmp_path / "settings.db") as old, opened(new(tmp_path / "b")) as other:
        other.apply_deltas(old.log.frames(0))
        assert other.position == old.position
        assert other.settings["redundancy.sync_interval"] == 45
        assert other.settings["redundancy.backup_mode"] == "active"  # a unit's own: it does not cross
