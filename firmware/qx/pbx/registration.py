# SPDX-License-Identifier: Apache-2.0
"""registration: what Kamailio reports of registrations and calls, and the rows of live state of it. Pure.

A report is one datagram of text, fields separated by tabs (the format is route REPORT's in kamailio.cfg):

    R AOR, then a line a contact    everything that is registered as AOR now
    D Call-ID, From tag, To tag, caller's contact, caller, callee, callee's contact    a call is up
    E Call-ID                       it has ended
    B address, user                 banned for wrong credentials

Rows are msgpack lists: in table `registrations` by AOR a list of contacts, in `dialogs` by Call-ID a Dialog.
Times are the wall clock of the unit that wrote the row; `Skew` is what the other one makes of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..packing import pack, unpack

REGISTRATIONS = "registrations"
DIALOGS = "dialogs"
TELEPHONY = "telephony"  # single rows that both units share:
CLOCK = "clock"  # what the Master's clock says
SECRET = "secret"  # what nonces are made with
CONTACTS_MAX = 4  # of one address of record
ROW_MAX = 4096  # octets; as live state's


class BadReport(ValueError):
    """A datagram that is none of ours."""


class Contact(NamedTuple):
    """One contact of an address of record. `expires` in seconds since 1970."""

    aor: str
    ruid: str
    uri: str
    received: str
    path: str
    expires: int
    q: str
    call_id: str
    cseq: int
    cflags: int
    socket: str
    user_agent: str


class Dialog(NamedTuple):
    """A confirmed call. Users are the user parts of From and To; `since` in seconds since 1970."""

    call_id: str
    from_tag: str
    to_tag: str
    caller_contact: str
    caller: str
    callee: str
    callee_contact: str
    since: int


class Ended(NamedTuple):
    call_id: str


class Banned(NamedTuple):
    address: str
    user: str


class Registered(NamedTuple):
    aor: str
    contacts: tuple[Contact, ...]


Report = Registered | Dialog | Ended | Banned

_NULL = ("", "<null>", "0")


def report(octets: bytes, now: float) -> Report:
    """Reads a datagram; `now` is the wall clock. Raises BadReport."""
    try:
        head, *lines = octets.decode("utf-8", "replace").split("\n")
        kind, *fields = head.split("\t")
        match kind, fields:
            case "R", [aor]:
                return Registered(aor, tuple(_contact(aor, line) for line in lines))
            case "D", [call_id, from_tag, to_tag, contact, caller, callee, other]:
                return Dialog(call_id, from_tag, to_tag, contact, caller, callee, other, int(now))
            case "E", [call_id]:
                return Ended(call_id)
            case "B", [address, user]:
                return Banned(address, user)
            case _:
                raise BadReport(f"a report of kind {kind[:8]!r} with {len(fields)} fields")
    except ValueError as error:
        raise BadReport(str(error)) from None


def _contact(aor: str, line: str) -> Contact:
    fields = line.split("\t")
    if len(fields) != 12:
        raise BadReport(f"a contact of {len(fields)} fields; expected 12")
    ruid, uri, received, path, expires, q, call_id, cseq, cflags, socket, _, agent = fields
    return Contact(
        aor, ruid, uri, _text(received), _text(path), _number(expires), _text(q) or "-1", call_id,
        _number(cseq), _number(cflags or "0"), _text(socket), _text(agent),
    )  # fmt: skip


def _number(field: str) -> int:
    if len(field) > 15:  # a row has 64 bits for it
        raise BadReport(f"a number of {len(field)} digits")
    return int(field)


def _text(field: str) -> str:
    return "" if field in _NULL else field


def contacts_row(contacts: Iterable[Contact]) -> bytes:
    """As live state keeps it; the longest user agents give way first."""
    kept = [tuple(contact[1:]) for contact in contacts]
    row = pack(kept)
    if len(row) > ROW_MAX:
        row = pack([(*contact[:-1], "") for contact in kept])
    return row


def contacts_of(aor: str, row: bytes) -> tuple[Contact, ...]:
    return tuple(Contact(aor, *fields) for fields in unpack(row))


def dialog_row(dialog: Dialog) -> bytes:
    return pack(tuple(dialog[1:]))


def dialog_of(call_id: str, row: bytes) -> Dialog:
    return Dialog(call_id, *unpack(row))


def all_contacts(rows: Mapping[str, bytes], ahead: float = 0.0) -> Iterator[Contact]:
    """Every contact of a table; `ahead`: by how many seconds this unit's clock is ahead of the writer's."""
    for aor, row in rows.items():
        for contact in contacts_of(aor, row):
            yield contact._replace(expires=contact.expires + round(ahead))


def plain(dialog: Dialog) -> dict[str, Any]:
    return dialog._asdict()
