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
from dataclasses import dataclass
from pathlib import Path

from .. import durable
from ..errors import Refusal
from ..trust import files

DAYS = 20 * 365
PEM_MAX = 64 << 10  # octets
PATIENCE = 60.0  # seconds for a small unit to find its randomness


async def ready(file: Path, serial: str) -> ssl.SSLContext:
    """The context of the HTTPS listener. Raises Refusal naming the file."""
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


def replaced(file: Path, octets: bytes) -> None:
    """The owner's key and certificate in place of what there is, if they fit. Raises Refusal."""
    if not 0 < len(octets) <= PEM_MAX:
        raise Refusal(f"file: {len(octets)} octets; expected a PEM file of at most {PEM_MAX}")
    durable.make_folder(file.parent)
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".pem") as fresh:  # 0600
        fresh.write(octets)
        fresh.flush()
        try:
            _context(Path(fresh.name))
        except Refusal:
            raise Refusal(
                "file: expected a private key without a password, and its certificate, as PEM"
            ) from None
    files.replace(file, octets)


def removed(file: Path) -> None:
    """Back to one of the unit's own making."""
    file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Described:
    """What is to be seen of a certificate. `until`: seconds since 1970."""

    subject: str
    issuer: str
    until: float
    fingerprint: str  # SHA-256, as browsers show it


def described(file: Path) -> Described | None:
    """None where there is none that can be read."""
    argv = ["openssl", "x509", "-noout", "-subject", "-issuer", "-enddate", "-fingerprint", "-sha256",
            "-nameopt", "RFC2253,-esc_msb,utf8", "-in", str(file)]  # fmt: skip
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=PATIENCE, check=True, stdin=subprocess.DEVNULL
        )
        told = dict(line.split("=", 1) for line in done.stdout.decode().splitlines() if "=" in line)
        return Described(
            told["subject"], told["issuer"], ssl.cert_time_to_seconds(told["notAfter"]),
            told.get("sha256 Fingerprint") or told["SHA256 Fingerprint"],
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError, KeyError, ValueError):
        return None
