# SPDX-License-Identifier: Apache-2.0
"""Names, rows and hints of voice data, each on its own (R14, R16)."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from settings_bench import new, opened

from qx.settings.database import Database
from qx.settings.tables import SCHEMA_VERSION
from qx.sync.voice import naming, watch
from qx.sync.voice.manifest import Intent, Manifest, State
from qx.sync.voice.messages import Entry


# --- naming -----------------------------------------------------------------------------------------------
def test_unique_names_sort_by_time_and_have_the_unit() -> None:
    """R14: of two units no two names are the same; the ULID is the specification's example."""
    assert naming.unique_name("QX200-000001", ".wav", 1469918176385, bytes(10)) == (
        "QX200-000001-01ARYZ6S410000000000000000.wav"
    )
    names = [naming.unique_name("A", "", now, random.Random(now).randbytes(10)) for now in range(1000)]
    assert names == sorted(names)
    last = naming.unique_name("A", "", (1 << 48) - 1, b"\xff" * 10)
    assert last == "A-7ZZZZZZZZZZZZZZZZZZZZZZZZZ"


@pytest.mark.parametrize(
    ("now", "chance", "suffix", "said"),
    [(1 << 48, bytes(10), "", "now_ms"), (-1, bytes(10), "", "now_ms"), (0, bytes(9), "", "randomness"),
     (0, bytes(11), "", "randomness"), (0, bytes(10), "/x", "suffix"), (0, bytes(10), "x" * 255, "suffix")],
)  # fmt: skip
def test_unique_names_refuse_what_makes_none(now: int, chance: bytes, suffix: str, said: str) -> None:
    """Bad input: below and above each limit."""
    with pytest.raises(ValueError, match=said):
        naming.unique_name("A", suffix, now, chance)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (b"a/msg.wav", b"a/msg.QX-1-00000000.wav"),
        (b"msg", b"msg.QX-1-00000000"),
        (b".hidden", b".hidden.QX-1-00000000"),
        (b"a.b/c", b"a.b/c.QX-1-00000000"),
    ],
)
def test_a_kept_file_has_the_units_serial(path: bytes, kept: bytes) -> None:
    """R10, R14: it can be told whose it was."""
    assert naming.kept_name(path, "QX-1", bytes(32)) == kept


@given(
    st.binary(min_size=1, max_size=255).filter(lambda n: not naming.fault(n)),
    st.binary(min_size=32, max_size=32),
)
@settings(max_examples=200, deadline=None)
def test_a_kept_name_is_a_good_name_and_another(name: bytes, digest: bytes) -> None:
    """Also where the name is as long as a name can be; other content is kept beside, not over it."""
    kept = naming.kept_name(name, "QX200-000001", digest)
    assert not naming.fault(kept)
    assert kept != name
    other = bytes([digest[0] ^ 1]) + digest[1:]
    assert naming.kept_name(name, "QX200-000001", other) != kept


# --- manifest ---------------------------------------------------------------------------------------------
def entry(path: bytes, content: int) -> Entry:
    return Entry(path, content, content.to_bytes(32), 0)


_PATHS = st.sampled_from([b"a", b"b", b"d/a", b"d/b", b"d/e/f"])
_STEPS = st.lists(
    st.tuples(_PATHS, st.sampled_from(["put", "gone", "forget", "mark"]), st.integers(1, 3)), max_size=30
)


@given(_STEPS)
@settings(max_examples=60, deadline=None)
def test_the_root_says_what_there_is_and_nothing_of_how_it_came(steps: list[tuple[bytes, str, int]]) -> None:
    """Two manifests of the same files have the same root, counts and sums, whatever happened before."""
    import tempfile

    with (
        tempfile.TemporaryDirectory() as folder,
        opened(new(Path(folder) / "a")) as a,
        opened(new(Path(folder) / "b")) as b,
    ):
        long, short = Manifest(a.database), Manifest(b.database)
        files: dict[bytes, int] = {}
        for path, what, content in steps:
            with long.moving() as move:
                match what:
                    case "put":
                        assert move.put(entry(path, content), b"k", State.SETTLED, True) == (
                            files.get(path) != content
                        )
                        files[path] = content
                    case "gone":
                        assert bool(move.gone(path)) == (path in files)
                        files.pop(path, None)
                    case "forget":
                        move.forget(path)
                        files.pop(path, None)
                    case _:
                        move.mark(path, State.UNSETTLED)
        with short.moving() as move:
            for path, content in files.items():
                move.put(entry(path, content), b"other", State.UNSETTLED, False)
        assert (long.root, long.files, long.octets) == (short.root, short.files, short.octets)
        assert long.files == len(files)
        assert long.octets == sum(files.values())
        assert (long.root == bytes(32)) == (not files)
        again = Manifest(a.database)
        assert (again.root, again.files, again.octets) == (long.root, long.files, long.octets)


