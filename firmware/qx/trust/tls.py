# SPDX-License-Identifier: Apache-2.0
"""tls: how `ssl` is set up between the two units: TLS 1.3, pinned certificates, nothing resumed.

Sockets are the session's. Two pitfalls are the session's as well: a client whose certificate the server
refuses finds out only when it first reads (so it waits for HELLO_OK), and an end without close_notify looks
like an orderly one (so the protocol says goodbye in words).
"""

from __future__ import annotations

import ssl
from hmac import compare_digest

from ..errors import Refusal
from .certificate import Certificate
from .pairing import fingerprint

# X509_V_FLAG_NO_CHECK_TIME (openssl/x509_vfy.h), which `ssl` does not name: a unit whose clock starts in 1970
# must find its peer. A pinned certificate does not grow old.
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)


class NotThePeer(Refusal):
    """The other end of a connection has not the pinned certificate."""


def session_context(own: Certificate, peer: bytes, server: bool) -> ssl.SSLContext:
    """Mutual authentication: the other end must hold the private key of `peer`, the pinned DER."""
    context = _context(own, server)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=peer)
    return context


def pairing_context(own: Certificate, server: bool) -> ssl.SSLContext:
    """For the one exchange of pairing, where what counts is the proof: the server shows its certificate,
    which the client takes from `getpeercert(binary_form=True)`; the client's comes in its first message."""
    context = _context(own, server)
    context.verify_mode = ssl.CERT_NONE
    return context


def check_peer(connection: ssl.SSLObject | ssl.SSLSocket, peer: bytes) -> None:
    """After the handshake: is it the pinned certificate to the last bit? Raises NotThePeer."""
    shown = connection.getpeercert(binary_form=True) or b""
    if not compare_digest(fingerprint(shown), fingerprint(peer)):
        raise NotThePeer("certificate: not the one that is pinned; expected that of the paired unit")


def _context(own: Certificate, server: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # addresses are settings; the pin says who it is
    context.verify_flags |= _NO_CHECK_TIME
    context.load_cert_chain(own.file)
    if server:
        context.num_tickets = 0  # no resumption: every session proves the certificate
    return context
