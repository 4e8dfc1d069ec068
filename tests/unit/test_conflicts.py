# SPDX-License-Identifier: Apache-2.0
"""Conflict snapshots: durable over every power cut; seen, compared, exported and merged (R10)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_bench import new_root
from settings_bench import QX200, Recorder, crash_states, lay_out, new, opened
from test_cli import run

from qx.control import conflict_operations as operations
from qx.errors import Refusal
from qx.paths import Paths
from qx.settings import archive, headers
from qx.settings.check import BadSettings
from qx.settings.position import Position
from qx.settings.store import Store
from qx.sync import conflicts
from qx.sync.conflicts import HEADER, BadConflict, Conflict, Conflicts, build, parse

AT = Position(b"h" * 16, 9, b"c" * 16)
THEIRS = Position(b"g" * 16, 12, b"d" * 16)


def made(snapshot: bytes = b"snapshot", **more: object) -> Conflict:
    fields = {"frames": (b"one", b"two"), "voice": ("a.wav",), **more}
    return Conflict(1700000000, "why", "fork", "A", "B", AT, THEIRS, 7, snapshot, **fields)  # type: ignore[arg-type]


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    """Byte for byte, with a number of its own."""
    folder = Conflicts(tmp_path / "conflicts")
    assert folder.found() == []
    assert [folder.keep(made(bytes([n]))).number for n in range(3)] == [1, 2, 3]
    assert folder.read(2) == made(b"\1", number=2)
    assert [(f.number, f.revisions, f.damage) for f in folder.found()] == [(n, 2, "") for n in (1, 2, 3)]
    found = folder.found()[0].conflict
    assert found is not None
    assert (found.snapshot, found.frames, found.voice, found.theirs) == (b"", (), ("a.wav",), THEIRS)
    folder.drop(2)
    assert [f.number for f in folder.found()] == [1, 3]
    for refused in (lambda: folder.read(2), lambda: folder.drop(2)):
        with pytest.raises(Refusal, match="conflict 2: not found; expected one of 1, 3"):
            refused()
    assert (tmp_path / "conflicts/1.conflict").stat().st_mode & 0o777 == 0o600


def test_the_same_is_kept_once(tmp_path: Path) -> None:
    """The power goes between conflict snapshot and snapshot: the next try finds it done."""
    folder = Conflicts(tmp_path / "conflicts")
    assert folder.keep(made()).again is False
    kept = folder.keep(made())
    assert (kept.number, kept.again) == (1, True)
    assert folder.keep(made(frames=())).number == 2


def test_eight_are_kept(tmp_path: Path) -> None:
    """Below, at and above: the ninth drops the oldest."""
    folder = Conflicts(tmp_path / "conflicts")
    dropped = [folder.keep(made(bytes([n]))).dropped for n in range(9)]
    assert dropped == [()] * 8 + [(1,)]
    assert [f.number for f in folder.found()] == list(range(2, 10))
    assert folder.keep(made(bytes([1]))).dropped == ()  # kept already


def test_a_damaged_file_is_named_and_hides_no_other(tmp_path: Path) -> None:
    """Bad input: cut, flipped, of another format, nothing at all, a folder."""
    folder = Conflicts(tmp_path / "conflicts")
    for number in range(3):
        folder.keep(made(bytes([number])))
    (tmp_path / "conflicts/2.conflict").write_bytes(b"QXCF")
    (tmp_path / "conflicts/7.conflict").mkdir()
    for name in ("notes.txt", "x.conflict", "01.conflict", "0.conflict", "new.conflict", "-1.conflict"):
        (tmp_path / "conflicts" / name).write_bytes(b"")
    found = {f.number: f.damage for f in folder.found()}
    assert sorted(found) == [1, 2, 3, 7]
    assert found[1] == found[3] == ""
    assert "2.conflict: conflict snapshot: 4 octets; expected a header of 44" in found[2]
    with pytest.raises(BadConflict, match=r"2\.conflict"):
        folder.read(2)
    folder.drop(2)
    assert folder.keep(made(b"new")).number == 8


def test_every_cut_and_every_flip_is_noticed() -> None:
    """The digest is over all of it."""
    octets = build(made())
    assert parse(octets, 3) == made(number=3)
    for at in range(len(octets)):
        for bad in (octets[:at], octets[:at] + bytes([octets[at] ^ 0x41]) + octets[at + 1 :]):
            with pytest.raises(BadConflict):
                parse(bad)


def test_the_header_is_the_documented_one() -> None:
    """headers.CONFLICT is what struct reads."""
    octets = build(made())
    head = headers.CONFLICT.parse(octets)
    assert headers.CONFLICT.sizeof() == HEADER.size == 44
    assert (head.version, head.flags, head.length) == (1, 0, len(octets) - 44)


@pytest.mark.parametrize("already", [3, 8])
def test_a_power_cut_while_one_is_kept(tmp_path: Path, already: int) -> None:
    """R10, R16: after every prefix of the file operations it is whole or not there; after `keep`, there."""
    work, files = tmp_path / "work", Recorder()
    folder = Conflicts(work, files)
    for number in range(already):
        folder.keep(made(bytes([number])))
    before = {file.name: file.read_bytes() for file in work.iterdir()}
    files.trace.clear()
    folder.keep(made(b"the new one"))
    every = list(crash_states(before, files.trace))
    returned = len(list(crash_states(before, files.trace[:-1])))
    there = []
    for state in every:
        left = Conflicts(lay_out(tmp_path / "cut", state))
        assert not [f.damage for f in left.found() if f.damage]
        kept = [left.read(f.number).snapshot for f in left.found()]
        assert {bytes([n]) for n in range(1, already)} <= set(kept)
        assert b"the new one" in kept or bytes([0]) in kept  # the oldest goes when the new one is durable
        there.append(b"the new one" in kept)
        assert left.keep(made(b"another")).number == max(f.number for f in left.found())
    assert any(there[:returned]) and not all(there[:returned])
    assert all(there[returned:])


def test_a_flush_that_fails_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R16: then the settings are not given up either (test_sync_trouble)."""

    class Failing(Recorder):
        def flush(self, file: Path) -> None:
            raise OSError(5, "Input/output error", str(file))

    folder = Conflicts(tmp_path / "conflicts", Failing())
    with pytest.raises(OSError, match="Input/output error"):
        folder.keep(made())
    assert folder.found() == []


