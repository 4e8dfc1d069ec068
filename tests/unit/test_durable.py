# SPDX-License-Identifier: Apache-2.0
"""Files that must last: whole or as they were, over every state that a power cut may leave (R16, R38)."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from crash_states import Recorder, states

import qx
from qx import durable

FIRMWARE = Path(qx.__file__).parent

# Who flushes by other means, and why: a tree walked by handles, octets written over in place, a log that
# grows, a slot that is read back from flash.
OTHERWISE = {"sync/voice/tree.py", "upgrade/environment.py", "events/journal.py", "upgrade/slots.py"}


@pytest.mark.parametrize("before", [None, b"old" * 50])
def test_a_power_cut_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    """R16: over every prefix of the operations; the new one when the call has returned."""
    file, new, recorder = tmp_path / "data" / "file", b"new" * 70, Recorder()
    kept = {}
    if before is not None:
        file.parent.mkdir()
        file.write_bytes(before)
        kept = {str(file): before}
    with monkeypatch.context() as patched:
        patched.setattr(durable, "os", recorder)
        durable.replace(file, new)
    found = set()
    for count, left in states(kept, recorder.record):
        content = left.get(str(file))
        assert content in (before, new), count
        assert content == new or count < len(recorder.record)
        found.add(content)
    assert found == {before, new}
    assert file.read_bytes() == new
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("call", "number"),
    [("open", errno.EROFS), ("write", errno.ENOSPC), ("fsync", errno.EIO), ("rename", errno.EIO)],
)
def test_flash_that_refuses_leaves_it_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """Disk full, a failed flush: said, nothing half done, nothing left beside it."""
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    broken = Recorder()
    setattr(broken, call, fail)
    with monkeypatch.context() as patched:
        patched.setattr(durable, "os", broken)
        with pytest.raises(OSError, match=os.strerror(number)):
            durable.replace(file, b"new")
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"file": b"old"}
    durable.replace(file, b"new")
    assert file.read_bytes() == b"new"


def test_a_link_or_a_leftover_beside_it_is_not_followed(tmp_path: Path) -> None:
    """Bad input: what lies under the name of the fresh file is replaced, never written through."""
    target = tmp_path / "target"
    target.write_bytes(b"of somebody else")
    (tmp_path / "file.new").symlink_to(target)
    durable.replace(tmp_path / "file", b"new", 0o644)
    assert target.read_bytes() == b"of somebody else"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_create_refuses_what_is_there(tmp_path: Path) -> None:
    durable.create(tmp_path / "file", b"one")
    with pytest.raises(FileExistsError):
        durable.create(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"one"


def test_whoever_flushes_does_it_here() -> None:
    """One way to make a file last; the others are few and named."""
    flushing = re.compile(r"\bf(?:data)?sync\(")
    found = {
        file.relative_to(FIRMWARE).as_posix()
        for file in FIRMWARE.rglob("*.py")
        if flushing.search(file.read_text())
    }
    assert found == OTHERWISE | {"durable.py"}
