# SPDX-License-Identifier: Apache-2.0
"""The unit's certificate in real TLS 1.3 handshakes between two units, and who is refused (R17)."""

from __future__ import annotations

import socket
import ssl
import stat
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from trust_bench import A, B, C

from qx.errors import Refusal
from qx.trust import certificate, files, tls
from qx.trust.certificate import Certificate, own_certificate, serial_of
from qx.trust.files import Damaged
from qx.trust.pairing import Exchange, Role, fingerprint, nonce, proof, proven
from qx.trust.secret import Secret


@pytest.fixture
def a(tmp_path: Path) -> Certificate:
    return own_certificate(tmp_path / "a", A)


@pytest.fixture
def b(tmp_path: Path) -> Certificate:
    return own_certificate(tmp_path / "b", B)


@dataclass
class Outcome:
    """Of one end: `error`, or what the handshake gave and what came in the first message."""

    error: Exception | None = None
    version: str | None = None
    peer: bytes | None = None
    got: bytes = b""


def meet(server: ssl.SSLContext, client: ssl.SSLContext, pins: tuple[bytes, bytes] | None) -> list[Outcome]:
    """A handshake over real sockets, then a word each way: the outcome of server and client. `pins`: what
    each of them takes the other for."""
    ends = socket.socketpair()
    found = [Outcome(), Outcome()]

    def run(number: int, context: ssl.SSLContext) -> None:
        ends[number].settimeout(5)
        try:
            with context.wrap_socket(ends[number], server_side=number == 0) as connection:
                if pins:
                    tls.check_peer(connection, pins[number])
                found[number].version = connection.version()
                found[number].peer = connection.getpeercert(binary_form=True)
                connection.sendall(b"HELLO")
                found[number].got = connection.recv(5)
        except (OSError, Refusal) as error:
            found[number].error = error
            ends[number].close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate((server, client))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return found


def test_two_units_meet_in_mutual_tls_1_3(a: Certificate, b: Certificate) -> None:
    """R17: mutual authentication and encryption, each with the certificate that the other has pinned."""
    server, client = meet(
        tls.session_context(a, b.der, True), tls.session_context(b, a.der, False), (b.der, a.der)
    )
    assert (server.error, client.error) == (None, None)
    assert (server.version, client.version) == ("TLSv1.3", "TLSv1.3")
    assert (server.peer, client.peer) == (b.der, a.der)
    assert (server.got, client.got) == (b"HELLO", b"HELLO")


def test_a_client_with_another_certificate_is_refused(a: Certificate, b: Certificate, tmp_path: Path) -> None:
    """R17: a third host, and one that made itself a certificate with the peer's name in it."""
    for name, serial in (("third", C), ("impostor", B)):
        wrong = own_certificate(tmp_path / name, serial)
        server, client = meet(
            tls.session_context(a, b.der, True), tls.session_context(wrong, a.der, False), (b.der, a.der)
        )
        assert isinstance(server.error, ssl.SSLError)
        # The pitfall: the client's handshake was fine; it finds out when it first reads.
        assert client.got == b""


def test_a_server_with_another_certificate_is_refused(a: Certificate, b: Certificate, tmp_path: Path) -> None:
    """R17: nothing is sent to a host that is not the peer."""
    wrong = own_certificate(tmp_path / "impostor", A)
    server, client = meet(
        tls.session_context(wrong, b.der, True), tls.session_context(b, a.der, False), (b.der, a.der)
    )
    assert isinstance(client.error, ssl.SSLCertVerificationError)
    assert server.got == b""


def test_a_client_without_a_certificate_or_with_old_tls_is_refused(a: Certificate, b: Certificate) -> None:
    """R17."""
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = False
    bare.verify_mode = ssl.CERT_NONE
    server, client = meet(tls.session_context(a, b.der, True), bare, None)
    assert isinstance(server.error, ssl.SSLError)
    assert client.got == b""
    old = tls.session_context(b, a.der, False)
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    server, client = meet(tls.session_context(a, b.der, True), old, (b.der, a.der))
    assert isinstance(server.error, ssl.SSLError)
    assert isinstance(client.error, ssl.SSLError)


def test_what_is_not_the_pin_to_the_last_bit_is_not_the_peer(a: Certificate, b: Certificate) -> None:
    """R17: the hash of the DER decides, whatever the library made of the chain."""
    server, _ = meet(
        tls.session_context(a, b.der, True), tls.session_context(b, a.der, False), (a.der, a.der)
    )
    assert isinstance(server.error, tls.NotThePeer)


