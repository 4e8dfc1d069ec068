# SPDX-License-Identifier: Apache-2.0
"""Registered phones and calls through a power cut of the Master, with SIPp as the phones (R18, R21 to R23).

One story a pair: phones register, calls come up with RTP between them, the Master loses its power; the calls
are changed and ended through the new Master, phones are asked or restarted as the policy has it, and those
that did not register again are called.
"""

from __future__ import annotations

import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from board.lab.namespace import socket_in
from board.lab.pair import Lab

from counts import SOAK, bound, count
from labtools import Capture, becomes, other, qx, wait_for
from pairs import Log, another_daemon, pair, probing, put, ready, service
from pbx.phones import ASKED, PC, Prober, Sipp, accounts, calls_of, phone, register
from pbx.service import (
    DEFAULT,
    FAST,
    calls_up,
    located,
    phone_states,
    processes,
    quiet,
    reads,
    registered,
    shown,
)
from pbx.torture import MESSAGES

FIRST = 1000
CALLERS, CALLEES = 5061, 5062  # ports of the phones that keep their calls
RINGING = 5064
PACE = 0.1
OUTCOME = {"unreachable": "reachable", "none": "reachable", "all": "rebooted"}
# The last, since a phone is not restarted twice within ten minutes.
POLICIES = ("unreachable", "none", "all") if SOAK else ("all",)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """100 ms advertisements, Kamailio as the image has it."""
    with pair("pb", tmp_path_factory.mktemp("pbx"), FAST) as lab:
        yield lab


@pytest.mark.parametrize("policy", POLICIES)
def test_calls_survive_a_power_cut(serving: Lab, policy: str, record_figures: Callable[..., None]) -> None:
    """R18, R21, R22, R23: no call is lost, re-INVITE and BYE work in both directions, ringing calls are
    answered, phones that did not register again are called, nobody hears a refusal. With QX_SOAK=1 under each
    phone policy, and so through a second and a third takeover, each to the unit that had lost its power."""
    calls_through_a_power_cut(serving, policy, 9000, record_figures)


@pytest.mark.skipif(not SOAK, reason="the default timers with QX_SOAK=1")
def test_calls_survive_at_default_timers(
    tmp_path_factory: pytest.TempPathFactory, record_figures: Callable[..., None]
) -> None:
    """R18, R21, R22: the same where the Backup notices after seconds."""
    with pair("pd", tmp_path_factory.mktemp("default"), DEFAULT) as lab:
        calls_through_a_power_cut(lab, "unreachable", 15000, record_figures)


