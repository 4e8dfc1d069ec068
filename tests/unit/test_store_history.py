# SPDX-License-Identifier: Apache-2.0
"""Histories, log, undo and older formats of the store (R5, R13, R16; synchronisation.md)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from settings_bench import QX200, cut, new, opened

from qx.errors import Refusal
from qx.packing import pack
from qx.settings import delta, undo
from qx.settings.check import BadSettings
from qx.settings.database import Database
from qx.settings.lineage import Action
from qx.settings.log import Log
from qx.settings.position import NO_HISTORY, START, Position
from qx.settings.store import Store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return new(tmp_path)


def test_factory_state_has_no_history_and_the_first_commit_opens_one(file: Path) -> None:
    """Emptiness is told apart from data by it."""
    with opened(file) as store:
        assert store.position == Position()
        assert store.standing.bare
        store.commit({"redundancy.backup_mode": "passive"}, "test", "set")
        assert store.position.empty  # the unit's own are no data that a peer could lack
        store.commit({"network.dns": ("9.9.9.9",)}, "test", "set")
        assert store.position.history != NO_HISTORY
        assert store.standing.bare  # network settings only: it gives way to any other (R5)
        store.commit({"mail.server": "mail.example"}, "test", "set")
        assert not store.standing.bare


def test_each_commit_is_one_frame_that_continues_the_last(file: Path) -> None:
    """One format for change: the commit's answer, the row on flash and the listener's are the same octets."""
    told: list[bytes] = []
    with opened(file) as store:
        end = store.subscribe(lambda revision: told.append(revision.frame))
        frames = [store.commit({"redundancy.group_id": n}, "admin", "set").frame for n in (5, 6, 7)]
        own = store.commit({"redundancy.backup_mode": "passive"}, "admin", "set")
        end()
        store.commit({"redundancy.group_id": 8}, "admin", "set")
        assert own.frame == b""
        assert told == frames
        assert store.log.frames(0)[:3] == frames
    with opened(file) as store:
        assert store.log.frames(0)[:3] == frames
    chain = START
    for frame in frames:
        head = delta.verified(frame)
        assert head.prev == chain
        chain = head.position.chain
    assert delta.parse(frames[1]).operations == (delta.Operation("redundancy.group_id", 5, 6),)
    assert (delta.parse(frames[1]).who, delta.parse(frames[1]).what) == ("admin", "set")


def test_a_promotion_opens_a_history_at_its_first_commit(file: Path) -> None:
    """DRBD 9: not at the promotion itself; it survives a power cut between; a restart opens none."""
    store = opened(file)
    store.commit({"redundancy.group_id": 5}, "test", "set")
    first = store.position
    store.open_history(4, {"role": "master", "term": 4})
    assert store.position == first
    assert store.unit_state_get("term") == 4
    cut(store)
    with opened(file) as store:
        assert store.position == first
        store.commit({"redundancy.group_id": 6}, "test", "set")
        second = store.position
        assert (second.rev, second.history != first.history) == (2, True)
        assert [(h.term, h.fork_rev) for h in store.standing.histories] == [(0, 0), (4, 1)]
        assert store.standing.term == 4
        store.open_history(4)  # started again in the same term
        store.commit({"redundancy.group_id": 7}, "test", "set")
        assert store.position.history == second.history
        assert store.standing.histories[1].fork_chain == first.chain


def test_a_restore_opens_a_history(file: Path) -> None:
    """After a restore from backup no peer may take the new revisions for the old ones."""
    with opened(file) as store:
        store.commit({"redundancy.group_id": 5}, "test", "set")
        before = store.position.history
        store.commit({"redundancy.group_id": 6}, "test", "restore", new_history=True)
        assert store.position.history != before


def test_a_broken_log_after_an_unclean_end_opens_a_history(file: Path) -> None:
    """Never reuse a revision: the log is given up, said so, and what follows is another history."""
    store = opened(file)
    for number in range(5, 9):
        store.commit({"redundancy.group_id": number}, "test", "set")
    old = store.position
    cut(store)
    db = sqlite3.connect(file)
    flipped = "CAST(substr(frame, 1, 80) || x'ff' || substr(frame, 82) AS BLOB)"
    db.execute(f"UPDATE log SET frame = {flipped} WHERE rev = 3")
    db.commit()
    db.close()
    with opened(file) as store:
        (notice,) = store.notices
        assert notice.name == "Settings log given up"
        assert "revision 3: " in notice.description
        assert store.settings["redundancy.group_id"] == 8
        assert store.position == old
        store.commit({"redundancy.group_id": 9}, "test", "set")
        assert (store.position.rev, store.position.history != old.history) == (5, True)
        assert store.deltas_since(old.history, 4, old.chain)[0].action == Action.DELTAS
        assert store.deltas_since(old.history, 3, bytes(16))[0].action == Action.SNAPSHOT
        store.notices_told()
        assert store.notices == ()


def test_a_clean_end_is_not_judged_again(file: Path) -> None:
    """Only after an unclean one is the whole log read."""
    with opened(file) as store:
        store.commit({"redundancy.group_id": 5}, "test", "set")
    db = sqlite3.connect(file)
    assert db.execute("SELECT v FROM meta WHERE name = 'clean'").fetchone()[0] == pack(True)
    db.close()


@pytest.mark.parametrize("table", ["kv", "meta"])
def test_settings_that_are_not_those_of_their_hash_are_damage(file: Path, table: str) -> None:
    """A bit that flipped on flash where SQLite cannot see it."""
    with opened(file) as store:
        store.commit({"redundancy.group_id": 5}, "test", "set")
    db = sqlite3.connect(file)
    db.execute("UPDATE kv SET v = x'06'" if table == "kv" else "DELETE FROM kv")
    db.commit()
    db.close()
    with pytest.raises(Refusal, match="not those of the state hash"):
        opened(file)


# --- format 1 -----------------------------------------------------------------------------------------------
def format_1(file: Path, rev: int) -> None:
    """A store as the first firmware made it."""
    file.touch(mode=0o600)
    db = Database(file, 0)
    named, values = (
        "(name TEXT PRIMARY KEY, v BLOB NOT NULL)",
        "(path TEXT PRIMARY KEY, v BLOB NOT NULL, rev INTEGER NOT NULL)",
    )
    with db.transaction():
        for table, columns in (("meta", named), ("kv", values), ("own", values), ("unit_state", named)):
            db.execute(f"CREATE TABLE {table}{columns} WITHOUT ROWID")
        for name, value in (("schema_version", 1), ("rev", rev), ("own_rev", 1)):
            db.execute("INSERT INTO meta VALUES(?, ?)", (name, pack(value)))
        if rev:
            db.execute("INSERT INTO kv VALUES(?, ?, ?)", ("redundancy.group_id", pack(18), rev))
        db.execute("INSERT INTO own VALUES(?, ?, ?)", ("redundancy.backup_mode", pack("passive"), 1))
        db.execute("INSERT INTO unit_state VALUES(?, ?)", ("term", pack(3)))
    db.close()


@pytest.mark.parametrize("rev", [0, 7])
def test_a_store_of_format_1_is_migrated_when_it_is_opened(tmp_path: Path, rev: int) -> None:
    """R5: an upgrade keeps everything; what there was is never taken for factory state."""
    format_1(tmp_path / "settings.db", rev)
    for _ in range(2):
        with opened(tmp_path / "settings.db") as store:
            assert store.revision == rev
            assert store.position.empty == (rev == 0)
            assert store.settings["redundancy.backup_mode"] == "passive"
            assert store.settings["redundancy.group_id"] == (18 if rev else 1)
            assert store.unit_state_get("term") == 3
            assert [h.term for h in store.standing.histories] == ([3] if rev else [])
    with opened(tmp_path / "settings.db") as store:
        history = store.position.history
        store.commit({"redundancy.group_id": 19}, "test", "set")
        assert store.position.rev == rev + 1
        assert (store.position.history == history) == (rev > 0)


# --- log ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("octets", "kept"), [(1 << 30, 20), (2000, 9)])
def test_the_log_is_compacted_from_its_oldest(
    file: Path, octets: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most so many revisions or octets; the last is always there; a Backup from before gets a snapshot."""
    monkeypatch.setattr("qx.settings.log.SLACK", 4)
    with opened(file) as store:
        store._log = Log(store._db, 20, octets)
        positions = []
        for number in range(100):
            store.commit({"redundancy.sync_interval": number + 1}, "test", "set")
            positions.append(store.position)
            first = store.log.first
            assert first is not None
            assert 100 - number > 0 < len(store.log.frames(first - 1)) <= 25
        first = store.log.first
        assert first is not None
        assert kept - 5 <= 100 - first + 1 <= kept + 5
        at = positions[first - 2]  # the revision before the first that is kept
        assert store.deltas_since(at.history, at.rev, at.chain)[0].action == Action.DELTAS
        at = positions[first - 3]
        assert store.deltas_since(at.history, at.rev, at.chain)[0].action == Action.SNAPSHOT
        assert store.log.fault(store.position) == ""