def test_a_transaction_that_fails_changes_nothing_in_memory(tmp_path: Path) -> None:
    """R16: rows and root move together."""
    with opened(new(tmp_path)) as store:
        manifest = Manifest(store.database)
        with manifest.moving() as move:
            move.put(entry(b"a", 1), b"", State.SETTLED, True)
        before = manifest.root
        with pytest.raises(ZeroDivisionError), manifest.moving() as move:
            move.put(entry(b"b", 1), b"", State.SETTLED, True)
            raise ZeroDivisionError
        assert (manifest.root, manifest.files) == (before, 1)
        assert manifest.row(b"b") is None


def test_what_comes_while_the_rest_is_noted_as_shared_is_not(tmp_path: Path) -> None:
    """R10, R14: the other unit acknowledged what there was. What a commit put before the next step of noting
    it is not among that, nor is a deletion of that time forgotten."""
    with opened(new(tmp_path)) as store:
        manifest = Manifest(store.database)
        with manifest.moving() as move:
            for path in (b"a", b"b", b"c"):
                move.put(entry(path, 1), b"k", State.SETTLED, False)
        acknowledged = manifest.root
        assert manifest.all_shared(acknowledged, 2) == 2
        with manifest.moving() as move:
            move.put(entry(b"new", 2), b"k", State.SETTLED, False)
            move.gone(b"a")
        assert manifest.all_shared(acknowledged, 2) == 0
        assert {b"c", b"new"} <= set(manifest.unshared(9))
        assert manifest.all_shared(manifest.root, 9) > 0
        assert manifest.unshared(9) == [] and not manifest.fresh()


@pytest.mark.parametrize("most", [1, 2, 5, 6, 7])
def test_a_manifest_that_is_read_in_slices_is_the_same(tmp_path: Path, most: int) -> None:
    """The store's thread is nobody's for long: also a start with many folders goes in slices."""
    with opened(new(tmp_path)) as store:
        manifest = Manifest(store.database)
        with manifest.moving() as move:
            for path in (b"a", b"b/a", b"c/a", b"c/b", b"c/d/a", b"\xff/a", b"gone/a"):
                move.put(entry(path, 3), b"k", State.SETTLED, False)
        with manifest.moving() as move:
            move.gone(b"gone/a")
        sliced = Manifest(store.database, whole=False)
        steps = 0
        while sliced.load(most):
            steps += 1
        assert steps == -(-6 // most)
        assert (sliced.root, sliced.files, sliced.octets) == (manifest.root, 6, 18)
        assert sliced.stats.keys() == manifest.stats.keys()


def test_intents_outlive_a_start(tmp_path: Path) -> None:
    """R16: they are what a cut leaves to be done."""
    file = new(tmp_path)
    intents = [Intent(b".sync/x", b"a", bytes(32)), Intent(b"b", b"", bytes(32))]
    with opened(file) as store:
        Manifest(store.database).intend(intents)
    with opened(file) as store:
        manifest = Manifest(store.database)
        assert manifest.intents() == intents
        with manifest.moving() as move:
            move.intents_done()
        assert manifest.intents() == []


def test_a_store_of_format_2_gets_an_empty_manifest(tmp_path: Path) -> None:
    """R5: an upgrade keeps every setting; the first scan fills the manifest."""
    file = new(tmp_path)
    with opened(file) as store:
        store.commit({"redundancy.group_id": 18}, "test", "set")
        position = store.position
    db = Database(file, 0)
    with db.transaction():  # as format 2 had it
        for table in ("voice_file", "voice_folder", "voice_intent"):
            db.execute(f"DROP TABLE {table}")
        db.execute("UPDATE meta SET v = x'02' WHERE name = 'schema_version'")
    db.close()
    with opened(file) as store:
        assert store.position == position
        assert store.settings["redundancy.group_id"] == 18
        manifest = Manifest(store.database)
        with manifest.moving() as move:
            move.put(entry(b"a", 1), b"", State.SETTLED, True)
    assert SCHEMA_VERSION >= 3
    with opened(file) as store:
        assert Manifest(store.database).files == 1


# --- watch ------------------------------------------------------------------------------------------------
def test_what_inotify_says_is_read_as_it_says_it() -> None:
    """inotify(7): several events in one read, names padded with zeros, a torn end."""
    event = watch._EVENT.pack(1, watch.CLOSE_WRITE, 0, 16) + b"name".ljust(16, b"\0")
    whole = event + watch._EVENT.pack(-1, watch.OVERFLOW, 0, 0)
    assert watch.parse(whole) == [(1, watch.CLOSE_WRITE, b"name"), (-1, watch.OVERFLOW, b"")]
    assert watch.parse(whole + event[:10]) == watch.parse(whole)
    assert os.fsencode("x") == b"x"
