# SPDX-License-Identifier: Apache-2.0
"""Messages for a box are real WAV files with names of their own (R10, R14)."""

import io
import wave
from pathlib import Path

import pytest

from qx.errors import Refusal
from qx.paths import Paths
from qx.pbx import voicemail

SERIAL = "QX200-000001"


def recorded(rate: int = 8000, channels: int = 1, frames: int = 8000) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\1\2" * channels * frames)
    return out.getvalue()


def deposit(root: Path, octets: bytes, box: str = "101", caller: str = "102") -> Path:
    return voicemail.deposit(Paths(root), SERIAL, box, caller, io.BytesIO(octets))


def test_a_message_is_a_wav_file_in_the_tree(tmp_path: Path) -> None:
    file = deposit(tmp_path, recorded())
    assert file.parent == tmp_path / "data" / "qx" / "voice" / "voicemail" / "101"
    with wave.open(str(file)) as found:
        assert (found.getframerate(), found.getnframes()) == (8000, 8000)


def test_names_are_given_once(tmp_path: Path) -> None:
    """R10: a hundred within a second, and each names its unit."""
    files = [deposit(tmp_path, recorded(frames=1)) for _ in range(100)]
    assert len(set(files)) == 100 and all(SERIAL in file.name for file in files)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "not a WAV file"),
        (b"RIFF....WAVE", "no sound"),
        (recorded()[:-1], "expected a format before it and all of it"),
        (recorded(frames=0), "sound of 0 octets"),
        (recorded(rate=96000), "96000 Hz; expected PCM, A-law or mu-law"),
        (recorded(channels=3), "3 channels"),
        (recorded().replace(b"fmt ", b"skip"), "expected a format before it"),
    ],
)
def test_what_is_no_message_is_refused_and_leaves_nothing(tmp_path: Path, octets: bytes, why: str) -> None:
    with pytest.raises(Refusal, match=f"message: .*{why}"):
        deposit(tmp_path, octets)
    assert not [file for file in (tmp_path / "data").rglob("*") if file.is_file()]


@pytest.mark.parametrize("box", ["", "../..", "1/2", "x" * 33, "1\n"])
def test_a_box_is_no_path(tmp_path: Path, box: str) -> None:
    with pytest.raises(Refusal, match=r"box: .*expected up to 32 letters and digits"):
        deposit(tmp_path, recorded(), box)


def test_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At it, and one octet above."""
    octets = recorded(frames=10)
    monkeypatch.setattr(voicemail, "MOST", len(octets))
    assert deposit(tmp_path, octets).exists()
    with pytest.raises(Refusal, match="message: more than"):
        deposit(tmp_path, octets + b"\0")
