# SPDX-License-Identifier: Apache-2.0
"""The way out of a damaged database: two generations of snapshots, and power cuts at any moment (R1, R16)."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path

import pytest
from settings_bench import Recorder, content_of, crash_states, cut, lay_out, new, opened

from qx.errors import Refusal
from qx.model import MODELS
from qx.settings import snapshot
from qx.settings.database import StoreDamaged
from qx.settings.files import Files
from qx.settings.generations import FRESH, NAMES, Generations
from qx.settings.position import START, History, Position
from qx.settings.rescue import LOST, anew, rescue
from qx.settings.snapshot import Own, Snapshot
from qx.settings.state import State
from qx.settings.store import Store


def kept(number: int) -> Snapshot:
    """A snapshot that can be told from others."""
    history = History(b"h" * 16, 1, 0, START)
    position = Position(history.id, number, bytes([number]) * 16)
    own = Own((("redundancy.backup_mode", "passive"),), 1, {"term": 3})
    return Snapshot("qx200", position, (history,), State.of({"redundancy.group_id": number}), own)


def number(found: Snapshot | None) -> int | None:
    return None if found is None else found.position.rev


def test_two_generations_take_turns(tmp_path: Path) -> None:
    """The newest counts, the one before stays."""
    generations = Generations(tmp_path)
    assert generations.newest() is None
    for count in range(1, 6):
        generations.write(kept(count))
        assert number(Generations(tmp_path).newest()) == count
        files = content_of(tmp_path)
        assert set(files) <= set(NAMES)
        assert {number(snapshot.parse(octets)) for octets in files.values()} == {count, max(1, count - 1)}
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["empty", "torn", "flipped", "folder", "unreadable"])
def test_a_damaged_generation_is_passed_over(tmp_path: Path, damage: str) -> None:
    """The one before is for this; and the next one is written in place of the damaged."""
    Generations(tmp_path).write(kept(1))
    Generations(tmp_path).write(kept(2))
    file = next(f for f in tmp_path.iterdir() if number(snapshot.parse(f.read_bytes())) == 2)
    octets = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        bad = {
            "empty": b"",
            "torn": octets[:-1],
            "flipped": octets[:60] + b"x" + octets[61:],
            "unreadable": b"x" * 99,
        }
        file.write_bytes(bad[damage])
    assert number(Generations(tmp_path).newest()) == 1
    if damage != "folder":
        Generations(tmp_path).write(kept(3))
        assert number(Generations(tmp_path).newest()) == 3


def test_a_power_cut_at_any_moment_of_a_write_leaves_a_whole_snapshot(tmp_path: Path) -> None:
    """Crash-state replay: every prefix of the operations, everything that a cut may leave of each."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    recorder = Recorder()
    generations = Generations(folder, recorder)
    generations.write(kept(1))
    generations.write(kept(2))
    before = content_of(folder)
    recorder.trace.clear()
    generations.write(kept(3))
    assert [operation[0] for operation in recorder.trace] == ["write", "flush", "rename", "flush folder"]
    seen: set[int | None] = set()
    states = list(crash_states(before, recorder.trace))
    for state in states:
        boot = lay_out(tmp_path / "boot", state)
        found = number(Generations(boot).newest())
        seen.add(found)
        assert found in (2, 3)
        Generations(boot).write(kept(4))  # and goes on from there
        assert number(Generations(boot).newest()) == 4
    assert seen == {2, 3}
    assert number(Generations(lay_out(tmp_path / "boot", states[-1])).newest()) == 3  # done is done


def test_the_replay_finds_a_missing_flush(tmp_path: Path) -> None:
    """The test is worth something: without the flush of the content a cut leaves no whole snapshot."""

    class Careless(Recorder):
        def flush(self, file: Path) -> None:
            pass

    recorder = Careless()
    generations = Generations(tmp_path, recorder)
    for count in (1, 2, 3):
        generations.write(kept(count))
    found = {
        number(Generations(lay_out(tmp_path / "boot", state)).newest())
        for state in crash_states({}, recorder.trace)
    }
    assert None in found
    assert any(
        number(Generations(lay_out(tmp_path / "boot", state)).newest()) is None
        for state in list(crash_states({}, recorder.trace))[-4:]
    )


