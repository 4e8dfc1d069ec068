# SPDX-License-Identifier: Apache-2.0
"""The pure parts of the pages: forms, menus, sessions, origins, the first page, takeovers, progress."""

from __future__ import annotations

from typing import Any

import pytest

from qx.model import MODELS
from qx.redundancy.lapse import due, upgrading
from qx.settings.schema import SCHEMA
from qx.web import form, menu
from qx.web.news import essence
from qx.web.origin import foreign
from qx.web.picture import both
from qx.web.progress import NAMED, progress
from qx.web.protection import answer
from qx.web.sessions import IDLE, LONGEST, MOST, Sessions
from qx.web.takeovers import AFTER, BEFORE, MARKS, SHOWN, takeovers


# ── forms ──
def field(path: str, value: str) -> form.Field:
    setting = SCHEMA.find(path)
    assert setting
    return form.field(setting, path, value, default="60")


INTERVAL, GROUP, ON = "redundancy.sync_interval", "redundancy.group_id", "redundancy.enabled"
FIELDS = [field(INTERVAL, "70"), field(GROUP, "18"), field(ON, "true")]


def test_only_what_was_changed_is_given() -> None:
    """R2: a box that is not sent is off; white space around a value is nobody's; unknown fields go."""
    assert form.given(FIELDS, {INTERVAL: " 70 ", GROUP: "19", "evil": "1"}, {}) == {GROUP: "19", ON: "false"}


def test_a_stale_value_that_nobody_touched_is_no_change() -> None:
    """The form showed 60, somebody set 70 since: what still says 60 was not touched by this user."""
    since = {INTERVAL: {"before": "60", "after": "70"}}
    assert form.meanwhile({INTERVAL: "60", GROUP: "19"}, since, FIELDS) == ({GROUP: "19"}, {})
    assert form.meanwhile({INTERVAL: "60"}, {INTERVAL: {"before": None, "after": "70"}}, FIELDS) == ({}, {})


def test_a_field_that_both_changed_is_named_with_what_stands_there_now() -> None:
    since: dict[str, dict[str, str | None]] = {INTERVAL: {"before": "60", "after": "70"}}
    kept, lost = form.meanwhile({INTERVAL: "80", GROUP: "19"}, since, FIELDS)
    assert (
        kept == {INTERVAL: "80", GROUP: "19"} and list(lost) == [INTERVAL] and "to 70 since" in lost[INTERVAL]
    )
    _, lost = form.meanwhile({INTERVAL: "80"}, {INTERVAL: {"before": "70", "after": None}}, FIELDS)
    assert "to 60 since" in lost[INTERVAL]


def test_a_secret_is_never_in_a_form_and_a_clash_of_two_is_told() -> None:
    setting = SCHEMA.find("mail.password")
    assert setting
    one = form.field(setting, "mail.password", "(set)")
    assert one.set and one.kind == "secret"
    assert form.given([one], {}, {}) == {} and form.given([one], {"mail.password": "x"}, {}) == {
        "mail.password": "x"
    }
    assert form.given([one], {"mail.password clear": "1"}, {}) == {"mail.password": ""}
    since: dict[str, dict[str, str | None]] = {"mail.password": {"before": "(set)", "after": "(set)"}}
    assert form.meanwhile({"mail.password": "x"}, since, [one])[1]


def test_a_number_of_a_page_is_one_that_can_be_asked_for() -> None:
    """Bad input: at most 15 digits: a longer one is nothing that the daemon's messages carry (64 bits), and
    from 4,301 on nothing that Python reads."""
    assert form.whole("0") == 0 and form.whole("9" * 15) == 10**15 - 1
    for wrong in ("", "9" * 16, "9" * 4301, "-1", "1.0", " 1", "²", "٣"):
        assert form.whole(wrong) is None


# ── menus ──
@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_every_setting_has_a_page_and_no_page_is_of_another_model(model: Any) -> None:
    """R26."""
    pages = menu.pages(model)
    shown = {group for page in pages for group in page.groups} | set(menu.ELSEWHERE)
    assert {setting.path.partition(".")[0] for setting in SCHEMA.on(model)} <= shown
    assert any(page.title == "FXO" for page in pages) == model.fxo
    assert any(page.title == "ISDN" for page in pages) == model.isdn
    assert len({page.path for page in pages}) == len(pages)
    assert [name for name, _ in menu.menus(pages)] == ["Status", "Setup", "Maintenance"]


