# SPDX-License-Identifier: Apache-2.0
"""unset, log, diff, revert, backup and restore as a user runs them, with a daemon and without (R31, R40)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_bench import Bench, new_root
from test_cli import run

from qx.control import client
from qx.errors import Refusal
from qx.settings import archive


@pytest.fixture(params=["daemon", "no daemon"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Three revisions, with a daemon on the root and without."""
    root = new_root(tmp_path / "a")
    if request.param == "daemon":
        with Bench(root):
            yield history(root)
    else:
        yield history(root)


def history(root: Path) -> Path:
    for changes in (
        ["mail.server=a.example", "redundancy.group_id=18"],
        ["mail.server=b.example", "mail.password=hidden"],
        ["extensions.101.name=Al", "extensions.101.password=hidden", "fxo.1.extension=101"],
    ):
        assert run("set", "--root", root, *changes)[0] == 0
    return root


def test_log_diff_and_revert(root: Path) -> None:
    """R31: what was set when and by whom; secrets are never shown."""
    code, out, err = run("log", "--root", root, "--last", "2")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"2  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  command line, set", lines[0])
    assert lines[1:3] == ["    mail.password: default → (set)", "    mail.server: a.example → b.example"]
    assert [r["revision"] for r in json.loads(run("log", "--root", root, "--json")[1])] == [1, 2, 3]
    assert run("diff", "1..2", "--root", root)[1].splitlines() == [
        "mail.password: default → (set)",
        "mail.server: a.example → b.example",
    ]
    assert json.loads(run("diff", "2..1", "--root", root, "--json")[1])[1] == {
        "path": "mail.server", "before": "b.example", "after": "a.example",
    }  # fmt: skip
    assert len(run("diff", "0..", "--root", root)[1].splitlines()) == 6
    assert run("revert", "2", "--root", root) == (0, "durable: this\n", "")
    assert run("get", "mail.server", "--root", root)[1] == "a.example\n"
    assert run("get", "mail.password", "--root", root)[1] == "(not set)\n"
    assert json.loads(run("log", "--root", root, "--json", "--last", "1")[1])[0]["what"] == "revert 2"
    assert "hidden" not in "".join(run("log", "--root", root, *more)[1] for more in ([], ["--json"]))


def test_unset_takes_settings_and_rows_away(root: Path) -> None:
    """A row goes whole; what refers to it goes with it or keeps it."""
    code, _, err = run("unset", "extensions.101", "--root", root)
    assert (code, err) == (1, "qx: extensions.101: fxo.1.extension refers to it; expected it to stay\n")
    assert run("unset", "extensions.101", "fxo", "redundancy.group_id", "--root", root)[0] == 0
    assert run("get", "extensions", "--root", root)[0] == 1
    assert run("get", "redundancy.group_id", "--root", root)[1] == "1\n"
    assert "unknown setting" in run("unset", "nonsense", "--root", root)[2]


def test_backup_and_restore(root: Path, tmp_path: Path) -> None:
    """R40: one file; without a passphrase without secrets, and said so; restored whole."""
    file = tmp_path / "file"
    code, out, err = run("backup", file, "--root", root)
    assert (code, err) == (0, "")
    assert re.fullmatch(r".*file: \d+ octets; 2 secrets are not in it .*\n", out)
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("backup", file, "--root", root)[2].endswith("File exists; expected the name of a new file\n")
    assert (
        run("set", "mail.server=c.example", "mail.user=new", "redundancy.group_id=9", "--root", root)[0] == 0
    )
    code, out, err = run("restore", file, "--root", root)
    assert (code, err) == (0, "")
    assert out == "2 settings changed; durable: this; 2 secrets kept as they were\n"
    assert run("get", "mail.server", "mail.user", "redundancy.group_id", "--root", root)[1].splitlines() == [
        "mail.server=b.example", "mail.user=", "redundancy.group_id=9",
    ]  # fmt: skip
    assert json.loads(run("log", "--root", root, "--json", "--last", "1")[1])[0]["what"] == "restore"


