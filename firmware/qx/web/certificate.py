# SPDX-License-Identifier: Apache-2.0
"""certificate: with which the pages are served over HTTPS: made at the first start, or the owner's own.

ECDSA on P-256, because browsers take no Ed25519 (which the unit's own certificate is). One PEM file, 0600,
with key and certificate. Made by the openssl command: what makes keys is none of ours.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import tempfile
from pathlib import Path

from ..errors import Refusal
from ..trust import files

FILE = "pages.pem"
DAYS = 20 * 365
PEM_MAX = 64 << 10  # octets
PATIENCE = 60.0  # seconds for a small unit to find its randomness


async def ready(folder: Path, serial: str) -> ssl.SSLContext:
    """The context of the HTTPS listener. Raises Refusal naming the file."""
    file = folder / FILE
    if not await asyncio.to_thread(file.exists):
        await asyncio.to_thread(_make, file, serial)
    return await asyncio.to_thread(_context, file)


def _context(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(file, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise Refusal(f"{file}: expected a private key without a password, and its certificate") from error
    return context


def _make(file: Path, serial: str) -> None:
    files.make_folder(file.parent)
    name = "".join(c for c in serial if c.isalnum() or c in "+-")
    argv = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-sha256", "-days", str(DAYS), "-subj", f"/CN={name}", "-addext",
        f"subjectAltName=DNS:{name.lower()}", "-keyout", "-", "-out", "-",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=PATIENCE, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Refusal(f"{file}: not made: {error.__class__.__name__} of openssl") from None
    files.replace(file, done.stdout)


def replaced(folder: Path, octets: bytes) -> None:
    """The owner's key and certificate in place of what there is, if they fit. Raises Refusal."""
    if not 0 < len(octets) <= PEM_MAX:
        raise Refusal(f"file: {len(octets)} octets; expected a PEM file of at most {PEM_MAX}")
    files.make_folder(folder)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".pem") as fresh:  # 0600
        fresh.write(octets)
        fresh.flush()
        try:
            _context(Path(fresh.name))
        except Refusal:
            raise Refusal(
                "file: expected a private key without a password, and its certificate, as PEM"
            ) from None
    files.replace(folder / FILE, octets)


def removed(folder: Path) -> None:
    """Back to one of the unit's own making."""
    (folder / FILE).unlink(missing_ok=True)


def fingerprint(folder: Path) -> str:
    """SHA-256 of the certificate, as browsers show it; empty where there is none."""
    from hashlib import sha256  # noqa: PLC0415 - for one page

    try:
        text = (folder / FILE).read_text("ascii")
        der = ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERTIFICATE") :].split("-----END CERT")[0]
                                       + "-----END CERTIFICATE-----\n")  # fmt: skip
    except (OSError, ValueError):
        return ""
    return sha256(der).digest().hex(":").upper()


def stamp(folder: Path) -> tuple[int, int]:
    """Another one when the file was replaced."""
    try:
        found = (folder / FILE).stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns
