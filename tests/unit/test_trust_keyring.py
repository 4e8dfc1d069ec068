# SPDX-License-Identifier: Apache-2.0
"""The keyring: what is installed, whom it binds the unit to, and no power cut loses it (R1, R17, R37)."""

from __future__ import annotations

import errno
import logging
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from crash_states import Recorder
from hypothesis import given, settings
from hypothesis import strategies as st
from trust_bench import (
    DEVELOPMENT,
    STRANGER,
    TODAY,
    UNIT,
    A,
    B,
    C,
    contents_of,
    issued,
    new_paths,
    opened,
    traces,
)

from qx import durable
from qx.errors import Refusal
from qx.paths import Paths
from qx.trust import bond, files, refused
from qx.trust.kept import KeyringBusy
from qx.trust.keyring import KEYS_MAX
from qx.trust.pairing import Pin, Seen


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return new_paths(tmp_path)


def test_a_new_unit_has_no_key_and_may_run_standalone(paths: Paths) -> None:
    """R1: without a key the page says so and the unit runs standalone."""
    ring = opened(paths, write=None)
    assert ring.permission() == bond.Permission(
        False, "no redundancy key is installed; install one with `qx licence install -`", False
    )
    assert (ring.peer, ring.pair_secret(), ring.licences(), ring.pin) == (None, None, (), Pin())
    assert not paths.trust.exists()


def test_an_installed_key_is_there_after_a_reboot(paths: Paths) -> None:
    """R1: a unit joins a group only with a valid redundancy key for its own serial number."""
    a, b = issued("redundancy,recording")
    with opened(paths) as ring:
        done = ring.install(a, TODAY)
        assert (done.changed, done.new_peer, done.removed) == (True, False, ())
        assert ring.redundancy_allowed() is None
    for write in (0, None):
        with opened(paths, write=write) as ring:
            assert ring.redundancy_allowed() is None
            assert ring.peer == B
            assert [x.features for x in ring.licences()] == [{"redundancy", "recording"}]
            secret = ring.pair_secret()
    (paths.root / "b").mkdir()
    with opened(new_paths(paths.root / "b"), B) as other:
        other.install(b, TODAY)
        assert secret is not None
        assert other.pair_secret() == secret
    for file in (*paths.trust.iterdir(), paths.trust):
        assert stat.S_IMODE(file.stat().st_mode) == (0o700 if file.is_dir() else 0o600)


def test_installing_a_key_again_changes_nothing(paths: Paths) -> None:
    a, _ = issued()
    with opened(paths) as ring:
        ring.install(a, TODAY)
        before = contents_of(paths)
        assert not ring.install(a.lower(), TODAY).changed
        assert contents_of(paths) == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (issued()[1], refused.OtherSerial),
        (issued(signer=STRANGER)[0], refused.UnknownSigner),
        (issued("fax", (A, C))[0], refused.OtherPeer),
        (issued(expires=TODAY)[0], refused.Expired),
        (issued()[0][:-1], refused.Truncated),
        ("", refused.NotAKey),
    ],
)
def test_a_refused_key_leaves_everything_as_it_was(
    paths: Paths, text: str, reason: type[refused.KeyRefused]
) -> None:
    """Bad input: a clear error that leaves the state as it was."""
    with opened(paths) as ring:
        ring.install(issued()[0], TODAY)
        before, plain = contents_of(paths), ring.plain()
        with pytest.raises(reason):
            ring.install(text, TODAY + timedelta(days=1))
        assert contents_of(paths) == before
        assert ring.plain() == plain


def test_expiry_is_judged_at_installation_only(paths: Paths) -> None:
    """R1: keys are judged for expiry only when they are installed."""
    with opened(paths) as ring:
        ring.install(issued(expires=TODAY)[0], TODAY)  # whatever day it is when this test runs
    assert opened(paths).redundancy_allowed() is None