def calls_through_a_power_cut(lab: Lab, policy: str, hold: int, record_figures: Callable[..., None]) -> None:
    """The story. Calls stay up for `hold` ms at least."""
    calls = count(6, 100)
    half = calls // 2
    callers, callees = range(FIRST, FIRST + calls), range(FIRST + calls, FIRST + 2 * calls)
    phones = [*callers, *callees]
    master = ready(lab)
    backup = other(master)
    settings = [f"phone_reboot.policy={policy}", f"phone_reboot.pace={PACE}", "call.register_time=600"]
    settings += accounts([*phones, 1900, 1901])
    put(lab, master, *settings, *(row for extension in phones for row in phone(extension)))
    reads(lab, master, 1901)
    register_all(lab, callers, callees)
    wait_for(lambda: registered(lab, backup) == 2 * calls + 2, 1.0, "registrations are on the Backup", 0.02)
    hold = hold if calls < 20 else 25000
    met = (
        2 * half if policy != "none" else half
    )  # calls of a callee's SIPp, and what it is asked between them
    after = (
        int((len(phones) * PACE + 4) * 1000) if policy == "all" else 0
    )  # ms that a caller is there for that
    beside = {"more": ("-oocsf", str(ASKED)), "after": after, "rate": 20, "timeout": 150}
    with (
        quiet(lab),
        Capture(lab, "pc", "lan", f"src {service(lab)} and (icmp[0]==3 or tcp[13]&4!=0)") as refusals,
        Capture(lab, "pc", "lan", f"udp and src host {service(lab)} and src port 5060") as wire,
        Capture(lab, "pc", "lo", f"udp and src host {PC} and udp[8]&0xc0==0x80") as media,
        Prober(lab) as prober,
        probing(lab) as pings,
        Sipp(lab, "callee-ends", CALLEES, met, media=20000, ring=100, timeout=150) as one,
        Sipp(lab, "callee-changes", CALLEES + 1, met, media=30000, ring=100, hold=hold, timeout=150) as two,
        Sipp(lab, "caller-changes", CALLERS, half, rows=calls_of(callers[:half], callees[:half]),
             media=40000, hold=hold, **beside) as three,
        Sipp(lab, "caller-ends", CALLERS + 4, half, rows=calls_of(callers[half:], callees[half:]),
             media=50000, **beside) as four,
    ):  # fmt: skip
        wait_for(lambda: calls_up(lab, backup) == calls, 10.0, "all calls are up, on both", 0.05)
        with (
            Sipp(lab, "callee-ends", RINGING, 1, media=18000, ring=4000) as ringing,
            Sipp(lab, "caller-changes", RINGING + 2, 1, media=19000, hold=500, after=0,
                 rows=calls_of(range(1900, 1901), range(1901, 1902))) as waiting,
        ):  # fmt: skip
            time.sleep(1.0)  # it rings
            cut = lab.power_off(master)
            assert cut is not None
            back = prober.back_after(cut)
            moved = next(reply / 1e9 for reply in pings.replies() if reply / 1e9 > cut + 0.05)
            print(f"{policy}: address back after {moved - cut:.3f} s, service {back - moved:.3f} s later")
            record_figures(address_s=round(moved - cut, 3), service_s=round(back - moved, 3))
            ringing.good()
            waiting.good()
        for sipp in (three, one, two, four):
            sipp.good()
        wait_for(lambda: not calls_up(lab, backup), 2.0, "no call is left", 0.05)
        wait_for(
            lambda: phone_states(lab, backup) == dict.fromkeys(phones, OUTCOME[policy]),
            10.0, "the phones are as the policy has it", 0.2,
        )  # fmt: skip
        with (
            Sipp(lab, "callee-ends", CALLEES, 1, media=20000, ring=100) as called,
            Sipp(lab, "caller-changes", CALLERS, 1, media=40000, hold=300, after=0,
                 rows=calls_of(callers[:1], callees[:1])) as calling,
        ):  # fmt: skip
            calling.good()
            called.good()
        assert not prober.refused, "no ICMP unreachable reached the phones"
        refusals.stop()
        assert not refusals.frames(), "and none, nor a reset, was on the wire"
        media.stop()
        wall = time.time() - time.monotonic()
        silence = longest_silence(media, wall + cut - 1, wall + back + 1)
        assert silence < bound(0.5, 1.0), "media between phones is untouched"
        wire.stop()
    assert registered(lab, backup) == 2 * calls + 2
    obeyed(wire, policy, phones)
    lab.power_on(master)
    assert ready(lab) == backup
    put(lab, backup, "phone_reboot.policy=none")
    assert back - moved < bound(0.3, 1.5), "the service is back soon after its address"


def obeyed(wire: Capture, policy: str, phones: list[int]) -> None:
    """Under `unreachable` each phone was asked and none restarted; under `all` each was restarted, after its
    call; under `none` neither."""
    met: defaultdict[str, list[tuple[float, set[int]]]] = defaultdict(list)
    for frame in wire.frames():
        text = frame.message[8:].decode(errors="replace")
        named = {header: value for header, _, value in (line.partition(":") for line in text.split("\r\n"))}
        users = {named.get(header, "").partition("sip:")[2].partition("@")[0] for header in ("From", "To")}
        met[text.partition(" ")[0]].append((frame.at, {int(user) for user in users if user.isdecimal()}))
    asked = sorted(extension for _, users in met["OPTIONS"] for extension in users)
    assert asked == (phones if policy == "unreachable" else []), "once each"
    told = {extension: at for at, users in met["NOTIFY"] for extension in users}
    assert sorted(told) == (phones if policy == "all" else [])
    ended = {extension: at for at, users in reversed(met["BYE"]) for extension in users}
    assert ended.keys() >= set(phones)
    assert all(at > ended[extension] for extension, at in told.items()), "a phone in a call waits"