def test_a_part_of_a_page_belongs_to_it_and_nothing_else_does() -> None:
    pages = menu.pages(MODELS["qx200"])

    def title(path: str) -> str:
        found = menu.at(pages, path)
        return found.title if found else ""

    assert title("/setup/extensions/row") == "Extensions"
    assert title("/setup/extensionsrow") == "Overview" or title("/setup/extensionsrow") == ""
    assert title("/") == "Overview"


# ── sessions ──
def test_a_session_ends_by_silence_by_age_and_by_another_in_its_place() -> None:
    """R25: at the limit it lives, past it it does not; a page that lives by itself does not prolong it."""
    sessions = Sessions()
    token, _ = sessions.open("admin", "administrator", False, 0.0)
    assert sessions.find(token, IDLE - 1, use=False) and sessions.find(token, IDLE - 0.1)
    assert sessions.find(token, 2 * IDLE - 0.2) and not sessions.find(token, 4 * IDLE)
    now = 0.0
    token, _ = sessions.open("admin", "administrator", False, now)
    while now + IDLE / 2 < LONGEST:
        now += IDLE / 2
        assert sessions.find(token, now)
    assert not sessions.find(token, LONGEST)
    tokens = [
        sessions.open(f"u{number}", "operator", False, LONGEST + number)[0] for number in range(MOST + 1)
    ]
    assert len(sessions) == MOST and not sessions.find(tokens[0], LONGEST + MOST)
    assert sessions.find(tokens[1], LONGEST + MOST)
    for wrong in (None, "", "x", "\udcff", tokens[2][:-1]):
        assert sessions.find(wrong, LONGEST + MOST) is None


def test_a_form_counts_with_its_sessions_token_alone() -> None:
    sessions = Sessions()
    one, other = (sessions.open("admin", "administrator", False, 0.0)[1] for _ in range(2))
    assert one.genuine(one.csrf)
    assert not any(one.genuine(wrong) for wrong in (other.csrf, "", None, one.csrf[:-1], "ä"))


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"Host": "qx"}, False), ({"Host": "qx", "Origin": "http://qx"}, False),
        ({"Host": "qx", "Origin": "https://qx"}, True), ({"Host": "qx", "Origin": "http://qx.evil"}, True),
        ({"Host": "qx", "Origin": "null"}, True), ({"Origin": "http://qx"}, True),
        ({"Host": "qx", "Sec-Fetch-Site": "same-origin"}, False),
        ({"Host": "qx", "Sec-Fetch-Site": "same-site"}, True),
        ({"Host": "qx", "Sec-Fetch-Site": "cross-site", "Origin": "http://qx"}, True),
    ],
)  # fmt: skip
def test_where_a_form_came_from(headers: dict[str, str], wanted: bool) -> None:
    """R25: Fetch Metadata and Origin."""
    assert foreign(headers, "http") is wanted


# ── the first page ──
def status(**changes: Any) -> dict[str, Any]:
    return {
        "role": "master", "mode": None, "serial": "QX200-000001", "why": None, "virtual_ip": "10.77.0.1/24",
        "service_addresses": ["10.77.0.100/24"], "vrrp": {"lan_link": True, "wan_link": False},
        "peer": {"state": "backup", "mode": "active", "armed": True, "wan_link": True,
                 "serial": "QX200-000002", "session": {"up": True}},
        "sync": {"state": "in step", "age_s": 1.0}, "mismatches": [], "licence": {"redundancy": True},
        **changes,
    }  # fmt: skip


def test_protected_and_each_trouble_with_what_to_do() -> None:
    """Issue: at a glance; each trouble lowers the answer and says what to do."""
    assert answer(status()).headline == "Protected" and not answer(status()).troubles
    for changes, level in (
        ({"peer": {"state": "down"}}, "critical"), ({"role": "fault", "why": "key"}, "critical"),
        ({"peer": {**status()["peer"], "mode": "passive"}}, "critical"),
        ({"peer": {**status()["peer"], "armed": False}}, "critical"),
        ({"peer": {**status()["peer"], "deaf": True}}, "warning"), ({"vrrp": {"block": "alive"}}, "warning"),
        ({"sync": {"age_s": 180.1}}, "warning"), ({"sync": {"voice": {"held": 3}}}, "warning"),
        ({"mismatches": [{"parameter": "firmware", "ours": "1", "theirs": "2"}]}, "warning"),
        ({"role": "standalone", "licence": {"redundancy": False, "why": "none"}}, "info"),
    ):  # fmt: skip
        found = answer(status(**changes), 60.0)
        assert found.level == level and found.headline != "Protected", changes
        assert found.troubles and all(one.advice for one in found.troubles), changes
        assert all(one.text % one.values for one in found.troubles)
    assert answer(status(sync={"age_s": 180.0}), 60.0).headline == "Protected"


