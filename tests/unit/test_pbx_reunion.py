# SPDX-License-Identifier: Apache-2.0
"""What phones told the loser of a split joins what they told the Master that stays (R10, R22)."""

from __future__ import annotations

import asyncio
from typing import Any
from zlib import crc32

import pytest

from qx.errors import Refusal
from qx.packing import unpack
from qx.pbx import joining, reunion
from qx.pbx.registration import DIALOGS, REGISTRATIONS, Contact, contacts_row
from qx.pbx.reunion import Reunion
from qx.sync.live import LiveState
from waiting import until

NOW = 1_795_416_000.0


def contact(uri: str, **changed: Any) -> Contact:
    plain = Contact("101", "uloc-1", f"sip:101@{uri}", "", "", int(NOW) + 100, "-1", "call-1", 5, 0,
                    "udp:172.30.0.1:5060", "Snom")  # fmt: skip
    return plain._replace(**changed)


HERE, THERE = contact("172.30.0.8"), contact("172.30.0.9", call_id="call-2")


def wishes(
    theirs: list[Contact], ours: list[Contact], *, untouched: bool = False, ahead: float = 0.0
) -> list:
    row = contacts_row(theirs) if theirs else b""
    return list(joining.wishes([("101", untouched, row)], {"101": ours}, ahead, NOW))


def test_a_contact_that_is_not_known_here_is_registered() -> None:
    """R22: with the seconds that it has left; one that this unit heard of itself stays beside it."""
    assert wishes([THERE], [HERE]) == [(THERE, 100)]
    assert wishes([THERE], []) == [(THERE, 100)]


def test_within_a_call_id_the_later_cseq_counts() -> None:
    """RFC 3261 10.3, whatever the expiry says; the same is not sent again."""
    later = HERE._replace(cseq=6, expires=int(NOW) + 50)
    assert wishes([later], [HERE]) == [(later, 50)]
    assert wishes([HERE], [later]) == []
    assert wishes([HERE], [HERE]) == []


def test_between_call_ids_the_later_expiry_counts() -> None:
    """R22: a phone that was started anew has another Call-ID, and counts from a low CSeq."""
    anew = HERE._replace(call_id="call-3", cseq=1, expires=int(NOW) + 101)
    assert wishes([anew], [HERE]) == [(anew, 101)]
    assert wishes([HERE], [anew]) == []


def test_what_was_given_up_there_is_given_up_here() -> None:
    """R22: but not what a phone told this unit meanwhile."""
    assert wishes([], [HERE], untouched=True) == [(HERE, 0)]
    assert wishes([], [HERE]) == []
    assert wishes([THERE], [HERE], untouched=True) == [(THERE, 100), (HERE, 0)]


def test_clocks_that_differ() -> None:
    """R22: expiry in the other unit's time is this one's where this one is ahead."""
    assert wishes([THERE], [], ahead=20.2) == [(THERE, 120)]


@pytest.mark.parametrize(("left", "sent"), [(joining.SOON - 1, 0), (joining.SOON, 0), (joining.SOON + 1, 1)])
def test_what_is_about_to_expire_is_left(left: int, sent: int) -> None:
    """Bounds: Kamailio would make 30 s of anything less."""
    assert len(wishes([THERE._replace(expires=int(NOW) + left)], [])) == sent


def test_no_text_of_a_phone_ends_its_line() -> None:
    """Bad input: a user agent with a line end in it makes no header of its own."""
    assert wishes([THERE._replace(user_agent="a\r\nVia: SIP/2.0/UDP 192.0.2.1")], []) == []


def test_the_request_is_the_phones_own() -> None:
    """R22: Call-ID, CSeq, User-Agent and the address that it came to; a removal has its own Call-ID."""
    text = joining._request(THERE._replace(q="0.5"), 77, "172.30.0.1", "127.0.0.1:4000").octets().decode()
    lines = text.split("\r\n")
    assert lines[0] == "REGISTER sip:172.30.0.1 SIP/2.0"
    assert {
        "Call-ID: call-2", "CSeq: 5 REGISTER", "Contact: <sip:101@172.30.0.9>;q=0.5", "Expires: 77",
        "User-Agent: Snom", "Sock-Info: udp:172.30.0.1:5060",
    } <= set(lines)  # fmt: skip
    gone = joining._request(HERE, 0, "172.30.0.1", "127.0.0.1:4000").octets().decode()
    assert "Expires: 0\r\n" in gone and "call-1" not in gone