def register_all(lab: Lab, callers: range, callees: range) -> None:
    half = len(callers) // 2
    for numbers, port in (
        (callers[:half], CALLERS), (callers[half:], CALLERS + 4),
        (callees[:half], CALLEES), (callees[half:], CALLEES + 1),
        (range(1900, 1901), RINGING + 2), (range(1901, 1902), RINGING),
    ):  # fmt: skip
        register(lab, numbers, 5070, port)


def longest_silence(media: Capture, since: float, until: float) -> float:
    """Of the audio of all calls together, between two moments of the wall clock while they are up."""
    times = [frame.at for frame in media.frames() if since < frame.at < until]
    assert len(times) > 100, "audio was captured"
    return max(later - earlier for earlier, later in pairwise(times))


def test_a_second_takeover(serving: Lab) -> None:
    """R22: the old unit is back and has every registration, those made meanwhile as well, and serves them."""
    master = ready(serving)
    backup = other(master)
    before = registered(serving, master)
    assert before
    put(serving, master, *accounts([1950]))
    reads(serving, master, 1950)
    register(serving, [1950], 5070)
    wait_for(lambda: registered(serving, backup) == before + 1, 1.0, "it crosses", 0.02)
    expiry = expiries(serving, master)
    serving.power_off(master)
    becomes(serving, backup, "master", 5.0)
    wait_for(lambda: located(serving, backup) == before + 1, 5.0, "all are in the location table", 0.05)
    assert expiries(serving, backup) == expiry
    assert all(0 < at - time.time() <= 600 for at in expiry.values()), expiry
    serving.power_on(master)
    assert ready(serving) == backup


def expiries(lab: Lab, unit: str) -> dict[str, int]:
    """When each is over, in seconds since 1970, by extension."""
    return {aor: rows[0]["expires"] for aor, rows in shown(lab, unit)["registrations"].items()}


def test_a_killed_daemon_finds_registrations_and_calls_again(serving: Lab) -> None:
    """R11, R18: where no Backup is, the applications go on; Kamailio is asked for what was in memory."""
    master = ready(serving)
    before = registered(serving, master)
    serving.power_off(other(master))
    wait_for(
        lambda: qx(serving, master)["peer"]["state"] == "down", 10.0, "the Master knows that it is alone"
    )
    with (
        Sipp(serving, "callee-ends", CALLEES, 2, media=20000, ring=100) as called,
        Sipp(serving, "caller-changes", CALLERS, 2, media=40000, hold=8000, after=0,
             rows=calls_of(range(FIRST, FIRST + 2), range(FIRST + count(6, 100), FIRST + count(6, 100) + 2))
             ) as calling,
    ):  # fmt: skip
        wait_for(lambda: calls_up(serving, master) == 2, 5.0, "two calls are up", 0.05)
        pid, kamailio = serving.kill(master), processes(serving, master)
        another_daemon(serving, master, pid)
        wait_for(
            lambda: (calls_up(serving, master), registered(serving, master)) == (2, before),
            6.0, "calls and registrations are known again",
        )  # fmt: skip
        assert processes(serving, master) == kamailio
        calling.good()
        called.good()
    wait_for(lambda: not calls_up(serving, master), 2.0, "no call is left", 0.05)
    serving.power_on(other(master))
    assert ready(serving) == master


def test_torture_messages(serving: Lab) -> None:
    """Bad input: the torture messages of RFC 4475, at the service address, over UDP and TCP: no process of
    Kamailio ends, no role changes, and the service answers after each."""
    master = ready(serving)
    log = Log(serving, master)
    before = processes(serving, master)
    name, there = serving.network.name("pc"), (service(serving), 5060)
    with Prober(serving) as prober:
        for title, octets in MESSAGES.items():
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket_in(name, socket.AF_INET, kind) as sock:
                    sock.connect(there)
                    sock.send(octets)
            answers_since(prober, time.monotonic(), title)
    assert processes(serving, master) == before
    assert ready(serving) == master
    assert shown(serving, master)["registrations"].keys().isdisjoint({"user", "j.user", "watson"})
    assert "core was generated" not in log.text() and "exited by a signal" not in log.text()


def answers_since(prober: Prober, sent: float, title: str) -> None:
    def look() -> bool:
        return bool(prober.answered) and prober.answered[-1] > sent + 0.02

    wait_for(look, 2.0, f"the service answers after {title}", 0.01)