def test_a_commit_larger_than_the_whole_log_is_kept(file: Path) -> None:
    """The last delta is there, however large."""
    with opened(file) as store:
        store._log = Log(store._db, 20, 500)
        store.commit({"redundancy.group_id": 5}, "test", "set")
        store.commit({f"extensions.{n}.name": "x" * 64 for n in range(100, 120)}, "test", "set")
        assert store.log.first == 2
        assert len(store.log.frames(1)) == 1


def test_deltas_come_in_portions(file: Path) -> None:
    """At least one, and as many as the octets allow."""
    with opened(file) as store:
        for number in range(10):
            store.commit({"redundancy.sync_interval": number + 1}, "test", "set")
        first = store.log.frame(1)
        assert first
        at = delta.header(first).position
        assert len(store.deltas_since(at.history, 1, at.chain)[1]) == 9
        assert len(store.deltas_since(at.history, 1, at.chain, most_octets=1)[1]) == 1
        last = store.position
        assert store.deltas_since(last.history, 10, last.chain) == (store.decide(store.standing, False), [])


# --- log, diff, revert --------------------------------------------------------------------------------------
@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    with opened(file) as store:
        store.commit({"redundancy.group_id": 5, "mail.server": "a.example"}, "admin", "set")
        store.commit({"mail.server": "b.example", "mail.password": "hidden word"}, "admin", "set")
        store.commit({"redundancy.group_id": None}, "admin", "unset")
        yield store


