# SPDX-License-Identifier: Apache-2.0
"""A second store follows the first, equal at every step, and is never what the first was not (R13, R16)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from settings_bench import CHANGES, QX200, cut, new, opened, two

from qx.errors import Refusal
from qx.model import MODELS
from qx.settings import delta, snapshot, undo
from qx.settings.check import BadSettings
from qx.settings.delta import BadFrame, Operation
from qx.settings.lineage import Action
from qx.settings.snapshot import BadSnapshot, Snapshot
from qx.settings.state import State
from qx.settings.store import OutOfStep, StateDiffers, Store


def same(a: Store, b: Store) -> bool:
    return (a.position, a.state_hash, a.snapshot()) == (b.position, b.state_hash, b.snapshot())


def picture(store: Store) -> tuple[object, ...]:
    return (store.position, store.state_hash, store.snapshot(), store.log.frames(0), dict(_values(store)))


def _values(store: Store) -> list[tuple[str, object]]:
    return [(path, store.settings.explicit_value(path)) for path in store.settings.explicit_paths()]


def test_a_delta_makes_the_second_unit_equal(tmp_path: Path) -> None:
    """R13: everything an administrator sets, with who and when, and not what is the unit's own."""
    with two(tmp_path) as (a, b):
        b.commit({"redundancy.backup_mode": "passive"}, "system", "mode")
        for changes in ({"mail.server": "a"}, {"mail.server": None, "redundancy.group_id": 9}):
            frame = a.commit({**changes, "redundancy.virtual_ip": "10.0.0.1/24"}, "admin", "set").frame
            revision = b.apply_delta(frame)
            assert revision.changed == set(changes)
            assert same(a, b)
        assert b.settings["redundancy.backup_mode"] == "passive"
        assert b.settings["redundancy.virtual_ip"] is None
        assert undo.last(b, 9) == undo.last(a, 9)
    with opened(tmp_path / "b/settings.db") as b:
        assert b.settings["redundancy.group_id"] == 9
        assert b.revision == 2


def test_a_new_history_crosses_with_its_first_delta(tmp_path: Path) -> None:
    """Deltas across a change of history, and the term with them."""
    with two(tmp_path) as (a, b):
        b.apply_delta(a.commit({"redundancy.group_id": 2}, "test", "set").frame)
        a.open_history(3)
        b.apply_delta(a.commit({"redundancy.group_id": 3}, "test", "set").frame)
        assert same(a, b)
        assert b.standing.histories == a.standing.histories
        # The roles are swapped: the former Backup opens its own, and the former Master follows.
        b.open_history(4)
        a.apply_delta(b.commit({"redundancy.group_id": 4}, "test", "set").frame)
        assert same(a, b)
        assert [h.term for h in a.standing.histories] == [0, 3, 4]


def test_what_does_not_follow_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    """R16: a gap, a repetition, another chain, a history that was left."""
    with two(tmp_path) as (a, b):
        one, two_, three = (a.commit({"redundancy.group_id": n}, "test", "set").frame for n in (2, 3, 4))
        b.apply_delta(one)
        before = picture(b)
        for frame in (one, three):
            with pytest.raises(OutOfStep, match="does not follow"):
                b.apply_delta(frame)
        b.apply_delta(two_)
        b.open_history(9)
        b.commit({"redundancy.group_id": 7}, "test", "set")
        with pytest.raises(OutOfStep, match="does not follow"):
            b.apply_delta(three)
        old = a.standing.histories[0]
        back = delta.build(b.position, old, b.state_hash, (Operation("mail.user", None, "x"),), 0, "", "")[0]
        with pytest.raises(OutOfStep, match="a history that was left"):
            b.apply_delta(back)
        assert before != picture(b)
        assert b.revision == 3


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (Operation("redundancy.virtual_ip", None, "10.0.0.1/24"), "the unit's own"),
        (Operation("redundancy.group_id", 9, 10), "another value here"),
        (Operation("redundancy.group_id", None, 10), "another value here"),
        (Operation("mail.user", "x", None), "another value here"),
        (Operation("mail.user", None, "x"), "leads to another state"),
    ],
)
def test_a_delta_that_does_not_fit_the_content_is_refused(
    tmp_path: Path, operation: Operation, said: str
) -> None:
    """R16: its chain fits and the state would be another than the Master's: nothing is changed."""
    with two(tmp_path) as (a, b):
        b.apply_delta(a.commit({"redundancy.group_id": 2}, "test", "set").frame)
        before = picture(b)
        frame = delta.build(b.position, b.standing.histories[0], bytes(32), (operation,), 0, "x", "x")[0]
        with pytest.raises(StateDiffers, match=said):
            b.apply_delta(frame)
        assert picture(b) == before