class Failing(Files):
    """Flash refuses at the n-th operation."""

    def __init__(self, at: int) -> None:
        self.at = at

    def _turn(self) -> None:
        self.at -= 1
        if self.at == 0:
            raise OSError(errno.EIO, "Input/output error")

    def write(self, file: Path, octets: bytes) -> None:
        self._turn()
        super().write(file, octets)

    def flush(self, file: Path) -> None:
        self._turn()
        super().flush(file)

    def rename(self, file: Path, to: Path) -> None:
        self._turn()
        super().rename(file, to)

    def flush_folder(self, folder: Path) -> None:
        self._turn()
        super().flush_folder(folder)


@pytest.mark.parametrize("at", range(1, 5))
def test_flash_that_refuses_keeps_what_is_there(tmp_path: Path, at: int) -> None:
    """PostgreSQL's fsync errors: not tried again; the next snapshot is written anew and whole."""
    Generations(tmp_path).write(kept(1))
    generations = Generations(tmp_path, Failing(at))
    with pytest.raises(OSError, match="Input/output"):
        generations.write(kept(2))
    assert number(Generations(tmp_path).newest()) in (1, 2)
    generations.write(kept(3))
    assert number(Generations(tmp_path).newest()) == 3


# --- the store and its snapshots ----------------------------------------------------------------------------
def used(folder: Path, **options: object) -> Path:
    file = new(folder)
    with opened(file, **options) as store:
        store.commit({"mail.user": "x", "redundancy.backup_mode": "passive"}, "test", "set")
        store.open_history(3, {"term": 3})
        store.commit({"mail.user": "y", "extensions.101.password": "abcd"}, "test", "set")
    return file


def damage(file: Path) -> None:
    file.write_bytes(b"nonsense" * 500)


def test_a_damaged_database_is_set_aside_and_restored_and_said_so(tmp_path: Path) -> None:
    """R1, R16: nothing is deleted, and no revision is used twice."""
    file = used(tmp_path)
    with opened(file) as store:
        position, hash_before = store.position, store.state_hash
    damage(file)
    with pytest.raises(StoreDamaged, match="damaged settings database"):
        opened(file)
    with opened(file, recover=True) as store:
        assert (store.position, store.state_hash) == (position, hash_before)
        assert store.settings["redundancy.backup_mode"] == "passive"
        assert store.unit_state_get("term") == 3
        (notice,) = store.notices
        assert (notice.severity, notice.name) == ("critical", "Settings restored from a snapshot")
        assert "kept as settings.damaged-1.db" in notice.description
        store.commit({"mail.user": "z"}, "test", "set")
        assert store.position.history != position.history  # later revisions may have been told to the peer
        assert store.position.rev == position.rev + 1
    assert (tmp_path / "settings.damaged-1.db").read_bytes() == b"nonsense" * 500
    with opened(file) as store:
        assert len(store.notices) == 1  # until somebody was told
    damage(file)
    with opened(file, recover=True):
        assert (tmp_path / "settings.damaged-2.db").exists()


def test_a_missing_database_is_restored_where_there_is_a_snapshot(tmp_path: Path) -> None:
    """R1: data lost is never taken for a new unit."""
    file = used(tmp_path)
    file.unlink()
    with pytest.raises(Refusal, match="not found"):
        opened(file)
    with opened(file, recover=True) as store:
        assert store.settings["mail.user"] == "y"


def test_without_a_good_snapshot_of_the_model_nothing_is_touched(tmp_path: Path) -> None:
    """R1: no fresh start over a damaged database."""
    file = used(tmp_path)
    damage(file)
    before = content_of(tmp_path)
    with pytest.raises(StoreDamaged, match="no snapshot of this QX50"):
        Store(file, MODELS["qx50"], recover=True)
    assert content_of(tmp_path) == before
    for name in NAMES:
        (tmp_path / name).unlink(missing_ok=True)
    before = content_of(tmp_path)
    with pytest.raises(StoreDamaged, match="no snapshot"):
        opened(file, recover=True)
    assert content_of(tmp_path) == before