def test_the_master_is_drawn_first_with_its_ports() -> None:
    own, other = both(status(), "10.77.0.2")
    assert (own.own, own.lan, own.wan, other.lan, other.wan) == (True, True, False, True, True)
    assert other.virtual_ip == "10.77.0.2" and other.health == "success"
    peer = {"state": "master", "serial": "QX200-000002"}
    assert [one.role for one in both(status(role="backup", mode="active", peer=peer))] == ["master", "backup"]
    lost = both(status(peer={"state": "down"}))[1]
    assert lost.health == "critical" and lost.lan is None
    assert len(both(status(role="standalone"))) == 1


def test_progress_of_a_takeover_and_what_needs_a_hand() -> None:
    """R24."""
    apps = [{"name": "a", "state": "running"}, {"name": "b", "state": "starting"}]
    assert progress(status(applications=apps[:1]), {"running": False, "manual": []}) is None
    found = progress(status(applications=apps), {"running": True, "done": 3, "total": 50, "manual": []})
    assert found and (found.started, found.applications, found.done, found.phones) == (1, 2, 3, 50)
    names = [f"{number} Desk" for number in range(NAMED + 2)]
    found = progress(status(applications=apps[:1]), {"running": False, "manual": names})
    assert found and not found.under_way and found.more == 2 and len(found.named) == NAMED
    assert progress(status(role="backup", applications=apps), {}) is None


def event(at: float, name: str, source: str = "Redundancy", description: str = "") -> dict[str, Any]:
    return {"time": at, "name": name, "source": source, "description": description, "severity": "info",
            "unit": "QX200-000001"}  # fmt: skip


def test_takeovers_take_in_what_belongs_to_them_and_lie_on_their_axis() -> None:
    name, text = "Takeover: this device is Master", "the Master fell silent; addresses up after 0.4 ms"
    told = [
        event(1000.0 - BEFORE - 1, "long before"), event(999.0, "LAN link is down", "Network"),
        event(1000.0, name, description=text), event(1003.0, "Phones need a manual reboot", "PBX"),
        event(1004.0, "Login lockout", "Security"), event(1000.0 + AFTER, "long after"),
        event(2000.0, name, description=text),
    ]  # fmt: skip
    last, first = takeovers(told)
    assert (first.why, first.addresses_ms) == ("the Master fell silent", 0.4)
    assert [(mark.at, mark.lane) for mark in first.marks] == [(-1.0, 1), (0.0, 0), (3.0, 2)]
    assert first.lanes == (0, 1, 2) and last.lanes == (0,)
    places = [first.x(at, 600) for at in (-1.0, 0.0, 0.0004, 0.1, 1.0, 3.0)]
    assert places == sorted(places) and places[0] == 0 and places[-1] == 600
    assert [text for _, text in first.ticks(600)] == ["-1 s", "0", "100 ms", "1 s"]
    assert all(0 <= x <= 600 for x, _ in last.ticks(600))
    many = [event(10_000.0 * number, name) for number in range(SHOWN + 3)]
    assert len(takeovers(many)) == SHOWN
    crowd = [event(1000.0, name), *(event(1001.0, "x") for _ in range(2 * MARKS))]
    assert len(takeovers(crowd)[0].marks) == MARKS
    assert takeovers([]) == []


def test_ages_and_counters_are_no_news() -> None:
    told = status()
    older = {
        **told,
        "sync": {**told["sync"], "age_s": 9.0},
        "vrrp": {**told["vrrp"], "counters": {"sent": 7}},
    }
    assert essence(told) == essence(older)
    assert essence(told) != essence(status(role="backup"))


# ── R7: back to active ──
def test_a_passive_backup_comes_back_at_its_limit_and_waits_for_what_made_it_passive() -> None:
    """R7: never with 0; not before, at and after the limit; not while something is under way."""
    assert [due(seconds, 2, False) for seconds in (0, 119.9, 120.0, 500.0)] == [False, False, True, True]
    assert not due(1e9, 0, False) and not due(500.0, 2, True)
    still = {"progress": None, "rolling": None, "state": "confirmed"}
    assert not upgrading(None) and not upgrading(still)
    for change in (
        {"progress": {"percent": 3}},
        {"rolling": {"step": "x"}},
        {"state": "trial"},
        {"state": "activated"},
    ):
        assert upgrading(still | change)