def test_more_features_come_in_keys_of_their_own(paths: Paths) -> None:
    """R37: further keys are issued in matching sets; a key takes the place of those it covers."""
    with opened(paths) as ring:
        ring.install(issued()[0], TODAY)
        ring.install(issued("recording")[0], TODAY)
        ring.install(issued("fax")[0], TODAY)
        assert len(ring.plain()["keys"]) == 3
        ring.install(issued("recording,fax,queues")[0], TODAY)
        assert ring.plain()["features"] == ["fax", "queues", "recording", "redundancy"]
        assert len(ring.plain()["keys"]) == 2
        assert ring.redundancy_allowed() is None


def test_a_replacement_set_binds_the_unit_to_its_new_peer(paths: Paths) -> None:
    """R5, guide section 5: keys for a new peer; old ones stay listed and are not in force; the pin goes."""
    with opened(paths) as ring:
        ring.install(issued("redundancy,recording")[0], TODAY)
        ring.install(issued("fax")[0], TODAY)
        ring.keep_pin(Pin(b"certificate of B"))
        done = ring.install(issued(serials=(A, C))[0], TODAY)
        assert (done.new_peer, done.removed) == (True, ("fax", "recording"))
        for again in (ring, None):
            again = again or opened(paths, write=None)
            assert (again.peer, again.pin) == (C, Pin())
            assert again.plain()["features"] == ["redundancy"]
            assert [k["in_force"] for k in again.plain()["keys"]] == [False, False, True]
            assert again.redundancy_allowed() is None


def test_a_lost_key_is_a_fault_and_not_a_fresh_start(paths: Paths) -> None:
    """R1: a unit whose data names a peer never runs standalone again by accident."""
    with opened(paths) as ring:
        ring.install(issued()[0], TODAY)
    (paths.trust / "keys").unlink()
    with opened(paths) as ring:
        assert ring.permission() == bond.Permission(
            False,
            f"the redundancy key is missing, and this unit is paired with {B}; "
            "install one with `qx licence install -`",
            True,
        )
        assert ring.pair_secret() is None
        ring.install(issued()[0], TODAY)
        assert ring.redundancy_allowed() is None


def test_a_lost_name_of_the_peer_is_written_again(paths: Paths) -> None:
    """R1: the key names the peer as well."""
    with opened(paths) as ring:
        ring.install(issued()[0], TODAY)
    (paths.trust / "peer").unlink()
    with opened(paths) as ring:
        assert (ring.peer, ring.redundancy_allowed(), ring.trouble) == (B, None, "")
    assert (paths.trust / "peer").exists()


def test_every_damage_is_named_and_is_a_fault_and_is_mended_by_a_key(paths: Paths) -> None:
    """R1: key damaged means fault, with the file named; a key installed anew repairs it."""
    a, _ = issued()
    with opened(paths) as ring:
        ring.install(a, TODAY)
        ring.keep_pin(Pin(b"one"))
    whole = {f: f.read_bytes() for f in paths.trust.iterdir()}
    for file, octets in whole.items():
        damages = [octets[:length] for length in range(0, len(octets), 7)]
        damages += [bytes(len(octets)), octets + b"x", b"x" * 2_000_000]
        for at in range(0, len(octets), 5):
            damages.append(octets[:at] + bytes([octets[at] ^ 4]) + octets[at + 1 :])
        for damaged in damages:
            file.write_bytes(damaged)
            with opened(paths) as ring:
                found = ring.permission()
                assert (found.allowed, found.fault) == (False, True)
                assert str(file) in found.why
                assert ring.pair_secret() is None
        with opened(paths) as ring:
            ring.install(a, TODAY)
            assert ring.redundancy_allowed() is None
            assert ring.pin == (Pin(b"one") if file.name == "keys" else Pin())
        for name, good in whole.items():
            name.write_bytes(good)
    (paths.trust / "peer").unlink()
    (paths.trust / "peer").mkdir()
    assert "Is a directory" in str(opened(paths).redundancy_allowed())


def test_a_file_of_newer_firmware_is_not_called_damaged(paths: Paths) -> None:
    with opened(paths) as ring:
        ring.install(issued()[0], TODAY)
    file = paths.trust / "keys"
    file.write_bytes(file.read_bytes()[:4] + b"\0\2" + file.read_bytes()[6:])
    assert "version 2 of newer firmware; expected 1 or older" in str(opened(paths).redundancy_allowed())


