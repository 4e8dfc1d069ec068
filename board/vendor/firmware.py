# SPDX-License-Identifier: Apache-2.0
"""firmware: makes a signed firmware image of a slot's two parts, as SWUpdate and upgrade/image.py read it."""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from qx.errors import Refusal
from qx.model import MODELS
from qx.upgrade import version
from qx.upgrade.image import DESCRIPTION, DEVICES, PARTS, SIGNATURE

HERE = Path(__file__).parent
DEVELOPMENT_KEY = HERE / "firmware-development.key"
DEVELOPMENT_CERTIFICATE = HERE.parents[1] / "firmware/qx/upgrade/development.pem"


def description(release: str, model: str, revisions: list[str], parts: dict[str, Path]) -> bytes:
    """The text that is signed. `parts` by their file in the image."""
    images = [
        {
            "filename": name,
            "device": DEVICES + PARTS[name],
            "type": "raw",
            "installed-directly": True,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        for name, file in parts.items()
    ]
    mine = {"hardware-compatibility": revisions, "images": images}
    return json.dumps({"software": {"version": release, model: mine}}, indent=1).encode() + b"\n"


def make(
    output: Path, release: str, model: str, kernel: Path, rootfs: Path,
    revisions: tuple[str, ...] = ("1.0",), key: Path = DEVELOPMENT_KEY,
    certificate: Path = DEVELOPMENT_CERTIFICATE,
) -> None:  # fmt: skip
    """Writes the image. Raises Refusal with what a tool says."""
    parts = dict(zip(PARTS, (kernel, rootfs), strict=True))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / DESCRIPTION).write_bytes(description(release, model, list(revisions), parts))
        _run(
            "openssl", "cms", "-sign", "-binary", "-nosmimecap", "-outform", "DER", "-in", DESCRIPTION,
            "-out", SIGNATURE, "-signer", certificate.resolve(), "-inkey", key.resolve(), cwd=folder,
        )  # fmt: skip
        for file, source in parts.items():
            (folder / file).symlink_to(source.resolve())
        names = "\n".join([DESCRIPTION, SIGNATURE, *parts])
        with output.open("wb") as out:
            _run("cpio", "-o", "-L", "-H", "crc", "--quiet", cwd=folder, stdin=names, stdout=out)


def _run(*argv: str | Path, cwd: Path, stdin: str = "", stdout: Any = subprocess.PIPE) -> None:
    try:
        done = subprocess.run(
            [str(word) for word in argv],
            cwd=cwd, input=stdin.encode(), stdout=stdout, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    except OSError as error:
        raise Refusal(f"{argv[0]}: {error.strerror}") from None
    if done.returncode:
        raise Refusal(f"{argv[0]}: {done.stderr.decode(errors='replace').strip()}")


def make_firmware(argv: list[str]) -> int:
    """The command. Exit status: 0 done, 1 refused, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="make-firmware", description="Makes a signed firmware image of a slot's two parts."
    )
    parser.add_argument("output", type=Path, metavar="OUT.swu")
    parser.add_argument("kernel", type=Path, metavar="KERNEL", help="kernel.itb")
    parser.add_argument("rootfs", type=Path, metavar="ROOTFS", help="rootfs.squashfs")
    parser.add_argument("--model", required=True, choices=sorted(MODELS))
    parser.add_argument("--version", required=True, help="numbers with dots")
    parser.add_argument("--revision", action="append", help="of the hardware, may be repeated; default: 1.0")
    parser.add_argument("--key", type=Path, default=DEVELOPMENT_KEY, help="default: the development key")
    parser.add_argument("--certificate", type=Path, default=DEVELOPMENT_CERTIFICATE)
    options = parser.parse_args(argv)
    try:
        version.too_old(options.version)
        make(
            options.output, options.version, options.model, options.kernel, options.rootfs,
            tuple(options.revision or ("1.0",)), options.key, options.certificate,
        )  # fmt: skip
    except (Refusal, ValueError, OSError) as error:
        print(f"make-firmware: {error}", file=sys.stderr)
        return 1
    return 0