class Side:
    """A unit's live state and its reunion, which asks the other side; what would go to Kamailio is kept."""

    def __init__(self) -> None:
        self.live = LiveState()
        self.other: Side | None = None
        self.joined: list[tuple[str, bool, bytes]] = []
        self.takes = True
        self.reunion = Reunion(self.live, self._ask, self._join)

    def put(self, table: str, key: str, value: bytes | None) -> None:
        self.reunion.touch(table, key, value is None)
        if value is None:
            self.live.drop(table, key)
        else:
            self.live.put(table, key, value)

    async def _ask(self, name: str, arguments: dict[str, Any], _seconds: float) -> dict[str, Any]:
        if self.other is None:
            raise Refusal("there is no session")
        assert name == reunion.QUESTION
        return await self.other.reunion.take(arguments)

    async def _join(self, octets: bytes) -> bool:
        if self.takes:
            self.joined += unpack(octets)[1]
        return self.takes


def test_rows_of_the_loser_come_to_the_master(monkeypatch: pytest.MonkeyPatch) -> None:
    """R10, R22: those that changed since no Backup had them, as soon as there is a session and Kamailio takes
    them; with each, whether the Master has touched it since."""
    monkeypatch.setattr(reunion, "AGAIN", 0.01)

    async def work() -> None:
        stays, loses = Side(), Side()
        for side in (stays, loses):
            for number in ("101", "102", "103"):
                side.live.put(REGISTRATIONS, number, b"before")
        loses.put(REGISTRATIONS, "101", b"new")
        loses.put(REGISTRATIONS, "102", None)
        loses.put(DIALOGS, "call", b"up")
        stays.put(REGISTRATIONS, "102", b"changed here")
        loses.reunion.part()
        await asyncio.sleep(0.05)
        stays.takes = False
        loses.other = stays
        await asyncio.sleep(0.05)
        assert stays.joined == []
        stays.takes = True
        await until(lambda: stays.joined)
        assert stays.joined == [("101", True, b"new"), ("102", False, b"")]
        assert stays.live.table(DIALOGS) == {"call": b"up"}
        await asyncio.sleep(0.05)
        assert len(stays.joined) == 2, "once"

    asyncio.run(work())


def test_a_master_that_started_anew_is_handed_what_its_backup_kept() -> None:
    """R18, R41: registrations through its Kamailio, calls as they are; not what phones told it meanwhile."""

    async def work() -> None:
        anew, kept = Side(), Side()
        anew.put(REGISTRATIONS, "102", b"later")
        anew.put(DIALOGS, "call-2", b"changed")
        kept.other = anew
        rows = {
            REGISTRATIONS: {"101": b"x", "102": b"y"}, DIALOGS: {"call-1": b"up", "call-2": b"up"},
            "phones": {"00:15:65:00:00:01": b"of this unit's own run"},
        }  # fmt: skip
        kept.live.given_up(rows)
        await until(lambda: anew.joined)
        assert anew.joined == [("101", True, b"x"), ("102", False, b"y")]
        assert anew.live.table(DIALOGS) == {"call-1": b"up", "call-2": b"changed"}
        assert not anew.live.table("phones")

    asyncio.run(work())


def test_more_rows_than_one_question_carries() -> None:
    """Limits: a part below, at and above its size; nothing is lost or sent twice."""

    async def work(rows: int) -> None:
        stays, loses = Side(), Side()
        loses.other = stays
        for number in range(rows):
            loses.put(REGISTRATIONS, str(number), b"x")
        loses.reunion.part()
        await until(lambda: len(stays.joined) >= rows)
        assert sorted(int(row[0]) for row in stays.joined) == list(range(rows))

    for rows in (reunion.PART - 1, reunion.PART, reunion.PART + 1):
        asyncio.run(work(rows))


def test_a_days_calls_do_not_gather() -> None:
    """Memory: what came and went while no Backup was there leaves nothing."""
    side = Side()
    for number in range(1000):
        side.put(DIALOGS, f"call-{number}", b"up")
        side.put(DIALOGS, f"call-{number}", None)
    assert not side.reunion._since


def test_a_unit_that_leads_again_keeps_its_rows_to_itself() -> None:
    """R10: they are the pair's then, by live state."""

    async def work() -> None:
        side = Side()
        side.put(REGISTRATIONS, "101", b"x")
        side.reunion.part()
        side.reunion.lead()
        side.other = Side()
        await asyncio.sleep(0.05)
        assert side.other.joined == []

    asyncio.run(work())


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"now": 1.0},
        {"now": "1", "rows": ()},
        {"now": 1.0, "rows": ((REGISTRATIONS, "101", crc32(b"")),)},
        {"now": 1.0, "rows": ((REGISTRATIONS, "101", "0", b""),)},
    ],
)
def test_what_is_no_question_is_refused(arguments: dict[str, Any]) -> None:
    """Bad input: the error says what was expected, and nothing is taken."""

    async def work() -> None:
        side = Side()
        with pytest.raises(Refusal, match="expected the time, and rows of"):
            await side.reunion.take(arguments)
        assert side.joined == [] and not side.live.table(DIALOGS)

    asyncio.run(work())