def test_keys_that_no_longer_count_are_a_fault(paths: Paths) -> None:
    """R1: a development key on a customer's board, a unit of another serial number, a broken image."""
    with opened(paths) as ring:
        ring.install(issued(signer=DEVELOPMENT)[0], TODAY)
    found = opened(paths, board=UNIT, write=None).permission()
    assert found.fault
    assert "signed with the development key" in found.why
    found = opened(paths, serial=C, write=None).permission()
    assert found.fault
    assert f"for serial number {A}, and this unit is {C}" in found.why
    paths.signers.write_text("[")
    ring = opened(paths, write=None)
    assert ring.permission().fault
    assert "signers.toml: not readable" in ring.permission().why
    with pytest.raises(Refusal, match=r"signers\.toml"):
        ring.install(issued()[0], TODAY)


def test_the_keys_of_two_units_side_by_side(paths: Paths) -> None:
    """R5, R37: keys for each other's serial numbers; the Master shows which keys the Backup lacks."""
    sets = {n: issued(n) for n in ("redundancy", "redundancy,fax", "recording", "fax")}
    other_a, other_b = issued(serials=(A, C)), issued(serials=(C, B))

    def compare(ours: list[str], theirs: list[str]) -> bond.Comparison:
        (a, b) = (paths.root / "x", paths.root / "y")
        for folder in (a, b):
            for file in (folder / "data/qx/trust").glob("*"):
                file.unlink()
        made = [new_paths(f) if not f.exists() else Paths(f) for f in (a, b)]
        with opened(made[0]) as one, opened(made[1], B) as two:
            for ring, texts in ((one, ours), (two, theirs)):
                for text in texts:
                    ring.install(text, TODAY)
            publics = [licence.public for licence in two.licences()]
            return bond.compare(one.licences(), one.read_publics([*publics, b"junk", b""]))

    (a, b), (more_a, more_b) = sets["redundancy"], sets["redundancy,fax"]
    rec, fax = sets["recording"], sets["fax"]
    assert compare([a, rec[0]], [b, rec[1]]) == bond.Comparison("", (), ())
    assert compare([a, rec[0]], [b, fax[1]]) == bond.Comparison("", ("recording",), ("fax",))
    assert "keys of different sets" in compare([a], [more_b]).unbound
    assert compare([more_a], [more_b]) == bond.Comparison("", (), ())
    assert f"our key names {C} as the peer" in compare([other_a[0]], [b]).unbound
    assert f"names {C} as its peer" in compare([a], [other_b[1]]).unbound
    assert compare([a, rec[0]], [other_b[1]]).peer_lacks == ("recording", "redundancy")
    assert compare([a], []).unbound == "the other unit has no redundancy key"
    assert compare([], [b]).unbound == "this unit has no redundancy key"


def test_one_process_writes_at_a_time(paths: Paths) -> None:
    """No command writes beside a daemon; readers are not held up."""
    with opened(paths):
        with pytest.raises(KeyringBusy, match="in use by another process"):
            opened(paths, write=0.05)
        opened(paths, write=None)
    opened(paths).close()