# --- operations and the command line ------------------------------------------------------------------------
@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A unit with settings of its own Master, and a conflict snapshot of what it had before."""
    root = new_root(tmp_path / "root")
    paths = Paths(root)
    with opened(new(tmp_path / "loser")) as loser:
        loser.commit({"mail.user": "both"}, "admin", "set")
        loser.commit({"mail.user": "mine", "mail.password": "s3cret"}, "admin", "set")
        loser.commit({"extensions.101.name": "Al", "extensions.101.password": "s3cret"}, "admin", "set")
        position, snapshot, frames = loser.position, loser.snapshot(), tuple(loser.log.frames(1))
    Conflicts(paths.conflicts).keep(
        Conflict(
            1700000000, "both went on", "fork", "B", "A", position, THEIRS, 1, snapshot, frames, ("x.wav",)
        )
    )
    with opened(paths.settings_db) as store:
        store.commit({"mail.user": "theirs", "extensions.102.name": "Bo"}, "admin", "set")
    yield root


def store_of(root: Path) -> Store:
    return Store(Paths(root).settings_db, QX200)


def test_list_and_show(root: Path) -> None:
    """R10: an administrator sees what there is; never a secret."""
    code, out, err = run("conflict", "--root", root)
    assert (code, err) == (0, "")
    assert "B at revision 3, 2 of its own after 1; gave way to A at revision 12: both went on" in out
    (found,) = json.loads(run("conflict", "list", "--root", root, "--json")[1])
    assert (found["number"], found["unit"], found["voice"], found["damage"]) == (1, "B", ["x.wav"], "")
    out = run("conflict", "show", "1", "--root", root)[1]
    assert "mail.user: both → mine" in out
    assert "mail.password: default → (set)" in out
    assert "voice: x.wav" in out
    shown = json.loads(run("conflict", "show", "1", "--root", root, "--json")[1])
    assert [c["revision"] for c in shown["changes"]] == [2, 3]
    for words in (["list"], ["show", "1"], ["diff", "1"]):
        for more in ([], ["--json"]):
            assert "s3cret" not in "".join(run("conflict", *words, *more, "--root", root)[1:])


def test_diff_is_what_merging_would_bring(root: Path) -> None:
    """R10: from now to then, in both directions."""
    assert run("conflict", "diff", "1", "--root", root)[1].splitlines() == [
        "extensions.101.name: default → Al",
        "extensions.101.password: default → (set)",
        "extensions.102.name: Bo → default",
        "mail.password: default → (set)",
        "mail.user: theirs → mine",
    ]


def test_merge_takes_what_was_chosen_and_nothing_else(root: Path) -> None:
    """R10: by path, by row, by group; one ordinary commit, in the log like any other."""
    assert run("conflict", "merge", "1", "extensions.101", "mail.user", "--root", root) == (
        0, "durable: this\n", "",
    )  # fmt: skip
    with store_of(root) as store:
        settings = store.settings
        assert (settings["mail.user"], settings["extensions.101.password"]) == ("mine", "s3cret")
        assert settings["mail.password"] is None
        assert settings["extensions.102.name"] == "Bo"
        assert store.revision == 2
    assert run("conflict", "merge", "1", "extensions", "--root", root)[0] == 0
    assert run("get", "extensions.102", "--root", root)[0] == 1
    assert json.loads(run("log", "--root", root, "--json", "--last", "1")[1])[0]["what"] == "merge conflict 1"
    code, _, err = run("conflict", "merge", "1", "mail.nonsense", "--root", root)
    assert (code, "mail.nonsense: unknown setting" in err) == (1, True)


def test_merging_never_touches_what_is_the_units_own(root: Path) -> None:
    """R13: pair parameters are judged by `may_write` as with any commit; the unit's own never cross."""
    conflict = Conflicts(Paths(root).conflicts).read(1)
    with store_of(root) as store:
        store.commit({"redundancy.virtual_ip": "10.0.0.1/24", "redundancy.group_id": 9}, "admin", "set")
        assert operations.merging(store, conflict, ["redundancy"]) == {"redundancy.group_id": None}
        for given in ("", "extensions.999", "nonsense"):
            with pytest.raises(BadSettings):
                operations.merging(store, conflict, [given])


