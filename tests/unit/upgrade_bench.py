# SPDX-License-Identifier: Apache-2.0
"""upgrade_bench: a provisioned root with slots, and signed images for it, made by the vendor's own tool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from qx.board import Board, read_board
from qx.paths import Paths
from qx.provision import provision
from qx.upgrade.slots import Slots
from qx.upgrade.start import begin

PROJECT = Path(__file__).parents[2]
sys.path.insert(0, str(PROJECT))

from board.vendor import firmware  # noqa: E402 - the vendor's folder is no part of the firmware

KERNEL, ROOTFS = 50_000, 700_001  # octets of the two parts; the second is no multiple of anything


class Flash:
    """A lab unit without a daemon, in slot A."""

    def __init__(self, root: Path, model: str = "qx200") -> None:
        provision(root, model=model, serial="QX200-000001", lan="lan0")
        self.paths = Paths(root)
        self.board: Board = read_board(self.paths)
        self.model = model

    def start(self) -> Slots:
        """A cold start, as far as the slots go."""
        (self.paths.run_qx / "start").unlink(missing_ok=True)
        return self.slots()

    def slots(self) -> Slots:
        found = begin(self.paths, self.board)
        assert found is not None
        return found

    def flash(self, image: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "qx", "flash", str(image), "--root", str(self.paths.root)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(p).resolve()) for p in sys.path)},
        )  # fmt: skip

    def install(self, image: Path) -> tuple[int, list[dict[str, object]], str]:
        """Exit code, what was told, and the complaint."""
        out, errors = (process := self.flash(image)).communicate(timeout=60)
        return process.returncode, [json.loads(line) for line in out.splitlines()], errors.strip()

    def content(self, slot: str) -> tuple[bytes, bytes]:
        """The parts on flash, as far as an image of ours reaches."""
        slots = self.slots()
        kernel, rootfs = (slots.part(slot, name).read_bytes() for name in ("kernel", "rootfs"))
        return kernel[:KERNEL], rootfs[:ROOTFS]


def parts(folder: Path, seed: int = 1) -> tuple[Path, Path]:
    """Two files that stand for a kernel and a root file system."""
    import random

    made = folder / f"kernel-{seed}", folder / f"rootfs-{seed}"
    for file, size in zip(made, (KERNEL, ROOTFS), strict=True):
        file.write_bytes(random.Random(f"{seed} {size}").randbytes(size))
    return made


def image(folder: Path, version: str = "1.1.0", model: str = "qx200", seed: int = 1, **more: object) -> Path:
    made = folder / f"{model}-{version}-{seed}.swu"
    firmware.make(made, version, model, *parts(folder, seed), **more)  # type: ignore[arg-type]
    return made


def another_signer(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate of somebody else, of the same form."""
    key, certificate = folder / "other.key", folder / "other.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", key, "-out", certificate, "-days", "9", "-subj", "/CN=somebody else",
         "-addext", "extendedKeyUsage=critical,emailProtection"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, certificate
