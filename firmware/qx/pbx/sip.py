# SPDX-License-Identifier: Apache-2.0
"""sip: as much of SIP (RFC 3261) as this unit speaks itself: a request out of any dialog, its answer, and
digest credentials (RFC 7616 3.4, MD5, with and without qop). Pure: texts in, octets out; transactions are
Kamailio's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import md5

LINE = "\r\n"


class BadMessage(ValueError):
    """Octets that are no answer to a request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `branch`, `tag` and `call_id` are the caller's to make unique; `extra` are whole lines;
    `contact` is the user at the domain where it is empty."""

    method: str
    uri: str
    user: str
    domain: str
    via: str
    branch: str
    tag: str
    call_id: str
    cseq: int = 1
    extra: tuple[str, ...] = ()
    body: str = ""
    contact: str = ""

    def octets(self) -> bytes:
        lines = [
            f"{self.method} {self.uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.via};branch=z9hG4bK{self.branch};rport",
            f"From: <sip:{self.user}@{self.domain}>;tag={self.tag}",
            f"To: <sip:{self.user}@{self.domain}>",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} {self.method}",
            f"Contact: {self.contact or f'<sip:{self.user}@{self.domain}>'}",
            "Max-Forwards: 70",
            *self.extra,
        ]
        body = self.body.replace("\n", LINE).encode()
        return LINE.join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    call_id: str
    cseq: int
    challenge: str = ""  # of WWW-Authenticate or Proxy-Authenticate
    proxy: bool = False


def answer(octets: bytes) -> Answer:
    """Reads a response. Raises BadMessage."""
    head = octets.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    first, *lines = re.sub(r"\r\n[ \t]+", " ", head).split(LINE)
    found = re.fullmatch(r"SIP/2\.0 ([1-6][0-9]{2}) .*", first)
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    call_id = headers.get("call-id") or headers.get("i", "")
    cseq = headers.get("cseq", "").partition(" ")[0]
    if not found or not call_id or not re.fullmatch("[0-9]{1,9}", cseq):
        raise BadMessage("expected a response with Call-ID and CSeq")
    proxy = "proxy-authenticate" in headers
    challenge = headers.get("proxy-authenticate" if proxy else "www-authenticate", "")
    if "\r" in challenge or "\n" in challenge:  # it goes into our own header
        raise BadMessage("a challenge of several lines; expected one")
    return Answer(int(found[1]), call_id, int(cseq), challenge, proxy)


def authorization(asked: Answer, method: str, uri: str, user: str, password: str, cnonce: str) -> str:
    """The header line that answers a challenge. Raises BadMessage for one that cannot be answered."""
    scheme, _, rest = asked.challenge.partition(" ")
    found = {
        name.lower(): quoted if quoted or not plain else plain
        for name, quoted, plain in re.findall(r'([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))', rest)
    }
    algorithm = found.get("algorithm", "MD5")
    if scheme.lower() != "digest" or "nonce" not in found or algorithm.upper() != "MD5":
        raise BadMessage(f"a challenge of {scheme} {algorithm}; expected Digest with MD5")
    realm, nonce = found.get("realm", ""), found["nonce"]
    ha1, ha2 = _md5(f"{user}:{realm}:{password}"), _md5(f"{method}:{uri}")
    fields = [
        f'username="{user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"', "algorithm=MD5",
    ]  # fmt: skip
    if "auth" in [word.strip() for word in found.get("qop", "").split(",")]:
        response = _md5(f"{ha1}:{nonce}:00000001:{cnonce}:auth:{ha2}")
        fields += ["qop=auth", "nc=00000001", f'cnonce="{cnonce}"']
    else:
        response = _md5(f"{ha1}:{nonce}:{ha2}")
    fields.append(f'response="{response}"')
    if "opaque" in found:
        fields.append(f'opaque="{found["opaque"]}"')
    return f"{'Proxy-' if asked.proxy else ''}Authorization: Digest {', '.join(fields)}"


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
