# SPDX-License-Identifier: Apache-2.0
"""What no peer sends: refused, and nothing read or written outside the tree (R17, Bad input)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voice_bench import connect, in_step, pair, run

from qx.redundancy.peer.message import VOICE, BadMessage
from qx.sync.voice import messages
from qx.sync.voice.messages import BATCH_FILES, CHUNK
from qx.sync.voice.naming import DEPTH_MAX, NAME_MAX, PATH_MAX
from waiting import until

H = bytes(32)
BAD_PATHS = [
    b"/etc/passwd", b"../x", b"a/../../x", b"a/./b", b".", b"..", b"", b"a//b", b"a/", b"a\0b", b".sync/tree",
    b".trash/x", b".sync", b"x" * (NAME_MAX + 1), b"/".join([b"d"] * (DEPTH_MAX + 1)),
    b"/".join([b"d" * 200] * 6),
]  # fmt: skip
GOOD_PATHS = [b"x" * NAME_MAX, b"/".join([b"d"] * DEPTH_MAX), b"a/.sync/b", b"..a/b..", b"\xff\xfe", b" "]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_leads_elsewhere_is_refused_in_every_message(path: bytes) -> None:
    """R17: traversal, absolute, ours, too long: named as what it is."""
    bodies: list[tuple[int, Any]] = [
        (messages.CHANGES, (1, H, ((path, 1, H, 0),), ())),
        (messages.CHANGES, (1, H, (), (path,))),
        (messages.SURPLUS, (((path, 1, H, 0),),)),
        (messages.WANT, (((path, H, 0, 1),),)),
        (messages.LACKING, (path, H)),
        (messages.DOUBT, (path,)),
    ]
    if path:
        bodies += [
            (messages.ENTRIES_WANTED, (path, None)),
            (messages.FOLDERS, (None, ((path, H),), True)),
            (messages.ENTRIES, (path, b"", (), True)),
        ]
    if b"/" not in path or len(path) > NAME_MAX:
        bodies.append((messages.ENTRIES, (b"", b"", ((path, 1, H, 0),), True)))
    for kind, body in bodies:
        with pytest.raises(BadMessage, match=r"^voice: .*expected"):
            messages.read(kind, body)


@pytest.mark.parametrize("path", GOOD_PATHS)
def test_a_path_at_the_limits_is_taken(path: bytes) -> None:
    """Bad input: at the limits, and names that only look odd."""
    assert messages.read(messages.DOUBT, (path,)) == (path,)
    assert len(b"d/" * 7 + b"x" * (PATH_MAX - 14)) == PATH_MAX


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (messages.BLOBS, (((H, 0, b"x" * CHUNK),),), (((H, 0, b"x" * (CHUNK + 1)),),)),
        (
            messages.CHANGES,
            (1, H, ((b"a", 0, H, -1),) * BATCH_FILES, ()),
            (1, H, ((b"a", 0, H, 0),) * 257, ()),
        ),
        (messages.CHANGES, (1, H, (), (b"a",) * BATCH_FILES), (1, H, (), (b"a",) * 257)),
        (messages.STATE, (0, H, 0, 1 << 62), (0, H, 0, (1 << 62) + 1)),
        (messages.STATE, (0, H, 0, 0), (0, H, 0, -1)),
        (messages.STATE, (0, H, 0, 0), (0, H[1:], 0, 0)),
        (messages.STATE, (0, H, 0, 0), (True, H, 0, 0)),
        (messages.STATE, (0, H, 0, 0), (0, H, 0)),
        (messages.TROUBLE, ("x" * 500,), ("x" * 501,)),
        (messages.FOLDERS, (None, (), False), (None, (), 0)),
        (messages.HERE, (), None),
    ],
)
def test_limits_of_each_message(kind: int, good: Any, bad: Any) -> None:
    """Bad input: at and above."""
    assert len(messages.read(kind, good)) == len(good)
    with pytest.raises(BadMessage, match="expected"):
        messages.read(kind, bad)


_ANY: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.binary(max_size=40), st.text(max_size=5), st.just(H)
    ),
    lambda inner: st.lists(inner, max_size=5).map(tuple),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(VOICE)), _ANY)
def test_any_body_is_read_or_refused(kind: int, body: Any) -> None:
    """R17: never another error, whatever comes."""
    try:
        assert isinstance(messages.read(kind, body), tuple)
    except BadMessage as error:
        assert "expected" in str(error)


@pytest.mark.parametrize(
    ("leading", "kind", "body"),
    [
        (False, messages.BLOBS, (((H, 0, b"x"),),)),
        (True, messages.BLOBS, (((H, 0, b"x"),),)),
        (False, messages.LACKING, (b"x", H)),
        (False, messages.ENTRIES, (b"", b"", (), True)),
        (False, messages.TAKEN, (1,)),
        (True, messages.AT, (99, H, 0, 0)),
        (True, messages.WANT, (((b"a", H, 0, 1 << 40),),)),
        (False, 47, (1,)),
    ],
)
def test_what_was_not_asked_for_ends_the_session(tmp_path: Path, leading: bool, kind: int, body: Any) -> None:
    """R17: content, answers and acknowledgements out of turn; a request for more than the credit."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            a.write("f", b"1")
            await in_step(a, b)
            (two if leading else one).send(kind, body)  # from the other side
            line = one if leading else two
            await until(lambda: not line.up)
            assert isinstance(line.error, BadMessage)
            await until(lambda: not one.up and not two.up)
            await connect(a, b)
            a.write("g", b"2")
            await in_step(a, b)

    run(check())