def test_a_dead_clock_does_not_part_the_pair(
    b: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Channel: a unit whose clock starts in 1970 finds its peer (here: one not yet valid)."""
    later = certificate._der(certificate._GENERALIZED_TIME, b"90000101000000Z")
    end = certificate._der(certificate._GENERALIZED_TIME, b"99991231235959Z")
    monkeypatch.setattr(certificate, "_VALIDITY", certificate._der(certificate._SEQUENCE, later, end))
    young = own_certificate(tmp_path / "young", A)
    server, client = meet(
        tls.session_context(b, young.der, True), tls.session_context(young, b.der, False), (young.der, b.der)
    )
    assert (server.error, client.error) == (None, None)


def test_units_that_never_met_pair_over_tls(a: Certificate, b: Certificate) -> None:
    """R17: the whole exchange of pairing; and a host in the middle gets no proof."""
    pair = Secret(b"k" * 32)
    server, client = meet(tls.pairing_context(a, True), tls.pairing_context(b, False), None)
    assert (server.error, client.error) == (None, None)
    assert client.peer == a.der  # seen in the handshake; b's own goes in its first message
    assert server.peer is None
    nonces = nonce(), nonce()
    at_server, at_client = Exchange(*nonces, b.der, a.der), Exchange(*nonces, b.der, client.peer)
    assert proven(pair, Role.SERVER, at_client, proof(pair, Role.SERVER, at_server))
    assert proven(pair, Role.CLIENT, at_server, proof(pair, Role.CLIENT, at_client))
    between = Exchange(*nonces, b.der, b"certificate of the host between")
    assert not proven(pair, Role.SERVER, between, proof(pair, Role.SERVER, at_server))


def test_it_is_made_once_and_says_who_it_is(a: Certificate, tmp_path: Path) -> None:
    assert own_certificate(tmp_path / "a", A) == a
    assert stat.S_IMODE(a.file.stat().st_mode) == 0o600
    assert a.fingerprint == fingerprint(a.der)
    assert serial_of(a.der) == A
    assert serial_of(b"junk") is None
    assert serial_of(own_certificate(tmp_path / "long", "QXISDN4+-" + "9" * 15).der) == "QXISDN4+-" + "9" * 15
    assert own_certificate(tmp_path / "other", A).der != a.der


def test_openssl_reads_it_strictly(a: Certificate) -> None:
    """RFC 5280 and RFC 8410, as another implementation reads it: 2000 to 9999, serial in subject."""
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-CAfile", a.file, a.file],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = subprocess.run(
        ["openssl", "x509", "-in", a.file, "-noout", "-text"], check=True, capture_output=True, text=True
    ).stdout
    for line in (
        f"Subject: CN = {A}, serialNumber = {A}",
        "Not Before: Jan  1 00:00:00 2000 GMT",
        "Not After : Dec 31 23:59:59 9999 GMT",
        "ED25519 Public-Key",
        "CA:FALSE",
    ):
        assert line in text


def test_a_broken_certificate_is_named_and_never_made_anew(a: Certificate, b: Certificate) -> None:
    """R1, R17: the peer has the old one pinned, so a unit must not come up with another one by itself."""
    good = a.file.read_bytes()
    other = good[: good.index(b"-----BEGIN CERT")] + ssl.DER_cert_to_PEM_cert(b.der).encode()
    for wrong in (b"", good[:100], good[: len(good) // 2], bytes(len(good)), b"\xff" * 500, other):
        a.file.write_bytes(wrong)
        with pytest.raises(Damaged, match=r"unit\.pem: damaged: expected a private key and its certificate"):
            own_certificate(a.file.parent, A)
        assert a.file.read_bytes() == wrong
    a.file.write_bytes(good)
    with pytest.raises(Damaged, match=f"certificate of {A}; expected that of {C}"):
        own_certificate(a.file.parent, C)


def test_the_private_key_is_in_no_error_and_no_repr(a: Certificate) -> None:
    """R17."""
    secret = a.file.read_text().splitlines()[1]
    assert secret not in repr(a)
    a.file.write_text(a.file.read_text()[:160])
    with pytest.raises(Damaged) as caught:
        own_certificate(a.file.parent, A)
    assert secret not in str(caught.value)
    assert files.read(a.file) is not None
