# SPDX-License-Identifier: Apache-2.0
"""joining: has this unit's Kamailio take registrations that phones made with the other unit during a split.

Each is sent as the phone's own REGISTER, with its Call-ID, CSeq and User-Agent, to the port on loopback that
the phone run uses. Kamailio then reports what it has, and that is live state like any other. What Kamailio
knows better is left alone. Runs in a process of its own.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from secrets import token_hex

from .. import ports
from ..errors import Refusal
from ..packing import unpack
from ..paths import Paths
from . import sip
from .collect import ask, registrations
from .kamailio import Service
from .registration import Contact, Registered, contacts_of, report
from .render import asked

AT_ONCE = 20  # requests that wait for their answers
AGAIN = 0.5  # seconds, then what was not answered is sent once more
TRIES = 6
SOON = 30  # seconds: what expires within them is as good as gone, and Kamailio would lengthen it

Wish = tuple[Contact, int]  # a contact, and for how many seconds; 0: it was given up


def join(paths: Paths, octets: bytes) -> int:
    """How many were sent. `octets`: by how many seconds this unit's clock is ahead of the other's, and rows
    of AOR, whether this unit has not changed it since, contacts. Raises Refusal where no Kamailio answers."""
    ahead, rows = unpack(octets)
    there: dict[str, tuple[Contact, ...]] = {}
    for line in registrations(ask(paths.kamailio, "ul.dump")):
        found = report(line.encode(), 0.0)
        assert isinstance(found, Registered)
        there[found.aor] = found.contacts
    wanted = list(wishes(rows, there, ahead, time.time()))
    if wanted:
        settings, _ = asked(paths)
        _register(wanted, str(Service.of(settings).addresses[0]))
    return len(wanted)


def wishes(
    rows: Iterable[tuple[str, bool, bytes]], there: Mapping[str, Sequence[Contact]], ahead: float, now: float
) -> Iterator[Wish]:
    """What is to be registered here. Pure. `there`: what Kamailio has, by AOR."""
    for aor, untouched, row in rows:
        theirs = contacts_of(aor, row) if row else ()
        ours = {contact.uri: contact for contact in there.get(aor, ())}
        for contact in theirs:
            left = round(contact.expires + ahead - now)
            if left > SOON and _sendable(contact) and _newer(contact, left, ours.get(contact.uri), now):
                yield contact, left
        if untouched:
            kept = {contact.uri for contact in theirs}
            yield from ((contact, 0) for uri, contact in ours.items() if uri not in kept)


def _newer(contact: Contact, left: int, ours: Contact | None, now: float) -> bool:
    """RFC 3261 10.3, step 7: within a Call-ID CSeq says which is the later. Between two of them the expiry
    does, since phones ask for the same time again and again."""
    if ours is None:
        return True
    if contact.call_id == ours.call_id:
        return contact.cseq > ours.cseq
    return left > ours.expires - now


def _sendable(contact: Contact) -> bool:
    """No text of it would end its line."""
    return all(str(field).isprintable() for field in contact)


def _request(contact: Contact, seconds: int, domain: str, via: str) -> sip.Request:
    gone = not seconds
    extra = [f"Expires: {seconds}"]
    if not gone:
        extra += [
            f"{name}: {value}"
            for name, value in (("User-Agent", contact.user_agent), ("Sock-Info", contact.socket))
            if value
        ]
    q = "" if gone or contact.q in ("", "-1") else f";q={contact.q}"
    return sip.Request(
        "REGISTER", f"sip:{domain}", contact.aor, domain, via, token_hex(8), token_hex(4),
        token_hex(16) if gone else contact.call_id, 1 if gone else contact.cseq, tuple(extra),
        contact=f"<{contact.uri}>{q}",
    )  # fmt: skip


def _register(wanted: Sequence[Wish], domain: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", ports.PHONE_RUN))
        via = "{}:{}".format(*sock.getsockname())
        for start in range(0, len(wanted), AT_ONCE):
            requests = (_request(*wish, domain, via) for wish in wanted[start : start + AT_ONCE])
            waiting = {(request.call_id, request.cseq): request.octets() for request in requests}
            for _ in range(TRIES):
                if waiting:
                    _exchange(sock, waiting)
            if waiting:
                raise Refusal("Kamailio: REGISTER: expected an answer")


def _exchange(sock: socket.socket, waiting: dict[tuple[str, int], bytes]) -> None:
    """Sends what waits for an answer, and takes what is answered away."""
    try:
        for octets in waiting.values():
            sock.send(octets)
        until = time.monotonic() + AGAIN
        while waiting and select.select([sock], [], [], max(0.0, until - time.monotonic()))[0]:
            answer = sip.answer(sock.recv(65535))
            if answer.status >= 200:
                waiting.pop((answer.call_id, answer.cseq), None)
    except (ConnectionRefusedError, sip.BadMessage):
        time.sleep(AGAIN)  # it starts at this moment
