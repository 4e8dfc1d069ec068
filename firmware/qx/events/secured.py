# SPDX-License-Identifier: Apache-2.0
"""secured: TLS to a mail server or gateway: by a known authority, or by the certificate's fingerprint.

For the delivery process: what it imports is too dear for the daemon.
"""

from __future__ import annotations

import hashlib
import ssl


class NotTrusted(OSError):
    """The certificate is another one than expected."""


def context(fingerprint: str | None) -> ssl.SSLContext:
    """Of a client. With a fingerprint the certificate is not judged otherwise: `check` does."""
    found = ssl.create_default_context()
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    if fingerprint:
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    return found


def check(sock: object, fingerprint: str | None) -> None:
    """Before anything is said to the server. Raises NotTrusted that names both fingerprints."""
    if not fingerprint:
        return
    certificate = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
    found = hashlib.sha256(certificate).hexdigest() if certificate else "none"
    if found != fingerprint.replace(":", "").lower():
        raise NotTrusted(f"its certificate has the fingerprint {found}; expected {fingerprint}")


def why(error: ssl.SSLError) -> str:
    """In one line, with what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}; set its fingerprint if it is right"
    return f"TLS: {error.reason or error}"
