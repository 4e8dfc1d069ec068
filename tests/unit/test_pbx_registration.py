# SPDX-License-Identifier: Apache-2.0
"""What Kamailio reports becomes rows of live state, and comes back from them (R18)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qx.pbx.registration import (
    ROW_MAX,
    BadReport,
    Banned,
    Dialog,
    Ended,
    Registered,
    all_contacts,
    contacts_of,
    contacts_row,
    dialog_of,
    dialog_row,
    report,
)

# As Kamailio 5.6 sent it.
REGISTERED = (
    b"R\t1198\nuloc-6b03df6d-5031-c1\tsip:1198@172.30.0.50:20000\t\t\t1795416039\t-1\t199-20608@172.30.0.50\t2\t0"
    b"\tudp:172.30.0.1:5060\t4294967295\tYealink SIP-T46U 108.86"
)


def contacts(octets: bytes = REGISTERED) -> tuple:
    found = report(octets, 0)
    assert isinstance(found, Registered)
    return found.contacts


def test_a_registration() -> None:
    """R18: all that is needed to reach the phone again."""
    (contact,) = contacts()
    assert (contact.aor, contact.uri, contact.expires) == ("1198", "sip:1198@172.30.0.50:20000", 1795416039)
    assert (contact.socket, contact.user_agent) == ("udp:172.30.0.1:5060", "Yealink SIP-T46U 108.86")
    assert contacts_of("1198", contacts_row([contact])) == (contact,)


def test_a_number_has_room_in_a_row() -> None:
    """Bad input: 15 digits are read, one more is refused here and not where the row is written."""
    (contact,) = contacts(REGISTERED.replace(b"1795416039", b"9" * 15))
    assert contacts_of("1198", contacts_row([contact])) == (contact,)
    with pytest.raises(BadReport, match="a number of 16 digits"):
        contacts(REGISTERED.replace(b"1795416039", b"9" * 16))


def test_nobody_is_registered_any_more() -> None:
    assert report(b"R\t1198", 0) == Registered("1198", ())


def test_a_call_and_its_end() -> None:
    """R18: Call-ID, tags and both contacts."""
    octets = b"D\tid@x\tf1\tt1\tsip:1@a\t101\t102\tsip:2@b"
    found = report(octets, 1000.5)
    assert found == Dialog("id@x", "f1", "t1", "sip:1@a", "101", "102", "sip:2@b", 1000)
    assert dialog_of("id@x", dialog_row(found)) == found
    assert report(b"E\tid@x", 0) == Ended("id@x")
    assert report(b"B\t192.0.2.7\t101", 0) == Banned("192.0.2.7", "101")


def test_expiry_keeps_its_meaning_where_the_clocks_differ() -> None:
    """R22: a unit whose clock is 90 s ahead lets nothing expire 90 s early."""
    rows = {"1198": contacts_row(contacts())}
    assert next(all_contacts(rows)).expires == 1795416039
    assert next(all_contacts(rows, 90.2)).expires == 1795416129


def test_a_row_has_room() -> None:
    """R18: a user agent of any length costs the user agent, never the registration."""
    long = REGISTERED + b"x" * 2 * ROW_MAX
    row = contacts_row(contacts(long))
    assert len(row) <= ROW_MAX
    assert contacts_of("1198", row)[0].uri == "sip:1198@172.30.0.50:20000"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"R",
        b"X\ta",
        b"E\ta\tb",
        b"D\ta",
        b"R\t1\nonly\tthree\tfields",
        REGISTERED.replace(b"1795416039", b"soon"),
    ],
)
def test_what_is_no_report_is_refused(octets: bytes) -> None:
    with pytest.raises(BadReport):
        report(octets, 0)


@given(st.binary(max_size=300))
def test_any_octets_are_a_report_or_refused(octets: bytes) -> None:
    with contextlib.suppress(BadReport):
        report(octets, 0)
