# SPDX-License-Identifier: Apache-2.0
"""The keyring over every state in which a power cut may leave its files (R1, R16, R17)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crash_states import Recorder, states
from trust_bench import TODAY, A, B, C, contents_of, issued, new_paths, opened

from qx import durable
from qx.paths import Paths
from qx.trust.keyring import Keyring
from qx.trust.pairing import Pin


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return new_paths(tmp_path)


def replay(
    paths: Paths, folder: Path, work: Callable[[Keyring], object], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[bool, Keyring]]:
    """Runs `work` on the keyring, and opens one on every state that a power cut may have left: (is the work
    done in that state's record?, the keyring)."""
    before, recorder = contents_of(paths), Recorder()
    with monkeypatch.context() as patched:
        patched.setattr(durable, "os", recorder)
        with opened(paths) as ring:
            work(ring)
    for number, (count, left) in enumerate(states(before, recorder.record)):
        root = folder / str(number)
        new = new_paths(root)
        for path, octets in left.items():
            file = root / Path(path).relative_to(paths.root)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(octets)
        with opened(new) as ring:
            yield count == len(recorder.record), ring


def test_a_power_cut_while_the_first_key_is_installed(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R1, R16: over every prefix of the file operations: no key, or this one; never damage, never a fault."""
    found = set()
    for done, ring in replay(paths, tmp_path / "cut", lambda r: r.install(issued()[0], TODAY), monkeypatch):
        permission = ring.permission()
        found.add(permission.allowed)
        assert (ring.damage, permission.fault) == ("", False), done
        assert permission.allowed or not done
        assert ring.peer == (B if permission.allowed else None)
        assert ring.install(issued()[0], TODAY).changed  # what was left behind is in nobody's way
    assert found == {True, False}


def test_a_power_cut_while_the_peer_is_replaced(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R1: the old pair with its pin or the new one without; never none, never one's pin for the other."""
    with opened(paths) as ring:
        ring.install(issued()[0], TODAY)
        ring.keep_pin(Pin(b"B"))
    new = issued(serials=(A, C))[0]
    found = set()
    for done, ring in replay(paths, tmp_path / "cut", lambda r: r.install(new, TODAY), monkeypatch):
        found.add(ring.peer)
        assert ring.redundancy_allowed() is None
        assert (ring.peer, ring.pin) in (((C, Pin()),) if done else ((C, Pin()), (B, Pin(b"B"))))
    assert found == {B, C}


def test_a_power_cut_while_a_pin_is_kept(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R17: the old pin or the new one."""
    with opened(paths) as ring:
        ring.install(issued()[0], TODAY)
        ring.keep_pin(Pin(b"one"))
    found = set()
    for done, ring in replay(paths, tmp_path / "cut", lambda r: r.keep_pin(Pin(b"two")), monkeypatch):
        found.add(ring.pin)
        assert ring.redundancy_allowed() is None
        assert ring.pin in ((Pin(b"two"),) if done else (Pin(b"one"), Pin(b"two")))
    assert found == {Pin(b"one"), Pin(b"two")}
