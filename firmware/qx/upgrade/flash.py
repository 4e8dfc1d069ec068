# SPDX-License-Identifier: Apache-2.0
"""flash: writes a firmware image into the idle slot, in a process of its own: checks, SWUpdate, reads back.

SWUpdate judges the signature and the digests and does the writing. It sees a mount namespace in which /mnt
has the parts of the idle slot and nothing else, under the names that an image may write to, so no image can
name the running slot. Nothing is written before the whole image was looked through and its signature was
found good; while the slot is written its note says so, and only what was read back is noted as good. Progress
goes to `tell`, percent of each step. Runs at the lowest priority: calls go on.
"""

from __future__ import annotations

import ctypes
import os
import pkgutil
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..errors import Refusal
from ..trust.signers import for_developers
from . import image
from .image import BadImage, Image
from .slots import Known, Slots

if TYPE_CHECKING:
    from ..board import Board
    from ..paths import Paths

Tell = Callable[[str, int], None]  # step, percent

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x00020000, 0x4000, 1 << 18
PR_SET_PDEATHSIG = 1
LOOK = 0.2  # seconds between two looks at how far SWUpdate is
INSIDE = Path("/mnt")
SWUPDATE = "swupdate"


def install(
    file: Path, slots: Slots, paths: Paths, board: Board, model: str, revision: str, running: str, tell: Tell
) -> Image:
    """Installs the image of that file in the idle slot, not activated. Raises Refusal that says why not."""
    os.nice(19)
    signer = signer_of(paths, board)
    try:
        source = file.open("rb")
    except OSError as error:
        raise Refusal(f"firmware: {file}: {error.strerror}") from None
    with source:
        size = max(1, os.fstat(source.fileno()).st_size)
        step = _Percent("check", size, tell)
        found = image.look(source, model, revision, running, step)
        slots.room_for(found)
        _enter(slots, signer)
        _swupdate(source, ["-c"], model, revision, _Percent("signature", size, tell))
        slots.note(slots.idle, Known("writing", found.version))
        _swupdate(source, [], model, revision, _Percent("write", size, tell))
        read = _Percent("read back", sum(part.size for part in found.parts), tell)
        for part in found.parts:
            slots.read_back(slots.idle, part, read.add)
        slots.note(slots.idle, Known("good", found.version))
    return found


def signer_of(paths: Paths, board: Board) -> bytes:
    """The certificate whose signatures count here. Raises Refusal where there is none."""
    try:
        return paths.firmware_signer.read_bytes()
    except FileNotFoundError:
        pass
    development = pkgutil.get_data(__package__ or "qx.upgrade", "development.pem")
    if not for_developers(board) or not development:
        raise Refusal(f"{paths.firmware_signer}: missing; expected the vendor's certificate for firmware")
    return development


class _Percent:
    """Tells percent, each once."""

    def __init__(self, step: str, of: int, tell: Tell) -> None:
        self._step, self._of, self._tell = step, of, tell
        self._done, self._told = 0, -1

    def __call__(self, done: int) -> None:
        self._done = done
        percent = min(100, 100 * done // self._of) if self._of else 100
        if percent != self._told:
            self._told = percent
            self._tell(self._step, percent)

    def add(self, octets: int) -> None:
        self(self._done + octets)


def _enter(slots: Slots, signer: bytes) -> None:
    """A view of the files for this process and what it starts: /mnt with the parts of the idle slot."""
    libc = ctypes.CDLL(None, use_errno=True)

    def done(code: int) -> None:
        if code:
            number = ctypes.get_errno()
            raise Refusal(f"firmware: no mount namespace for SWUpdate: {os.strerror(number)}")

    parts = {name: slots.part(slots.idle, name).resolve() for name in image.PARTS.values()}
    done(libc.unshare(CLONE_NEWNS))
    done(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    done(libc.mount(b"qx", bytes(INSIDE), b"tmpfs", 0, b"size=2m,mode=0700"))
    for name, place in parts.items():
        (INSIDE / name).symlink_to(place)
    (INSIDE / "signer.pem").write_bytes(signer)


def _with_parent() -> None:
    """SWUpdate ends when this process is ended."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _swupdate(source: BinaryIO, options: list[str], model: str, revision: str, percent: _Percent) -> None:
    """Runs SWUpdate on the open image from its beginning. Raises BadImage with what it says."""
    source.seek(0)
    name = f"/proc/self/fd/{source.fileno()}"
    argv = [SWUPDATE, *options, "-k", str(INSIDE / "signer.pem"), "-H", f"{model}:{revision}", "-i", name]
    with tempfile.TemporaryFile(dir=INSIDE) as said:
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, pass_fds=[source.fileno()],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(INSIDE)},
                preexec_fn=_with_parent,  # noqa: PLW1509 - this process has one thread
            )  # fmt: skip
        except OSError as error:
            raise Refusal(f"firmware: {SWUPDATE}: {error.strerror}; expected SWUpdate") from None
        with process:
            while process.poll() is None:
                percent(_position(process.pid, Path(name).readlink()))
                time.sleep(LOOK)
        said.seek(0)
        told = said.read(64 << 10).decode("ascii", "replace")
    if process.returncode:
        raise BadImage(complaint(told))
    percent(1 << 62)


def _position(pid: int, file: Path) -> int:
    """How far a process has read in a file."""
    most = 0
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            if entry.readlink() == file:
                told = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
                most = max(most, int(told.split("pos:")[1].split()[0]))
    except (OSError, ValueError, IndexError):
        pass  # it has just ended
    return most


def complaint(told: str) -> str:
    """What SWUpdate says went wrong, as a line for a user."""
    errors = re.findall(r"\[ERROR\]\s*:\s*(?:SWUPDATE failed)?\s*\[\d+\]\s*(?:ERROR\s*:\s*)?(.+)", told)
    text = "; ".join(line.strip() for line in errors[:3]) or "it gives no reason"
    if re.search(r"signature|signer|cms|certificate", text, re.I):
        return f"firmware: bad signature; expected one of this device's vendor ({text[:120]})"
    return f"firmware: not installed: {text[:200]}"