def test_a_write_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """R16: all or nothing in the middle of a delta and of a snapshot, in memory and on flash."""
    with two(tmp_path) as (a, b):
        one, two_ = (a.commit({"mail.user": u}, "test", "set").frame for u in ("x", "y"))
        b.apply_delta(one)
        before = picture(b)
        b._db.execute("CREATE TEMP TRIGGER fail BEFORE UPDATE ON meta BEGIN SELECT RAISE(ABORT, 'cut'); END")
        for work in (lambda: b.apply_delta(two_), lambda: b.load_snapshot(a.snapshot())):
            with pytest.raises(Refusal, match="cut"):
                work()
            b._db._failed = ""  # as after a restart
            assert picture(b) == before
        b._db.execute("DROP TRIGGER fail")
        b.apply_delta(two_)
        assert same(a, b)
        assert b.log.fault(b.position) == ""


def test_a_snapshot_makes_the_second_unit_equal(tmp_path: Path) -> None:
    """What is not in it goes, what is the unit's own stays, and the next delta follows."""
    with two(tmp_path) as (a, b):
        b.commit({"mail.user": "gone", "redundancy.backup_mode": "passive", "mail.port": 25}, "test", "set")
        for number in range(5):
            a.commit({"redundancy.group_id": number + 2, f"extensions.10{number}.name": "x"}, "test", "set")
        a.commit({"mail.port": 25}, "test", "set")
        revision = b.load_snapshot(a.snapshot())
        assert "mail.user" in revision.changed
        assert "mail.port" not in revision.changed
        assert same(a, b)
        assert b.settings.rows("extensions") == a.settings.rows("extensions")
        assert b.settings["redundancy.backup_mode"] == "passive"
        assert b.log.first is None
        b.apply_delta(a.commit({"redundancy.group_id": 99}, "test", "set").frame)
        assert same(a, b)
    with opened(tmp_path / "b/settings.db") as b:
        assert b.settings["redundancy.group_id"] == 99


def test_a_snapshot_of_another_model_or_with_what_is_the_units_own_is_refused(tmp_path: Path) -> None:
    """R5, R13."""
    with two(tmp_path) as (a, b):
        a.commit({"mail.user": "x"}, "test", "set")
        before = picture(b)
        good = snapshot.parse(a.snapshot())
        for bad, said in (
            (Snapshot("qx50", good.position, good.histories, good.state), "of model qx50; expected qx200"),
            (
                Snapshot("qx200", good.position, good.histories, State.of({"redundancy.enabled": True})),
                "the unit's own",
            ),
        ):
            with pytest.raises(Refusal, match=said):
                b.load_snapshot(snapshot.build(bad))
        assert picture(b) == before


def test_a_snapshot_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    """Bad input: with a right digest, from one who knows how to make it."""
    with opened(new(tmp_path)) as store:
        store.commit({"mail.user": "x"}, "test", "set")
        good = snapshot.parse(store.snapshot())
    for histories in ((), (good.histories[0], good.histories[0])):
        with pytest.raises(BadSnapshot):
            snapshot.parse(snapshot.build(Snapshot("qx200", good.position, histories, good.state)))