def test_lost_settings_are_made_anew_and_say_so(tmp_path: Path) -> None:
    """R1: a unit without database and snapshot runs, knows that its settings are lost, and keeps what is
    damaged."""
    folder = tmp_path / "recorded"
    file = used(folder)
    damage(file)
    for name in NAMES:
        (folder / name).write_bytes(b"no snapshot")
    before = content_of(folder)
    recorder = Recorder()
    anew(file, "damaged", recorder)
    assert (folder / "settings.damaged-1.1.snapshot").read_bytes() == b"no snapshot"
    states = {tuple(sorted(state.items())) for state in crash_states(before, recorder.trace)}
    assert len(states) > 6
    for state in states:
        boot = lay_out(tmp_path / "boot", dict(state))
        try:
            store = opened(boot / "settings.db", recover=True)
        except StoreDamaged as error:  # the next start makes it anew
            anew(boot / "settings.db", str(error))
            store = opened(boot / "settings.db")
        with store:
            assert store.unit_state_get(LOST)
            assert store.position.empty and not store.settings.explicit("mail.user")
            assert [notice.name for notice in store.notices] == ["Settings lost"]
            assert store.unit_state_get("term") is None
        for content in (b"nonsense" * 500, b"no snapshot"):
            assert content in content_of(boot).values()


def test_a_power_cut_at_any_moment_of_a_rescue_can_be_rescued(tmp_path: Path) -> None:
    """Crash-state replay of the rescue: the database is restored, or the next start restores it."""
    folder = tmp_path / "recorded"
    file = used(folder)
    damage(file)
    file.with_name("settings.db-wal").write_bytes(b"its log")
    before = content_of(folder)
    recorder = Recorder()
    rescue(file, MODELS["qx200"], "damaged", recorder)
    assert "rename" in [operation[0] for operation in recorder.trace]
    assert (folder / "settings.damaged-1.db-wal").read_bytes() == b"its log"  # never applied to the new one
    states = {tuple(sorted(state.items())) for state in crash_states(before, recorder.trace)}
    assert len(states) == 6
    for state in states:
        boot = lay_out(tmp_path / "boot", dict(state))
        with opened(boot / "settings.db", recover=True) as store:
            assert store.settings["mail.user"] == "y"
            assert store.revision == 2
        wanted = b"nonsense" * 500
        assert wanted in content_of(boot).values()  # the damaged one is still somewhere


def test_snapshots_are_written_off_the_way_and_at_the_end(tmp_path: Path) -> None:
    """A commit waits for no snapshot; commits gather; the last one is in it."""
    file = new(tmp_path)
    store = opened(file, keep_after=60)
    for count in range(5):
        store.commit({"redundancy.group_id": count + 2}, "test", "set")
    assert not (tmp_path / NAMES[0]).exists()
    store.close()
    assert (tmp_path / NAMES[0]).exists()
    assert not (tmp_path / NAMES[1]).exists()
    assert not (tmp_path / FRESH).exists()
    found = Generations(tmp_path).newest()
    assert found
    assert (found.position.rev, dict(found.state.items())) == (5, {"redundancy.group_id": 6})


def test_a_snapshot_is_written_while_the_store_is_in_use(tmp_path: Path) -> None:
    """Coalesced: some time after the first commit that is not in it."""
    store = opened(new(tmp_path), keep_after=0.01)
    store.commit({"redundancy.group_id": 2}, "test", "set")
    for _ in range(500):
        if (tmp_path / NAMES[0]).exists():
            break
        store.commit({"redundancy.sync_interval": _ + 1}, "test", "set")
    assert Generations(tmp_path).newest()
    cut(store)


def test_a_snapshot_that_cannot_be_written_harms_no_commit(tmp_path: Path) -> None:
    """Flash full for the snapshot: said in `trouble`, and the settings are durable all the same."""
    file = new(tmp_path)
    store = opened(file, keep_after=0, files=Failing(1))
    store.commit({"redundancy.group_id": 2}, "test", "set")
    for _ in range(1000):
        if store.trouble:
            break
        store.commit({"redundancy.sync_interval": _ % 900 + 1}, "test", "set")
    store.close()
    with opened(file) as store:
        assert store.settings["redundancy.group_id"] == 2


def test_the_unit_own_never_leaves_in_the_snapshot_for_the_peer(tmp_path: Path) -> None:
    """R13: on the wire there is nothing of it, in the file there is."""
    file = used(tmp_path)
    with opened(file) as store:
        assert b"backup_mode" not in store.snapshot()
        assert snapshot.parse(store.snapshot()).own is None
    octets = (tmp_path / NAMES[0]).read_bytes()
    assert b"backup_mode" in octets
    db = sqlite3.connect(file)
    assert db.execute("PRAGMA quick_check").fetchone()[0] == "ok"
    db.close()
    shutil.rmtree(tmp_path)
