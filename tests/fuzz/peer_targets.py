# SPDX-License-Identifier: Apache-2.0
"""peer_targets: what a stranger or a peer may send, and a key as somebody pastes it."""

from __future__ import annotations

from pathlib import Path

from nacl.signing import SigningKey

from qx.packing import NotPacked, unpack
from qx.redundancy.peer.hello import PeerHello, read_hello
from qx.redundancy.peer.introduction import MESSAGE_MAX, Introduction, Ours
from qx.redundancy.peer.message import Reader, build
from qx.redundancy.peer.talk import HELLO, HELLO_MAX, Talk
from qx.sync import messages
from qx.sync.voice import messages as voice_messages
from qx.trust.certificate import issue
from qx.trust.files import unseal
from qx.trust.key import read_octets, read_public, read_text
from qx.trust.pairing import Pin
from qx.trust.secret import Secret
from qx.trust.signers import Signer, Signers, signer_id

from .words import Target, each

SIGNING = SigningKey(bytes(range(32)))
PUBLIC = bytes(SIGNING.verify_key)
SIGNERS = Signers({signer_id(PUBLIC): Signer("vendor-2026", PUBLIC)}, True)
CERTIFICATE = issue("QX200-000001", bytes(32), bytes(16))
OURS = Ours(Secret(b"p" * 32), CERTIFICATE, "QX200-000002", Pin())
HERE = PeerHello("QX200-000001", "qx200", "1.0.0")


def session(octets: bytes) -> None:
    """A stream as the listener's end of a session hears it."""
    talk = Talk(False, HERE, 0.0)
    for kind, body in Reader(HELLO_MAX).feed(octets):
        if talk.end is None:
            talk.hear(kind, body)


def pairing(octets: bytes) -> None:
    """A stream as the listener hears it from somebody without the pair key: nobody is met."""
    introduction = Introduction(OURS)
    try:
        for kind, body in Reader(MESSAGE_MAX).feed(octets):
            introduction.hear(kind, body)
    finally:
        assert introduction.met is None


def hello(octets: bytes) -> None:
    try:
        body = unpack(octets)
    except NotPacked:
        return
    found = read_hello(body)
    assert read_hello(unpack(build(HELLO, found.packed())[8:])) == found


def synchronisation(octets: bytes) -> None:
    """The body of a message about settings or voice data; the first octet is its kind."""
    try:
        body = unpack(octets[1:])
    except NotPacked:
        return
    kind = octets[0]
    each(lambda _: messages.read(messages.STANDING + kind % 12, body), octets)
    each(lambda _: voice_messages.read(voice_messages.STATE + kind % 17, body), octets)


def key_text(octets: bytes) -> None:
    read_text(octets.decode("utf-8", "replace"), SIGNERS)


def key_octets(octets: bytes) -> None:
    each(lambda one: read_octets(one, SIGNERS), octets)
    each(lambda one: read_public(one, SIGNERS), octets)


def sealed(octets: bytes) -> None:
    unseal(Path("keys"), b"QXKR", octets)


TARGETS: dict[str, Target] = {
    "session": session, "pairing": pairing, "hello": hello, "synchronisation": synchronisation,
    "key-text": key_text, "key-octets": key_octets, "sealed": sealed,
}  # fmt: skip