def test_a_full_flash_or_a_failed_flush_is_a_refusal(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Must show: disk full, fsync failure: said in words, nothing half done, works again afterwards."""
    for name, number in (("write", errno.ENOSPC), ("fsync", errno.EIO), ("open", errno.EROFS)):

        def fail(*_: object, number: int = number) -> int:
            raise OSError(number, os.strerror(number))

        with opened(paths) as ring:
            before = contents_of(paths)
            broken = Recorder()
            setattr(broken, name, fail)
            with monkeypatch.context() as patched:
                patched.setattr(durable, "os", broken)
                with pytest.raises(Refusal, match=f"keys: not stored: {os.strerror(number)}"):
                    ring.install(issued()[0], TODAY)
            assert contents_of(paths) == before
            assert ring.install(issued()[0], TODAY).changed
        for file in paths.trust.iterdir():
            file.unlink()


def test_no_more_than_so_many_keys(paths: Paths) -> None:
    with opened(paths) as ring:
        for number in range(KEYS_MAX):
            ring.install(issued(f"f{number}")[0], TODAY)
        with pytest.raises(refused.KeyRefused, match="64 keys are installed"):
            ring.install(issued("one-more")[0], TODAY)
        ring.install(issued("f1,one-more")[0], TODAY)


def test_a_pin_needs_a_peer_and_lasts(paths: Paths) -> None:
    """R17: pins are kept, a changed certificate waits for a hand on both units, across reboots."""
    with opened(paths) as ring:
        with pytest.raises(Refusal, match="expected an installed key that names the peer"):
            ring.keep_pin(Pin(b"one"))
        ring.install(issued()[0], TODAY)
        assert not ring.confirm_certificate()
        ring.keep_pin(Pin(b"one"))
        ring.install(issued()[0], TODAY)  # a new set for the same peer
        assert ring.pin == Pin(b"one")
        ring.keep_pin(ring.pin.seen(b"two")[0])
    with opened(paths) as ring:
        assert ring.confirm_certificate()
    with opened(paths) as ring:
        assert ring.pin == Pin(b"one", b"two", here=True)
        ring.keep_pin(ring.pin.seen(b"two", confirmed_there=True)[0])
    assert opened(paths).pin == Pin(b"two")


def test_nothing_that_is_shown_has_the_secret(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """R17: never shown again, logged or in an error; the one file that has it is 0600."""
    caplog.set_level(logging.DEBUG)
    text, _ = issued()
    with opened(paths) as ring:
        done = ring.install(text, TODAY)
        said = [repr(x) for x in (ring, done, done.plain(), ring.plain(), ring.licences(), ring.permission())]
        said += [repr(vars(ring)), repr(ring.pair_secret()), caplog.text]
        said += [repr(licence.public.hex()) for licence in ring.licences()]
    assert not [trace for trace in traces(text) for line in said if trace in line]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_fuzz_sealed_files(octets: bytes, sealed: bool) -> None:
    """Whatever stands in a file of data/qx/trust, it is read or named damaged."""
    for magic in (b"QXKR", b"QXPR"):
        whole = files.seal(magic, octets) if sealed else magic + octets
        try:
            assert files.unseal(Path("keys"), magic, whole) == octets
        except files.Damaged as error:
            assert str(error).startswith("keys: ")


def test_who_met_is_kept_once_and_for_the_peer_of_the_keys(paths: Paths) -> None:
    """R17: what pairing found is durable when it returns; flash is left alone where nothing changed."""
    with opened(paths) as ring:
        ring.install(issued()[0], TODAY)
        assert ring.met(B, b"one", False, False) == (Pin(b"one"), Seen.PINNED)
        stamp = (paths.trust / "peer").stat().st_mtime_ns
        assert ring.met(B, b"one", False, False) == (Pin(b"one"), Seen.SAME)
        assert (paths.trust / "peer").stat().st_mtime_ns == stamp
        assert not ring.confirm_certificate()
        assert ring.met(B, b"one", False, True)[0] == Pin(b"one", asked=True)
        assert ring.confirm_certificate()
        assert ring.met(B, b"two", True, False)[0] == Pin(b"one", b"two", there=True)
        with pytest.raises(Refusal, match=f"of {C}; expected {B}, whom the keys name now"):
            ring.met(C, b"three", False, False)
        assert ring.confirm_certificate()
    with opened(paths, write=None) as ring:
        assert ring.pin == Pin(b"two")


def test_two_threads_write_one_after_the_other(paths: Paths) -> None:
    """R17: a key that is installed while pairing stores its pin loses nothing of either."""
    with opened(paths) as ring, ThreadPoolExecutor(8) as pool:
        ring.install(issued()[0], TODAY)
        ring.met(B, b"one", False, False)
        work = [pool.submit(ring.met, B, b"two", number % 2 == 0, False) for number in range(20)]
        work += [pool.submit(ring.install, issued("fax")[0], TODAY), pool.submit(ring.confirm_certificate)]
        for done in work:
            done.result(10)
        ring.confirm_certificate()
        assert (ring.pin.certificate, bond.features(ring.licences())) == (b"two", {"redundancy", "fax"})
    with opened(paths, write=None) as ring:
        assert (ring.damage, ring.pin.certificate, len(ring.licences())) == ("", b"two", 2)