def test_who_lost_its_tail_is_told_by_the_other(tmp_path: Path) -> None:
    """The Backup's log is as good as the Master's: it can be asked after a takeover."""
    with two(tmp_path) as (a, b):
        for number in range(4):
            b.apply_delta(a.commit({"redundancy.group_id": number + 2}, "test", "set").frame)
        b.open_history(2)
        for number in range(3):
            b.commit({"redundancy.group_id": number + 9}, "test", "set")
        decision = b.decide(a.standing, paired=True)
        assert decision.action == Action.DELTAS
        for frame in b.deltas_since(a.position.history, a.position.rev, a.position.chain)[1]:
            a.apply_delta(frame)
        assert same(a, b)
        assert b.decide(a.standing, paired=True).action == Action.IN_STEP
        b.commit({"redundancy.group_id": 100}, "test", "set")
        assert a.decide(b.standing, paired=True).action == Action.FORK
        assert a.decide(b.standing, paired=True).new_history


ACTION = st.one_of(
    CHANGES.map(lambda changes: ("commit", changes)),
    st.integers(1, 12).map(lambda rev: ("revert", rev)),
    st.sampled_from([("promote", None), ("snapshot", None), ("reopen", None)]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTION, min_size=1, max_size=12))
def test_after_any_commits_and_reverts_both_are_equal(actions: list[tuple[str, object]]) -> None:
    """R16: at each revision the second unit has a state that the first had, with its chain."""
    with tempfile.TemporaryDirectory() as name, two(Path(name)) as (a, b):
        term = 0
        for kind, argument in actions:
            revision = None
            if kind == "commit":
                revision = a.commit(argument, "test", "set")  # type: ignore[arg-type]
            elif kind == "revert":
                try:
                    revision = a.commit(undo.reverting(a, argument), "test", "revert")  # type: ignore[arg-type]
                except (Refusal, BadSettings):
                    continue
            elif kind == "promote":
                term += 1
                a.open_history(term)
            elif kind == "snapshot":
                b.load_snapshot(a.snapshot())
            else:
                b.close()
                b.__init__(Path(name) / "b/settings.db", QX200)
            if revision and revision.frame:
                b.apply_delta(revision.frame)
            assert same(a, b)
        anew = State.of({p: v for p, v in _values(a)})  # type: ignore[misc]
        assert anew.digest == a.state_hash
        assert a.log.fault(a.position) == b.log.fault(b.position) == ""


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_torn_or_changed_frame_or_snapshot_changes_nothing(data: st.DataObject) -> None:
    """Bad input, R16: cut anywhere, flipped anywhere; refused, and the state is as before."""
    with tempfile.TemporaryDirectory() as name, two(Path(name)) as (a, b):
        b.apply_delta(a.commit({"mail.user": "x"}, "test", "set").frame)
        octets = a.commit({"mail.user": "y", "extensions.101.name": "Al"}, "test", "set").frame
        if data.draw(st.booleans()):
            octets, take = a.snapshot(), b.load_snapshot
        else:
            take = b.apply_delta  # type: ignore[assignment]
        at = data.draw(st.integers(0, len(octets) - 1))
        bad = octets[:at]
        if data.draw(st.booleans()):
            bad = octets[:at] + bytes([octets[at] ^ data.draw(st.integers(1, 255))]) + octets[at + 1 :]
        before = picture(b)
        with pytest.raises((BadFrame, BadSnapshot)):
            take(bad)
        assert picture(b) == before
        take(octets)
        assert same(a, b)


def test_a_power_cut_after_a_delta_loses_nothing(tmp_path: Path) -> None:
    """R16: acknowledged means durable."""
    with opened(new(tmp_path / "a")) as a:
        frames = [a.commit({"redundancy.group_id": n}, "test", "set").frame for n in (2, 3)]
        new(tmp_path / "b")
        for frame in frames:
            b = opened(tmp_path / "b/settings.db")
            b.apply_delta(frame)
            cut(b)
        with opened(tmp_path / "b/settings.db") as b:
            assert same(a, b)


