# SPDX-License-Identifier: Apache-2.0
"""The little SIP that the phone run speaks: requests, answers, digest credentials (R23)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qx.pbx import sip


def challenged(challenge: str, proxy: bool = False) -> sip.Answer:
    return sip.Answer(407 if proxy else 401, "c", 1, challenge, proxy)


def field(line: str, name: str) -> str:
    return line.split(f"{name}=")[1].split(",", maxsplit=1)[0].strip('"')


def test_digest_as_in_the_rfc() -> None:
    """RFC 2617, section 3.5: the example's values give the example's response, with qop."""
    asked = challenged(
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    line = sip.authorization(asked, "GET", "/dir/index.html", "Mufasa", "Circle Of Life", "0a4f113b")
    assert line.startswith("Authorization: Digest ")
    assert field(line, "response") == "6629fae49393a05397450978507c4ef1"
    assert field(line, "opaque") == "5ccc069c403ebaf9f0171e9517f40e41"
    assert "nc=00000001" in line and field(line, "cnonce") == "0a4f113b"


def test_digest_without_qop() -> None:
    """RFC 2069 as corrected (erratum 749): no counter, no cnonce."""
    asked = challenged(
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"', proxy=True
    )
    line = sip.authorization(asked, "GET", "/dir/index.html", "Mufasa", "CircleOfLife", "unused")
    assert line.startswith("Proxy-Authorization: Digest ")
    assert field(line, "response") == "1949323746fe6a43ef61f9606e7febea"
    assert "cnonce" not in line


@pytest.mark.parametrize(
    "challenge", ["", "Basic realm=x", 'Digest realm="x"', 'Digest nonce="n", algorithm=SHA-256']
)
def test_a_challenge_that_is_not_spoken(challenge: str) -> None:
    with pytest.raises(sip.BadMessage, match="expected Digest with MD5"):
        sip.authorization(challenged(challenge), "NOTIFY", "sip:a@b", "a", "p", "c")


def test_a_request_reads_as_sip() -> None:
    """RFC 3261 8.1.1, RFC 6665: the mandatory headers; the event's parameter is neither quoted nor
    escaped."""
    request = sip.Request("NOTIFY", "sip:101@192.0.2.1:5060", "101", "172.30.0.1", "127.0.0.1:4000", "b1",
                          "t1", "id@x", 2, ("Event: check-sync;reboot=true",), "one\ntwo\n")  # fmt: skip
    head, _, body = request.octets().decode().partition("\r\n\r\n")
    lines = head.split("\r\n")
    assert lines[0] == "NOTIFY sip:101@192.0.2.1:5060 SIP/2.0"
    assert "Event: check-sync;reboot=true" in lines
    assert "CSeq: 2 NOTIFY" in lines
    assert "To: <sip:101@172.30.0.1>" in lines
    assert body == "one\r\ntwo\r\n" and lines[-1] == f"Content-Length: {len(body)}"


def test_an_answer() -> None:
    """Also in the short form of headers, and folded."""
    octets = (
        b"SIP/2.0 401 Unauthorized\r\ni: id@x\r\nCSeq: 7 NOTIFY\r\n"
        b'WWW-Authenticate: Digest realm="r",\r\n nonce="n"\r\n\r\n'
    )
    assert sip.answer(octets) == sip.Answer(401, "id@x", 7, 'Digest realm="r", nonce="n"', False)
    with pytest.raises(sip.BadMessage):
        sip.answer(b"NOTIFY sip:a SIP/2.0\r\nCall-ID: x\r\nCSeq: 1 NOTIFY\r\n\r\n")


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_a_challenge_does_not_end_a_line_of_ours(end: bytes) -> None:
    """Security: nonce, realm and opaque of a phone go into our own header as they are."""
    head = b"SIP/2.0 401 U\r\ni: id@x\r\nCSeq: 7 X\r\n"
    octets = head + b'WWW-Authenticate: Digest nonce="n%sVia: x"\r\n\r\n' % end
    with pytest.raises(sip.BadMessage, match="several lines"):
        sip.answer(octets)


@given(st.binary(max_size=200))
def test_any_octets_are_an_answer_or_none(octets: bytes) -> None:
    with contextlib.suppress(sip.BadMessage):
        sip.answer(b"SIP/2.0 200 OK\r\n" + octets)
