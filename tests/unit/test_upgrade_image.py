# SPDX-License-Identifier: Apache-2.0
"""Firmware images: written with the real SWUpdate, refused in words, and cut at any moment (R38)."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from upgrade_bench import Flash, another_signer, image, parts

from counts import choices, count
from qx.errors import Refusal
from qx.upgrade.flash import complaint
from qx.upgrade.image import IMAGE_MAX, BadImage, Image, look
from qx.upgrade.slots import Known
from qx.upgrade.version import FLOOR, numbers, too_old


@pytest.fixture
def unit(tmp_path: Path) -> Flash:
    made = Flash(tmp_path / "root")
    made.start()
    return made


def seen(octets: bytes, model: str = "qx200", revision: str = "1.0") -> Image:
    return look(io.BytesIO(octets), model, revision, "1.0.0")


def untouched(unit: Flash) -> bool:
    slots = unit.slots()
    kernel, rootfs = unit.content(slots.idle)
    return not any(kernel) and not any(rootfs) and slots.known(slots.idle) == Known()


def test_an_image_is_written_and_read_back(unit: Flash, tmp_path: Path) -> None:
    """R38: into the slot that does not run, with progress; nothing is switched by it."""
    code, told, errors = unit.install(image(tmp_path))
    assert (code, errors) == (0, "")
    assert told[-1] == {"version": "1.1.0", "slot": "B"}
    steps = [str(one["step"]) for one in told[:-1]]
    assert list(dict.fromkeys(steps)) == ["check", "signature", "write", "read back"]
    assert told[-2] == {"step": "read back", "percent": 100}
    slots = unit.slots()
    assert slots.known("B") == Known("good", "1.1.0")
    assert unit.content("B") == tuple(file.read_bytes() for file in parts(tmp_path))
    assert not any(unit.content("A")[1]), "the running slot is never written"
    found = slots.read()
    assert found and found.variables == {"slot": "A"}


def other_key(folder: Path) -> Path:
    key, certificate = another_signer(folder)
    return image(folder, "1.3.0", key=key, certificate=certificate)


def unsigned(folder: Path) -> Path:
    """The signature of another description, in its place."""
    good = image(folder, "1.1.0")
    octets = good.read_bytes()
    assert octets.count(b'"1.1.0"') == 1
    good.write_bytes(octets.replace(b'"1.1.0"', b'"1.0.1"'))  # the archive's own checksum stays right
    return good


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (other_key, "firmware: bad signature; expected one of this device's vendor"),
        (unsigned, "firmware: bad signature; expected one of this device's vendor"),
        (lambda folder: image(folder, model="qx50"), "firmware: is for QX50; expected QX200"),
        (lambda folder: image(folder, "0.9.9"), "version 0.9.9 is too old for this device, which runs 1.0.0"),
        (lambda folder: image(folder, revisions=("2.0",)), "firmware: is for hardware 2.0; expected 1.0"),
        (lambda folder: image(folder, "latest"), "'latest' is no version; expected numbers with dots"),
        (lambda folder: folder / "nowhere.swu", "nowhere.swu: No such file or directory"),
    ],
    ids=[
        "another signer",
        "another text",
        "another model",
        "too old",
        "another hardware",
        "no version",
        "no file",
    ],
)
def test_what_is_not_for_this_unit_is_refused_in_words(
    unit: Flash, tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    """R38, Bad input: named, and the idle slot is as it was."""
    code, _, errors = unit.install(make(tmp_path))
    assert code == 1
    assert words in errors
    assert len(errors.splitlines()) == 1
    assert untouched(unit)


def test_a_slot_that_is_too_small_is_named(unit: Flash, tmp_path: Path) -> None:
    slots = unit.slots()
    os.truncate(slots.part("B", "rootfs"), 700_000)
    code, _, errors = unit.install(image(tmp_path))
    assert (code, errors) == (1, "qx: firmware: rootfs has 700001 octets; expected at most 700000")
    assert slots.known("B") == Known()
    os.truncate(slots.part("B", "rootfs"), 700_001)
    assert unit.install(image(tmp_path))[0] == 0


def test_a_truncated_image_is_refused_wherever_it_ends(unit: Flash, tmp_path: Path) -> None:
    """R38: also at each edge of an entry; the whole one is good."""
    octets = image(tmp_path).read_bytes()
    end = octets.index(b"TRAILER!!!") + 11
    end += -end % 4
    random = choices("truncated")
    places = {0, 1, 109, 110, 111, end - 1, *(random.randrange(end) for _ in range(count(60, 2000)))}
    for place in sorted(places):
        with pytest.raises(BadImage, match=r"truncated|no image of this vendor"):
            seen(octets[:place])
    assert seen(octets[:end]).version == "1.1.0"
    cut = tmp_path / "cut.swu"
    cut.write_bytes(octets[: len(octets) // 2])
    code, _, errors = unit.install(cut)
    assert code == 1 and "firmware: truncated: ends after" in errors
    assert untouched(unit)


def test_a_flipped_bit_is_refused_or_changes_nothing(unit: Flash, tmp_path: Path) -> None:
    """R38: SHA-256 catches each in a part, the signature each in the description; what is left are fields of
    the archive that say nothing."""
    good = image(tmp_path)
    octets = good.read_bytes()
    random = choices("flipped")
    contents = tuple(file.read_bytes() for file in parts(tmp_path))
    starts = [octets.index(content) for content in contents]
    for _ in range(count(100, 2000)):
        which = random.randrange(2)
        place = starts[which] + random.randrange(len(contents[which]))
        flipped = bytearray(octets)
        flipped[place] ^= 1 << random.randrange(8)
        with pytest.raises(BadImage, match="is damaged: its SHA-256 is not the one described"):
            seen(bytes(flipped))
    for _ in range(count(4, 200)):  # anywhere before the parts: description, signature, headers
        place = random.randrange(starts[0])
        flipped = bytearray(octets)
        flipped[place] ^= 1 << random.randrange(8)
        bad = tmp_path / "flipped.swu"
        bad.write_bytes(flipped)
        code, _, errors = unit.install(bad)
        print(place, code, errors)
        if code:
            assert errors.startswith("qx: firmware: ") and untouched(unit)
        else:
            assert unit.content("B") == contents
            break


@pytest.mark.parametrize(
    "octets", [b"", b"x", b"070702" + b"z" * 104, b"070702" + b"0" * 104, os.urandom(4096), b"PK\3\4" * 100]
)
def test_anything_else_is_no_image(octets: bytes) -> None:
    with pytest.raises(BadImage):
        seen(octets)


def test_a_description_of_any_form_ends_in_words(tmp_path: Path) -> None:
    """Bad input: JSON of another shape, and of none."""
    good = image(tmp_path).read_bytes()
    begin = good.index(b"{")
    size = int(good[54:62], 16)
    for text in (b"[]", b"{}", b'{"software": 5}', b'{"software": {"version": "1", "qx200": []}}', b"\xff",
                 b"[" * 60000, b'{"software": {"version": "1.1.0", "qx200": {"hardware-compatibility": 1}}}',
                 b'{"software": {"version": "1.1.0", "qx200": {"hardware-compatibility": ["1.0"], "images": '
                 b'[{"filename": "x", "device": "/dev/sda", "sha256": ""}]}}}'):  # fmt: skip
        padded = text + b" " * (-len(text) % 4)
        head = bytearray(good[:begin])
        head[54:62] = b"%08x" % len(padded)
        rest = good[begin + size + -(begin + size) % 4 :]
        with pytest.raises(BadImage, match="firmware: "):
            seen(bytes(head) + padded + b"\0" * (-(begin + len(padded)) % 4) + rest)


def test_an_endless_upload_is_refused() -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return (b"070702" + b"0" * 48 + b"%08x" % IMAGE_MAX + b"0" * 32 + b"0000000f" + b"0" * 8)[:size]

    with pytest.raises(BadImage):
        look(Endless(), "qx200", "1.0", "1.0.0")  # type: ignore[arg-type]


def test_the_floor_at_below_and_above() -> None:
    """Issue 7: no downgrade below it."""
    assert not too_old(FLOOR)
    assert not too_old("1.0.0.1") and too_old("0.99.99.99", "1.0.0")
    assert too_old("1.9.0", "1.10.0") and not too_old("1.10", "1.10.0.0")
    assert numbers("1.2.3.4.5") is None and numbers("") is None and numbers("v1") is None
    with pytest.raises(ValueError, match="is no version"):
        too_old("1.x")


def test_what_swupdate_says_becomes_a_line() -> None:
    told = "[ERROR] : SWUPDATE failed [0] ERROR : HASH mismatch : a <--> b\n[INFO ] : x\n"
    assert complaint(told) == "firmware: not installed: HASH mismatch : a <--> b"
    assert complaint("") == "firmware: not installed: it gives no reason"


def test_power_may_go_at_any_moment_of_an_installation(unit: Flash, tmp_path: Path) -> None:
    """R38: the helper and SWUpdate are killed at seeded moments; the unit starts slot A, a slot that was not
    read back is never activated, and the next installation is a whole one."""
    random = choices("cut installation")
    images = [image(tmp_path, f"1.{seed}.0", seed=seed) for seed in (1, 2)]
    whole = 0
    for number in range(count(4, 100)):
        process = unit.flash(images[number % 2])
        wait = random.uniform(0.0, 2.0)
        deadline = time.monotonic() + wait
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        slots = unit.start()
        found = slots.read()
        assert slots.running == "A" and found and found.variables == {"slot": "A"}
        if slots.known("B").state == "good":
            whole += 1
            seed = int(slots.known("B").version.split(".")[1])
            assert unit.content("B") == tuple(file.read_bytes() for file in parts(tmp_path, seed))
        else:
            with pytest.raises(
                Refusal, match="slot B holds no firmware that was read back; install it first"
            ):
                slots.activate()
    print(f"{whole} came to their end")
    assert unit.install(images[0])[0] == 0
    assert unit.slots().activate() == "B"
    assert unit.start().running == "B"
