# SPDX-License-Identifier: Apache-2.0
"""Which phones are restarted, in which order and when (R23); the vendors' table."""

from pathlib import Path

import pytest

from qx.errors import Refusal
from qx.paths import Paths
from qx.pbx.phoneplan import BACK_MOST, CALL_MOST, RECENT, Phone, Plan, State
from qx.pbx.phonetable import read_table, table, vendor_of
from qx.settings.groups.telephony import VENDORS


def phone(extension: str, **more: object) -> Phone:
    values = {"supported": True, "uri": f"sip:{extension}@192.0.2.1", **more}
    return Phone(f"00:00:00:00:00:{extension[-2:]}", extension, f"{extension} desk", **values)  # type: ignore[arg-type]


def ran(
    plan: Plan, until: float, calls: dict[float, set[str]] | None = None, step: float = 0.01
) -> list[tuple[float, str]]:
    """(time, extension) of each order until that time."""
    found: list[tuple[float, str]] = []
    for tick in range(round(until / step)):
        now = tick * step
        busy = next((who for at, who in sorted((calls or {}).items(), reverse=True) if at <= now), set[str]())
        if one := plan.restart(now, busy):
            found.append((round(now, 2), one.extension))
    return found


def test_all_in_order_at_the_pace() -> None:
    """R23: one at a time, by extension as a number, at the pace."""
    plan = Plan([phone("1001"), phone("99"), phone("101")], "all", 1.0, 0.0)
    assert not list(plan.ask(0.0))
    assert ran(plan, 5) == [(0.0, "99"), (1.0, "101"), (2.0, "1001")]


def test_unreachable_ones_alone() -> None:
    """R23: every phone is asked; who answers is left alone, who does not is restarted."""
    plan = Plan([phone("101"), phone("102"), phone("103", uri="")], "unreachable", 1.0, 0.0)
    asked = list(plan.ask(0.0))
    assert [one.extension for one in asked] == ["101", "102"]
    assert plan.restart(0.1, ()) is None, "nobody is restarted unasked"
    plan.there(asked[0], True, 1.0)
    plan.there(asked[1], False, 5.0)
    assert [extension for _, extension in ran(plan, 10)] == ["102"]
    assert [one.name for one in plan.manual()] == ["103 desk"]


def test_none_at_all() -> None:
    plan = Plan([phone("101")], "none", 1.0, 0.0)
    assert plan.over(0.0) and not plan.manual() and not list(plan.ask(0.0)) and not ran(plan, 2)


def test_a_phone_in_a_call_waits_for_its_end() -> None:
    """R23: and holds up nobody else."""
    plan = Plan([phone("101"), phone("102")], "all", 1.0, 0.0)
    assert ran(plan, 20, {0.0: {"101"}, 10.0: set()}) == [(0.0, "102"), (10.0, "101")]


def test_a_call_is_waited_for_30_minutes_at_most() -> None:
    plan = Plan([phone("101")], "all", 1.0, 0.0)
    assert plan.restart(CALL_MOST - 0.1, {"101"}) is None
    assert plan.restart(CALL_MOST, {"101"}) is plan.phones[0]


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, State.REBOOTED), (202, State.REBOOTED), (401, State.REFUSED), (403, State.REFUSED),
     (407, State.REFUSED), (489, State.UNSUPPORTED), (408, State.SILENT), (500, State.SILENT)],
)  # fmt: skip
def test_what_an_answer_means(status: int, state: State) -> None:
    plan = Plan([phone("101")], "all", 1.0, 0.0)
    one = plan.restart(0.0, ())
    assert one
    plan.told(one, status, 1.0)
    assert one.state == state
    assert (one in plan.manual()) == (state != State.REBOOTED)


def test_back_is_who_registers_anew() -> None:
    """R23: a registration that was there before proves nothing."""
    plan = Plan([phone("101", seen="old")], "all", 1.0, 0.0)
    one = plan.restart(0.0, ())
    assert one
    plan.told(one, 200, 0.1)
    plan.registered(one, "old", 1.0)
    assert one.state == State.REBOOTED and not plan.over(1.0)
    plan.registered(one, "new", 2.0)
    assert one.state == State.BACK and plan.over(2.0)


def test_a_phone_that_does_not_come_back_ends_the_run() -> None:
    plan = Plan([phone("101")], "all", 1.0, 0.0)
    one = plan.restart(0.0, ())
    assert one
    plan.told(one, 200, 0.0)
    assert not plan.over(BACK_MOST - 1) and plan.over(BACK_MOST + 1)


def test_who_is_listed_by_name() -> None:
    """R23: unsupported vendors, those that the PBX does not configure, and unregistered ones."""
    plan = Plan(
        [phone("101", supported=False), phone("102", enabled=False), phone("103", uri="")], "all", 1, 0
    )
    assert {one.extension: one.state for one in plan.manual()} == {
        "101": State.UNSUPPORTED, "102": State.LEFT, "103": State.UNREGISTERED,
    }  # fmt: skip


def test_a_second_takeover_goes_on() -> None:
    """R23: what was restarted a moment ago is not restarted again; what was not, is."""
    done, old, pending = phone("101"), phone("102"), phone("103")
    done.set(State.REBOOTED, 1000.0)
    old.set(State.BACK, 1000.0 - RECENT - 60)
    pending.set(State.SENT, 1000.0)
    plan = Plan([done, old, pending], "all", 0.1, 1060.0)
    assert done.state == State.REBOOTED
    orders = [plan.restart(1060.0 + tenth / 10, ()) for tenth in range(20)]
    assert [one.extension for one in orders if one] == ["102", "103"]


def test_every_vendor_of_the_settings_is_in_the_table(tmp_path: Path) -> None:
    """R23: but `other`, whose phones are found by their User-Agent."""
    known = read_table(Paths(tmp_path))
    assert {*known} == {*VENDORS} - {"other"}
    for agent, event in (
        ("Yealink SIP-T46U 108.86", "check-sync;reboot=true"), ("Linksys/SPA942", "reboot_now"),
        ("PolycomVVX-VVX_411", "check-sync"), ("snom300/8.7", "check-sync;reboot=true"),
    ):  # fmt: skip
        found = vendor_of(known, "other", agent)
        assert found and found.event == event, agent
    assert vendor_of(known, "other", "SIPp") is None
    enterprise = known["cisco-enterprise"].body.format(call_id="x@y")
    assert "RegisterCallId={x@y}\nConfigVersionStamp={0000000000000000}" in enterprise


def test_an_edited_table_goes_before(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.etc_qx.mkdir(parents=True)
    (paths.etc_qx / "phones.toml").write_text('[snom]\nevent = "restart"\n')
    known = read_table(paths)
    assert known["snom"].event == "restart" and known["yealink"].event == "check-sync;reboot=true"


@pytest.mark.parametrize(
    ("text", "why"),
    [("[snom", "not readable as TOML"), ("[snom]\n", "snom: expected a table with event"),
     ('[snom]\nevent = 3\n', r"snom\.event: expected a text"),
     ('[snom]\nevent = "a"\ncolour = "b"\n', r"snom\.colour: expected a text, of event"),
     ('[snom]\nevent = "a\\r\\nX: y"\n', r"snom\.event: expected one line"),
     ('[snom]\nevent = "a"\nagent = "("\n', r"snom\.agent: not a regular expression")],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(Refusal, match=why):
        table(text, "phones.toml")