def test_a_passphrase_comes_from_a_file(root: Path, tmp_path: Path) -> None:
    """R17, R40: never as an argument; the secrets come back with it."""
    (tmp_path / "pass").write_text("correct horse\n")
    (tmp_path / "empty").write_text("\n")
    options = ["--passphrase-file", tmp_path / "pass", "--root", root]
    assert json.loads(run("backup", tmp_path / "file", *options, "--json")[1])["left_out"] == []
    assert b"hidden" not in (tmp_path / "file").read_bytes()
    assert run("unset", "mail", "--root", root)[0] == 0
    assert "passphrase: missing" in run("restore", tmp_path / "file", "--root", root)[2]
    assert "empty; expected a passphrase" in run("restore", tmp_path / "file", "--root", root,
                                                 "--passphrase-file", tmp_path / "empty")[2]  # fmt: skip
    assert run("restore", tmp_path / "file", *options)[0] == 0
    assert run("get", "mail.password", "--root", root)[1] == "(set)\n"


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["revert", "9"], 1, "revision 9: expected one from 1 to 3"),
        (["revert", "1"], 1, "mail.server: changed again in revision 2"),
        (["diff", "0..9"], 1, "revision 9: expected one from 0 to 3"),
        (["restore", "/nothing"], 1, "/nothing: No such file or directory; expected a configuration backup"),
        (["restore", "/dev/null"], 1, "backup: expected a configuration backup"),
        (["backup", "/nothing/file"], 1, "/nothing/file: No such file or directory; expected the name"),
        (["revert", "x"], 2, "revert: x: 'x'; expected the number of a revision"),
        (["revert"], 2, "revert: an argument is missing"),
        (["diff", "1..2..3"], 2, "diff: 1..2..3: '2..3'; expected the number"),
        (["diff", ".."], 2, "diff: '..': expected REV..REV"),
        (["log", "--last", "-1"], 2, "log: --last: '-1'; expected the number"),
        (["restore"], 2, "restore: an argument is missing"),
        (["restore", "-", "--passphrase-file", "-"], 2, "restore: --passphrase-file: standard input is"),
    ],
)
def test_what_is_wrong_is_said_on_one_line(tmp_path: Path, argv: list[str], code: int, said: str) -> None:
    """Bad input: exit codes of the contract."""
    root = history(new_root(tmp_path))
    done, out, err = run(*argv, "--root", root)
    assert (done, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(f"qx: {said}")


def test_a_unit_that_may_not_write_refuses_every_write(tmp_path: Path) -> None:
    """R19, R13: set, unset, revert and restore ask before they commit, with what would differ."""
    root = history(new_root(tmp_path))
    with Bench(root) as bench:
        paths, unit = bench.unit.paths, bench.unit
        octets = archive.make(unit.store.settings.replaced({"mail.user": "x"}), "1.0.0", 0)
        unit.refuse_to_write = "this device is Backup; its settings are read-only"
        before = unit.store.position
        for operation, arguments in (
            ("set", {"changes": {"mail.user": "x", "mail.server": "b.example"}}),
            ("unset", {"paths": ["mail.server"]}),
            ("revert", {"revision": 2}),
            ("restore", {"archive": octets}),
        ):
            with pytest.raises(Refusal, match="read-only"):
                client.call(paths, operation, arguments)
        assert unit.asked == [
            {"mail.user": "x"},
            {"mail.server": None},
            {"mail.server": "a.example", "mail.password": None},
            {"mail.user": "x"},
        ]
        assert unit.store.position == before
        assert unit.applied == []
        same = {"changes": {"mail.server": "b.example"}}
        assert client.call(paths, "set", same)["changed"] == ()  # nothing would differ: nobody is asked
        unit.refuse_to_write = ""
        assert client.call(paths, "restore", {"archive": octets})["changed"] == ("mail.user",)
        assert unit.applied == [{"mail.user"}]


@pytest.mark.parametrize(
    ("operation", "arguments", "said"),
    [
        ("unset", {"paths": "mail"}, "paths: expected a list"),
        ("unset", {"paths": [""]}, "unknown setting"),
        ("log", {"last": -1}, "last: expected a whole number"),
        ("diff", {"since": "1"}, "since: expected a whole number"),
        ("revert", {"revision": True}, "revision: expected a whole number"),
        ("revert", {}, "revision 0: expected one from 1 to 3"),
        ("backup", {"passphrase": 3}, "passphrase: expected a text"),
        ("restore", {}, "archive: expected octets"),
        ("restore", {"archive": "text"}, "archive: expected octets"),
    ],
)
def test_bad_arguments_are_named(
    tmp_path: Path, operation: str, arguments: dict[str, object], said: str
) -> None:
    """Bad input: on the socket as well."""
    with Bench(history(new_root(tmp_path))) as bench, pytest.raises(Refusal) as caught:
        client.call(bench.unit.paths, operation, arguments)
    assert said in str(caught.value)
