# SPDX-License-Identifier: Apache-2.0
"""What befalls a Master that serves: a split, a Kamailio that crashes, changed settings, somebody who guesses
(R10, R20, R21, R22)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from board.lab.pair import Lab

from counts import bound
from labtools import becomes, forget_neighbours, other, role, stays, wait_for
from pairs import another_daemon, events, pair, put, ready, service
from pbx.phones import Prober, Sipp, accounts, calls_of, credentials, register
from pbx.service import (
    FAST,
    application,
    calls_up,
    located,
    processes,
    quiet,
    registered,
    shown,
)

CALLERS, CALLEES = 5061, 5062  # ports
CALLING, CALLED = range(1000, 1002), range(1002, 1004)
STRANGER = "172.30.0.66"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """100 ms; two phones that call two others."""
    with pair("ps", tmp_path_factory.mktemp("service"), FAST) as lab:
        put(lab, ready(lab), "call.register_time=3600", *accounts([*CALLING, *CALLED]))
        wait_for(lambda: accepted(lab, CALLING[0]), 10.0, "the Kamailio of these settings serves", 0.5)
        register(lab, CALLING, 5070, CALLERS)
        register(lab, CALLED, 5070, CALLEES)
        yield lab


@pytest.fixture(autouse=True)
def silent(serving: Lab) -> Iterator[None]:
    with quiet(serving):
        yield


class Calls:
    """Two calls that stay up for `hold` ms, are changed, and end; as a context that checks that they did."""

    def __init__(self, lab: Lab, unit: str, hold: int) -> None:
        self._lab, self._unit, self._hold = lab, unit, hold
        self._stack = ExitStack()

    def __enter__(self) -> Calls:
        start = self._stack.enter_context
        self._phones = [
            start(Sipp(self._lab, "callee-ends", CALLEES, 2, media=20000, ring=100)),
            start(Sipp(self._lab, "caller-changes", CALLERS, 2, media=40000, hold=self._hold, after=0,
                       rows=calls_of(CALLING, CALLED))),
        ]  # fmt: skip
        wait_for(lambda: calls_up(self._lab, self._unit) == 2, 5.0, "two calls are up", 0.05)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stack:
            if kind is None:
                for phone in self._phones:
                    phone.good()
                wait_for(lambda: not calls_up(self._lab, self._unit), 2.0, "no call is left", 0.05)


def contacts(lab: Lab, unit: str) -> dict[str, set[str]]:
    """Where each is reached, by extension."""
    found = shown(lab, unit)["registrations"]
    return {aor: {contact["uri"] for contact in rows} for aor, rows in found.items()}


def at(extension: int, *ports: int) -> set[str]:
    return {f"sip:{extension}@172.30.0.50:{port}" for port in ports}


def test_registrations_of_a_split(serving: Lab) -> None:
    """R10, R22: what phones told the loser while both were Master is known to the one that stays: new ones
    are called through it, the newest of each contact counts, what was given up is gone."""
    moved, gone, untouched, stayed, strayed = range(1960, 1965)
    master = ready(serving)
    loser = other(master)
    put(serving, master, *accounts(range(1960, 1965)))
    register(serving, [moved, gone, untouched], 5070, 5201)
    before = registered(serving, master)
    wait_for(lambda: registered(serving, loser) == before, 1.0, "they are on the Backup", 0.02)
    serving.split(pc=master)
    becomes(serving, loser, "master", 5.0)
    wait_for(lambda: located(serving, loser) == before, 5.0, "it serves as well", 0.05)
    register(serving, [stayed], 5070, 5202)
    serving.split(pc=loser)
    forget_neighbours(serving, "pc")
    register(serving, [strayed], 5070, CALLEES)
    register(serving, [moved], 5070, 5203)
    register(serving, [gone], 5070, 5201, expires=0)
    wait_for(lambda: registered(serving, loser) == before, 1.0, "one came and one went", 0.02)
    assert registered(serving, master) == before + 1
    serving.heal()
    forget_neighbours(serving, "pc")
    expected = {
        **{str(extension): at(extension, CALLERS) for extension in CALLING},
        **{str(extension): at(extension, CALLEES) for extension in CALLED},
        str(moved): at(moved, 5201, 5203), str(untouched): at(untouched, 5201),
        str(stayed): at(stayed, 5202), str(strayed): at(strayed, CALLEES),
    }  # fmt: skip
    wait_for(lambda: contacts(serving, master) == expected, 10.0, "the Master has all of them", 0.1)
    assert ready(serving) == master
    wait_for(lambda: contacts(serving, loser) == expected, 2.0, "and so has the Backup", 0.1)
    assert located(serving, master) == sum(map(len, expected.values()))
    socket_told = {row["socket"] for rows in shown(serving, master)["registrations"].values() for row in rows}
    assert socket_told == {f"udp:{service(serving)}:5060"}
    with (
        Sipp(serving, "callee-ends", CALLEES, 1, media=20000, ring=100) as called,
        Sipp(serving, "caller-changes", CALLERS, 1, media=40000, hold=300, after=0,
             rows=[f"{CALLING[0]};{credentials(CALLING[0])};{strayed}"]) as calling,
    ):  # fmt: skip
        calling.good()
        called.good()


def test_a_master_that_restarts_knows_its_phones(serving: Lab, record_figures: Callable[..., None]) -> None:
    """R18, R22, R41: the guide's sections 10 and 11 restart a Master whose Backup is passive. Then only the
    Backup remembers registrations and calls: both units have them afterwards, and the calls are changed
    and ended."""
    master = ready(serving)
    backup = other(master)
    before = contacts(serving, master)
    located_before = located(serving, master)
    serving.qx(backup, "mode", "passive").check_returncode()
    with Prober(serving) as prober, Calls(serving, master, 12000):
        wait_for(lambda: calls_up(serving, backup) == 2, 2.0, "the Backup knows of them", 0.05)
        wait_for(lambda: contacts(serving, backup) == before, 2.0, "and of the phones", 0.05)
        moment, pid = time.monotonic(), serving.units[master].daemon_pid()
        serving.qx(master, "reboot", "--now").check_returncode()
        another_daemon(serving, master, pid, 20.0)
        becomes(serving, master, "master", 20.0)
        wait_for(lambda: located(serving, master) == located_before, 10.0, "Kamailio has the phones", 0.05)
        known = time.monotonic()
        back = prober.back_after(moment)
        assert contacts(serving, master) == before
        assert calls_up(serving, master) == 2
        wait_for(lambda: contacts(serving, backup) == before, 2.0, "so does the Backup", 0.05)
        assert calls_up(serving, backup) == 2
    record_figures(away_s=round(back - moment, 2), phones_known_s=round(known - back, 2))
    print(f"away for {back - moment:.2f} s, phones known {known - back:.2f} s after")
    serving.qx(backup, "mode", "active").check_returncode()
    assert ready(serving) == master


def test_changed_settings_drop_no_call(serving: Lab) -> None:
    """R21: a new account counts at once, in the Kamailio that runs; what needs another Kamailio gets one, and
    the calls that are up are changed and ended through it."""
    master = ready(serving)
    before, running = located(serving, master), processes(serving, master)
    with Prober(serving) as prober, Calls(serving, master, 6000):
        put(serving, master, *accounts([1951]))
        wait_for(lambda: accepted(serving, 1951), 5.0, "the new account registers", 0.2)
        assert processes(serving, master) == running
        put(serving, master, "call.register_time=3000")
        wait_for(lambda: set(processes(serving, master)).isdisjoint(running), 5.0, "another Kamailio", 0.02)
        wait_for(lambda: located(serving, master) == before + 1, 5.0, "it has every registration", 0.05)
        answers_since(prober, time.monotonic(), "the change")
    assert not prober.refused
    assert ready(serving) == master
    assert application(serving, master)["restarts"] == 0, "nothing of it counts as a failure"


def accepted(lab: Lab, extension: int) -> bool:
    """Does it register now?"""
    row = f"{extension};{credentials(extension)};{CALLERS}"
    with Sipp(lab, "register", 5070, 1, rows=[row], timeout=3, agent="x", expires=120) as sipp:
        return sipp.outcome().successful == 1


def test_a_kamailio_that_crashes(serving: Lab, record_figures: Callable[..., None]) -> None:
    """R20, R22: started again within a second with every registration, calls stay up, the role stays."""
    master = ready(serving)
    before, running = located(serving, master), processes(serving, master)
    with Prober(serving) as prober, Calls(serving, master, 4000):
        moment = time.monotonic()
        main = int((serving.units[master].root / "run/qx/kamailio/pid").read_text())
        os.kill(main, signal.SIGKILL)  # what it started goes on, and must not stand in the way
        wait_for(lambda: set(processes(serving, master)).isdisjoint(running), 5.0, "another Kamailio", 0.02)
        wait_for(lambda: located(serving, master) == before, 5.0, "it has every registration", 0.02)
        back = prober.back_after(moment)
        stays(lambda: role(serving, master) == "master", 1.0, "the role stays")
    print(f"service back after {back - moment:.3f} s")
    record_figures(crash_s=round(back - moment, 3))
    assert not prober.refused
    assert application(serving, master)["restarts"] == 1
    assert ready(serving) == master
    assert back - moment < bound(1.0, 3.0)


def test_brute_force_is_banned(serving: Lab) -> None:
    """R21: nine wrong passwords or unknown users within a minute are answered, the tenth bans the address,
    and that one alone; an event names it."""
    master = ready(serving)
    serving.exec("pc", ["ip", "address", "add", f"{STRANGER}/24", "dev", "lan"]).check_returncode()
    guesses = [f"{CALLING[0]};[authentication username={CALLING[0]} password=guess-{n}]" for n in range(5)]
    guesses += [f"99{n};[authentication username=99{n} password=guess]" for n in range(5)]
    with Prober(serving) as prober, Prober(serving, address=STRANGER) as stranger:
        wrong(serving, guesses[:9])
        answers_since(stranger, time.monotonic(), "nine guesses")
        wrong(serving, guesses[9:])
        banned = time.monotonic() + 0.1
        time.sleep(0.6)
        assert not [moment for moment in stranger.answered if moment > banned]
        answers_since(prober, time.monotonic(), "the ban of another address")
    told = [event["description"] for event in events(serving, master)]
    assert any(f"{STRANGER} is banned for wrong credentials" in text for text in told), told
    register(serving, CALLING[:1], 5070, CALLERS)


def wrong(lab: Lab, rows: list[str]) -> None:
    """Each is refused with 403."""
    with Sipp(lab, "guesses", 5071, len(rows), rows=rows, rate=50, timeout=10, address=STRANGER) as sipp:
        sipp.good()


def answers_since(prober: Prober, sent: float, title: str) -> None:
    def look() -> bool:
        return bool(prober.answered) and prober.answered[-1] > sent + 0.02

    wait_for(look, 2.0, f"the service answers after {title}", 0.01)
