# SPDX-License-Identifier: Apache-2.0
"""voicemail: takes a message for a box: one WAV file in the tree of voice data, whatever recorder is behind
it.

A name is given once in the world: time, the unit's serial number and a random part; so what two units
recorded while they did not see each other never meets in one name (R10, R14). A file appears whole or not at
all, and is on flash when it is said to be taken.
"""

from __future__ import annotations

import struct
import time
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from .. import durable
from ..errors import Refusal
from ..paths import Paths

MOST = 64 << 20  # octets of one message: over an hour of G.711, of PCM half of that
FORMATS = {1: "PCM", 6: "A-law", 7: "mu-law"}  # of the format chunk
CHUNK = 64 << 10


def deposit(paths: Paths, serial: str, box: str, caller: str, message: BinaryIO) -> Path:
    """Takes the WAV file that `message` gives. Returns where it lies. Raises Refusal for what is no WAV file
    of FORMATS, has no sound, or is larger than MOST."""
    for name, value in (("box", box), ("caller", caller)):
        if not (value.isascii() and value.isalnum() and len(value) <= 32):
            raise Refusal(f"{name}: {value[:40]!r}; expected up to 32 letters and digits")
    folder = paths.voice / "voicemail" / box
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    file = folder / f"{at}-{caller}-{serial}-{token_hex(4)}.wav"
    fresh = file.with_name(f".{file.name}.part")
    try:
        with fresh.open("xb") as out:
            _copy(message, out)
        durable.flush(fresh)
        with fresh.open("rb") as found:
            check(found.read(CHUNK), fresh.stat().st_size)
        fresh.rename(file)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    durable.flush(folder)
    return file


def _copy(message: BinaryIO, out: BinaryIO) -> None:
    taken = 0
    while part := message.read(CHUNK):
        taken += len(part)
        if taken > MOST:
            raise Refusal(f"message: more than {MOST} octets; expected at most that")
        out.write(part)


def check(head: bytes, size: int) -> None:
    """The RIFF header (Microsoft Multimedia Standards Update, 1994): `head` is the file's beginning, `size`
    its octets in all. Raises Refusal."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise Refusal("message: not a WAV file; expected RIFF and WAVE")
    at, known = 12, False
    while at + 8 <= len(head):
        name, length = head[at : at + 4], struct.unpack_from("<I", head, at + 4)[0]
        if name == b"fmt ":
            if length < 16 or at + 24 > len(head):
                raise Refusal(f"message: a format of {length} octets; expected 16 or more")
            kind, channels, rate = struct.unpack_from("<HHI", head, at + 8)
            if kind not in FORMATS or not 1 <= channels <= 2 or not 8000 <= rate <= 48000:
                raise Refusal(
                    f"message: format {kind}, {channels} channels, {rate} Hz; expected PCM, A-law or mu-law, "
                    "1 or 2 channels, 8,000 to 48,000 Hz"
                )
            known = True
        elif name == b"data":
            if not known or not length or at + 8 + length > size:
                raise Refusal(f"message: sound of {length} octets; expected a format before it and all of it")
            return
        at += 8 + length + length % 2
    raise Refusal("message: no sound in it; expected a data chunk")