def test_more_requests_than_a_backup_makes_end_the_session(tmp_path: Path) -> None:
    """R17: what waits in memory is bounded."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            await in_step(a, b)
            for _ in range(500):
                two.send(messages.FOLDERS_WANTED, (None,))
            await until(lambda: not one.up)
            assert "requests" in str(one.error)

    run(check())


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """R17: on either unit, for reading and for writing, also where a folder becomes a link in between."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, _, two):
            outside = tmp_path / "outside"
            outside.mkdir()
            (outside / "secret").write_bytes(b"secret")
            a.write("d/f", b"1")
            await in_step(a, b)
            # Reading: the Backup asks for a path behind a link.
            (a.voice / "link").symlink_to(outside)
            (a.voice / "file").symlink_to(outside / "secret")
            for path in (b"link/secret", b"file"):
                before = len(two.heard_kinds)
                two.up = False  # this test listens itself
                two.send(messages.WANT, (((path, H, 0, 6),),))
                await until(lambda before=before: len(two.heard_kinds) > before)
                assert two.heard_kinds[before:] == [messages.LACKING]
                two.up = True
            # Writing: the folder of the Backup was replaced.
            (b.voice / "d").rename(tmp_path / "aside")
            (b.voice / "d").symlink_to(outside)
            a.write("d/new", b"2")
            a.write("other", b"3")
            await until((b.voice / "other").exists)
            await asyncio.sleep(0.3)
            assert sorted(p.name for p in outside.iterdir()) == ["secret"]
            # Deleting behind it, and a whole comparison.
            (a.voice / "d/f").unlink()
            b.part.reconcile()
            a.part.reconcile()
            await asyncio.sleep(0.5)
            assert sorted(p.name for p in outside.iterdir()) == ["secret"]
            (b.voice / "d").unlink()
            b.part.reconcile()
            a.part.reconcile()
            await until(lambda: b.files().get("d/new") == b"2")
            await in_step(a, b)

    run(check())


def test_a_sparse_file_beyond_32_bits_has_its_size(tmp_path: Path) -> None:
    """Bad input: 4 GiB and more in one file is a matter of time, not of width."""
    entry = (b"f", (4 << 30) + 1, H, 0)
    assert messages.read(messages.CHANGES, (1, H, (entry,), ()))[2][0].size == (4 << 30) + 1
    assert messages.read(messages.WANT, (((b"f", H, 4 << 30, 1),),))[0][0].offset == 4 << 30
    with (tmp_path / "f").open("wb") as file:
        os.truncate(file.fileno(), (4 << 30) + 1)
    from qx.sync.voice.tree import Tree

    tree = Tree(tmp_path)
    tree.open()
    assert tree.read(b"f", 4 << 30, 10) == b"\0"
    tree.close()