def test_export_is_a_configuration_backup(root: Path, tmp_path: Path) -> None:
    """R10, R40: secrets only behind a passphrase; restorable as any other."""
    file, secret = tmp_path / "plain", tmp_path / "sealed"
    code, out, err = run("conflict", "export", "1", file, "--root", root)
    assert (code, err) == (0, "")
    assert "2 secrets are not in it" in out
    assert b"s3cret" not in file.read_bytes()
    (tmp_path / "phrase").write_text("open sesame\n")
    assert (
        run("conflict", "export", "1", secret, "--passphrase-file", tmp_path / "phrase", "--root", root)[0]
        == 0
    )
    assert b"s3cret" not in secret.read_bytes()
    assert (
        archive.opened(archive.read(secret.read_bytes()), "open sesame").secrets["mail.password"] == "s3cret"
    )
    code, _, err = run("conflict", "export", "1", file, "--root", root)
    assert (code, "expected the name of a new file" in err) == (1, True)
    assert run("restore", file, "--root", root)[0] == 0
    assert run("get", "mail.user", "--root", root)[1] == "mine\n"


def test_drop_and_wrong_usage(root: Path) -> None:
    for words, said in (
        (["show"], "show: an argument is missing"),
        (["show", "x"], "'x': expected the number of a conflict snapshot"),
        (["list", "1"], "'1': one argument too many"),
        (["merge", "1"], "merge: an argument is missing"),
        (["burn"], "'burn': expected one of list, show, diff, export, merge, drop"),
        (["list", "--passphrase-file", "x"], "expected with export"),
    ):
        code, _, err = run("conflict", *words, "--root", root)
        assert (code, said in err) == (2, True), err
    assert run("conflict", "drop", "2", "--root", root)[2] == (
        "qx: conflict 2: not found; expected one of 1\n"
    )
    assert run("conflict", "drop", "1", "--root", root) == (0, "", "")
    assert run("conflict", "--root", root) == (0, "", "")


def test_a_damaged_one_is_listed_and_can_be_dropped(root: Path) -> None:
    (Paths(root).conflicts / "4.conflict").write_bytes(b"torn")
    assert "4.conflict: conflict snapshot: 4 octets" in run("conflict", "--root", root)[1]
    code, _, err = run("conflict", "show", "4", "--root", root)
    assert (code, "4.conflict" in err) == (1, True)
    assert run("conflict", "drop", "4", "--root", root)[0] == 0


def test_a_snapshot_in_it_that_is_none_is_named(root: Path) -> None:
    folder = Conflicts(Paths(root).conflicts)
    number = folder.keep(made(b"no snapshot", frames=(b"no frame",))).number
    with store_of(root) as store:
        for work in (operations.shown, operations.difference):
            with pytest.raises(Refusal, match=f"conflict {number}: "):
                work(store, folder, number)


def test_more_than_fits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Conflicts(tmp_path / "conflicts")
    folder.keep(made())
    monkeypatch.setattr(conflicts, "SIZE_MAX", len(build(made())))
    assert folder.read(1)
    monkeypatch.setattr(conflicts, "SIZE_MAX", len(build(made())) - 1)
    with pytest.raises(BadConflict, match=r"1\.conflict: "):
        folder.read(1)
