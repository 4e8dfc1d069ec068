# SPDX-License-Identifier: Apache-2.0
"""What a stranger or a peer may send, and a key as somebody pastes it: refused in words, or read.

tests/fuzz/corpus has the beginnings: good octets of each kind, and whatever once went wrong. Each is read as
it is, and then changed at random: cut, repeated, overwritten, mixed with another. QX_SOAK=1 (`make fuzz`)
runs the long count.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from counts import SOAK
from qx.errors import Refusal
from qx.packing import NotPacked, unpack
from qx.redundancy.peer.hello import PeerHello, read_hello
from qx.redundancy.peer.introduction import MESSAGE_MAX, Introduction, Ours
from qx.redundancy.peer.message import Reader, build
from qx.redundancy.peer.talk import HELLO, HELLO_MAX, Talk
from qx.trust.certificate import issue
from qx.trust.files import unseal
from qx.trust.key import read_octets, read_public, read_text
from qx.trust.pairing import Pin
from qx.trust.secret import Secret
from qx.trust.signers import Signer, Signers, signer_id

EXAMPLES = 20_000 if SOAK else 300
CORPUS = Path(__file__).resolve().parent / "corpus"
PUBLIC = bytes(SigningKey(bytes(range(32))).verify_key)
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


def key_text(octets: bytes) -> None:
    read_text(octets.decode("utf-8", "replace"), SIGNERS)


def key_octets(octets: bytes) -> None:
    for read in (read_octets, read_public):
        try:
            read(octets, SIGNERS)
        except Refusal as error:
            _in_words(error)


def sealed(octets: bytes) -> None:
    unseal(Path("keys"), b"QXKR", octets)


ODD = [b"", b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(8), b"\xdd\xff\xff\xff\xff", b"\xc1"]
PARSERS: dict[str, Callable[[bytes], None]] = {
    "session": session, "pairing": pairing, "hello": hello, "key-text": key_text, "key-octets": key_octets,
    "sealed": sealed,
}  # fmt: skip


def _in_words(error: Refusal) -> None:
    assert "\n" not in str(error)
    assert 0 < len(str(error)) < 1000


def refused_or_read(name: str, octets: bytes) -> None:
    try:
        PARSERS[name](octets)
    except Refusal as error:
        _in_words(error)


def seeds(name: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted((CORPUS / name).iterdir())]


@st.composite
def changed(draw: st.DrawFn, name: str) -> bytes:
    """A seed after some changes."""
    octets = bytearray(draw(st.sampled_from(seeds(name))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(octets)))
        to = draw(st.integers(at, min(len(octets), at + 40)))
        octets[at:to] = draw(
            st.binary(max_size=12)
            | st.just(bytes(octets[at:to]) * 2)
            | st.sampled_from(seeds(name))
            | st.sampled_from(
                [b"", b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(8), b"\xdd\xff\xff\xff\xff", b"\xc1"]
            )
        )
    return bytes(octets)


@pytest.mark.parametrize("name", list(PARSERS))
def test_the_corpus_is_read_as_it_is(name: str) -> None:
    """Bad input: what is kept under `good` is read, everything else at least refused in words."""
    assert seeds(name)
    for file in sorted((CORPUS / name).iterdir()):
        if file.name.startswith("good"):
            PARSERS[name](file.read_bytes())
        else:
            refused_or_read(name, file.read_bytes())


@pytest.mark.parametrize("name", list(PARSERS))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_changed_octets_are_read_or_refused(name: str, data: st.DataObject) -> None:
    """Security: the parsers that a stranger reaches, and the key that a user pastes."""
    refused_or_read(name, data.draw(changed(name)))


@pytest.mark.parametrize("name", list(PARSERS))
@settings(max_examples=EXAMPLES // 3, deadline=None, suppress_health_check=list(HealthCheck))
@given(octets=st.binary(max_size=200))
def test_octets_at_random_are_read_or_refused(name: str, octets: bytes) -> None:
    """Security."""
    refused_or_read(name, octets)