def test_the_log_says_who_did_what(store: Store) -> None:
    """Who, when, what, and each setting before and after; secrets as such."""
    one, two, three = undo.last(store, 10)
    assert (one["revision"], one["who"], one["what"]) == (1, "admin", "set")
    assert two["changes"] == [
        {"path": "mail.password", "before": None, "after": "(set)"},
        {"path": "mail.server", "before": "a.example", "after": "b.example"},
    ]
    assert three["changes"] == [{"path": "redundancy.group_id", "before": "5", "after": None}]
    assert "hidden" not in str(undo.last(store, 10))
    assert [r["revision"] for r in undo.last(store, 1, before=3)] == [2]


def test_a_difference_is_the_sum_of_what_was_done(store: Store) -> None:
    """qx diff: net, in both directions."""

    def told(since: int, to: int | None = None) -> list[tuple[str, str | None, str | None]]:
        return [(s.path, s.before, s.after) for s in undo.difference(store, since, to)]

    assert told(0) == [("mail.password", None, "(set)"), ("mail.server", None, "b.example")]
    assert told(1, 2) == [("mail.password", None, "(set)"), ("mail.server", "a.example", "b.example")]
    assert told(3, 1) == [
        ("mail.password", "(set)", None), ("mail.server", "b.example", "a.example"),
        ("redundancy.group_id", None, "5"),
    ]  # fmt: skip
    assert told(2, 2) == []
    for since, to in ((4, None), (0, 4)):
        with pytest.raises(Refusal, match="expected one from 0 to 3"):
            undo.difference(store, since, to)


def test_a_revision_is_taken_back_whole_or_not_at_all(store: Store) -> None:
    """qx revert: as a commit of its own; refused where a later revision changed the same again."""
    assert undo.reverting(store, 2) == {"mail.server": "a.example", "mail.password": None}
    with pytest.raises(Refusal, match=r"mail\.server: changed again in revision 2"):
        undo.reverting(store, 1)
    store.commit(undo.reverting(store, 3), "admin", "revert 3")
    assert store.settings["redundancy.group_id"] == 5
    store.commit(undo.reverting(store, 2), "admin", "revert 2")
    store.commit(undo.reverting(store, 1), "admin", "revert 1")  # it is as revision 1 left it again
    assert list(store.settings.explicit_paths()) == []
    for rev in (0, 7):
        with pytest.raises(Refusal, match="expected one from 1 to 6"):
            undo.reverting(store, rev)


def test_what_would_not_be_valid_is_not_reverted(store: Store) -> None:
    """A revert is judged like any commit."""
    store.commit({"extensions.101.name": "Al"}, "admin", "set")
    store.commit({"fxo.1.extension": "101"}, "admin", "set")
    with pytest.raises(BadSettings, match=r"fxo\.1\.extension refers to it"):
        store.commit(undo.reverting(store, 4), "admin", "revert 4")


def test_an_empty_log_says_so(file: Path) -> None:
    """Bad input: nothing to revert."""
    with opened(file) as store:
        with pytest.raises(Refusal, match="the log is empty"):
            undo.reverting(store, 1)
        assert undo.difference(store, 0) == []
        assert undo.last(store, 5) == []


def test_unknown_settings_of_newer_firmware_stay_and_are_not_looked_at(file: Path) -> None:
    """R5: what a newer firmware set is kept, hashed and handed on; in another form it reads as not set."""
    with opened(file) as store:
        store.commit({"redundancy.group_id": 5}, "test", "set")
        ahead = store._state.replaced({"call.later": 1, "redundancy.sync_interval": "soon"})
        later = delta.Operation("call.later", None, 1)
        soon = delta.Operation("redundancy.sync_interval", None, "soon")
        history = store.standing.histories[-1]
        octets = delta.build(store.position, history, ahead.digest, (later, soon), 0, "newer", "set")[0]
        store.apply_delta(octets)
        assert store.settings.number("redundancy.sync_interval") == 60
        assert store.state_hash == ahead.digest
    with opened(file) as store:
        assert store.state_hash == ahead.digest
        assert store.settings.number("redundancy.sync_interval") == 60
        store.commit({"redundancy.sync_interval": 61}, "test", "set")
        assert delta.parse(store.log.frames(2)[0]).operations == (
            delta.Operation("redundancy.sync_interval", "soon", 61),
        )
        assert undo.last(store, 1, before=3)[0]["changes"][0] == {
            "path": "call.later",
            "before": None,
            "after": "(set)",
        }
        with pytest.raises(Refusal, match="set by newer firmware"):
            undo.reverting(store, 2)
    assert QX200.name == "qx200"