def test_a_large_office_crosses_in_one_commit(tmp_path: Path) -> None:
    """A QX2000 with 2,000 extensions and phones."""
    values = {f"extensions.{10000 + n}.name": f"n{n}" for n in range(2000)}
    values |= {
        f"phones.00:15:65:00:{n >> 8:02x}:{n & 255:02x}.extension": str(10000 + n) for n in range(2000)
    }
    model = MODELS["qx2000"]
    with Store(new(tmp_path / "a"), model) as a, Store(new(tmp_path / "b"), model) as b:
        b.apply_delta(a.commit(values, "test", "restore").frame)  # type: ignore[arg-type]
        assert same(a, b)
        assert b.settings.count("phones") == 2000


def test_several_deltas_become_durable_with_one_flush(tmp_path: Path) -> None:
    """R16: the same as one after the other, each with its row of the log; a new history among them."""
    with two(tmp_path) as (a, b):
        frames = [a.commit({"mail.user": f"u{n}"}, "test", "set").frame for n in range(3)]
        a.open_history(4)
        frames += [a.commit({"mail.user": f"v{n}", "mail.port": n + 1}, "t", "set").frame for n in range(3)]
        heard: list[bytes] = []
        b.subscribe(lambda revision: heard.append(revision.frame))
        flushes: list[str] = []
        b._db._db.set_trace_callback(lambda words: flushes.append(words) if words == "COMMIT" else None)
        revisions = b.apply_deltas(frames)
        b._db._db.set_trace_callback(None)
        assert flushes == ["COMMIT"]
        assert [r.rev for r in revisions] == [1, 2, 3, 4, 5, 6]
        assert heard == frames == b.log.frames(0)
        assert same(a, b)
        assert b.standing.histories == a.standing.histories
        assert b.scrub() == ""
        assert b.apply_deltas([]) == []
    with opened(tmp_path / "b/settings.db") as b:
        assert b.settings["mail.port"] == 3


def test_a_bad_delta_among_several_keeps_what_stands_before_it(tmp_path: Path) -> None:
    """R16: the state is one that the Master had, whatever came after it."""
    with two(tmp_path) as (a, b):
        one, two_, three = (a.commit({"mail.user": u}, "test", "set").frame for u in "xyz")
        with pytest.raises(OutOfStep):
            b.apply_deltas([one, three])
        assert (b.revision, b.settings["mail.user"]) == (1, "x")
        with pytest.raises(BadFrame):
            b.apply_deltas([two_, three[:-1]])
        assert (b.revision, b.log.fault(b.position)) == (2, "")
        b.apply_deltas([three])
        assert same(a, b)


def test_a_scrub_finds_what_changed_behind_the_store(tmp_path: Path) -> None:
    """R16: flash that gives back something else than was written."""
    with two(tmp_path) as (a, b):
        for store in (a, b):
            store.commit({"mail.user": "x"}, "test", "set")
            store.commit({"mail.user": "y"}, "test", "set")
        a._db._db.execute("UPDATE kv SET v = (SELECT v FROM kv WHERE path = 'mail.user') || x'00'")
        assert "damaged" in a.scrub()
        b._db._db.execute("UPDATE log SET frame = (SELECT frame FROM log WHERE rev = 1) WHERE rev = 2")
        assert "log" in b.scrub()


def test_a_history_is_renewed_without_a_promotion(tmp_path: Path) -> None:
    """R16: a Master that lost what the Backup has uses none of those revisions again."""
    with opened(new(tmp_path)) as a:
        a.commit({"mail.user": "x"}, "test", "set")
        before = a.position
        a.renew_history()
        a.renew_history()
        assert a.position == before
    with opened(tmp_path / "settings.db") as a:
        a.commit({"mail.user": "y"}, "test", "set")
        assert a.position.history != before.history
        assert [h.fork_rev for h in a.standing.histories] == [0, 1]
        at = a.position.history
        a.commit({"mail.user": "z"}, "test", "set")
        assert a.position.history == at
