# SPDX-License-Identifier: Apache-2.0
"""Registered phones and calls through a power cut of the Master, with SIPp as the phones (R18, R21, R22).

One story a pair: phones register, calls come up with RTP between them, the Master loses its power; the calls
are changed and ended through the new Master, and phones that did not register again are called.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from board.lab import namespace
from board.lab.demo import Demo
from board.lab.namespace import socket_in
from board.lab.pair import Lab

from counts import bound, count
from labtools import Capture, becomes, other, qx, wait_for
from pairs import Log, another_daemon, pair, probing, put, ready, service
from pbx.phones import PC, Prober, Sipp, accounts, credentials, register
from pbx.torture import MESSAGES

FIRST = 1000
CALLERS, CALLEES = 5061, 5062  # ports of the phones that keep their calls
RINGING = 5064


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """100 ms advertisements, Kamailio as the image has it."""
    demo = Demo(plan="other", version=3, interval="0.1", pbx=True)
    with pair("pb", tmp_path_factory.mktemp("pbx"), demo) as lab:
        yield lab


def shown(lab: Lab, unit: str, word: str = "status") -> dict:
    return json.loads(lab.qx(unit, "pbx", word, "--json").stdout or "{}")


def registered(lab: Lab, unit: str) -> int:
    return len(shown(lab, unit).get("registrations", ()))


def calls_shown(lab: Lab, unit: str) -> int:
    return len(shown(lab, unit).get("calls", ()))


def kamailio_said(text: str) -> list[str]:
    """The lines of its log that no takeover may bring."""
    return [line for line in text.splitlines() if "ERROR" in line or "CRITICAL" in line or "BUG" in line]


def calls_of(numbers: range, callees: range) -> list[str]:
    return [f"{a};{credentials(a)};{b}" for a, b in zip(numbers, callees, strict=True)]


def test_calls_survive_a_power_cut(serving: Lab, record_figures: Callable[..., None]) -> None:
    """R18, R21, R22: no call is lost, re-INVITE and BYE work in both directions, ringing calls are answered,
    phones that did not register again are called, nobody hears a refusal."""
    calls = count(6, 100)
    half = calls // 2
    callers, callees = range(FIRST, FIRST + calls), range(FIRST + calls, FIRST + 2 * calls)
    master = ready(serving)
    backup = other(master)
    logs = {unit: Log(serving, unit) for unit in (master, backup)}
    put(serving, master, *accounts([*callers, *callees, 1900, 1901]))
    register_all(serving, callers, callees)
    wait_for(
        lambda: registered(serving, backup) == 2 * calls + 2, 1.0, "registrations are on the Backup", 0.02
    )
    hold = 9000 if calls < 20 else 25000
    with (
        Capture(serving, "pc", "lan", f"src {service(serving)} and (icmp[0]==3 or tcp[13]&4!=0)") as refusals,
        Capture(serving, "pc", "lo", f"udp and src host {PC} and udp[8]&0xc0==0x80") as media,
        Prober(serving) as prober,
        probing(serving) as pings,
        Sipp(serving, "callee-ends", CALLEES, half, media=20000, ring=100) as one,
        Sipp(serving, "callee-changes", CALLEES + 1, half, media=30000, ring=100, hold=hold) as two,
        Sipp(serving, "caller-changes", CALLERS, half, rows=calls_of(callers[:half], callees[:half]),
             rate=20, media=40000, hold=hold) as three,
        Sipp(serving, "caller-ends", CALLERS + 4, half, rows=calls_of(callers[half:], callees[half:]),
             rate=20, media=50000) as four,
    ):  # fmt: skip
        wait_for(
            lambda: len(shown(serving, backup).get("calls", ())) == calls,
            10.0,
            "all calls are up, on both",
            0.05,
        )
        with (
            Sipp(serving, "callee-ends", RINGING, 1, media=18000, ring=4000) as ringing,
            Sipp(serving, "caller-changes", RINGING + 2, 1, media=19000, hold=500,
                 rows=calls_of(range(1900, 1901), range(1901, 1902))) as waiting,
        ):  # fmt: skip
            time.sleep(1.0)  # it rings
            cut = serving.power_off(master)
            assert cut is not None
            back = prober.back_after(cut)
            moved = next(reply / 1e9 for reply in pings.replies() if reply / 1e9 > cut + 0.05)
            print(f"address back after {moved - cut:.3f} s, service {back - moved:.3f} s later")
            record_figures(address_s=round(moved - cut, 3), service_s=round(back - moved, 3))
            ringing.good()
            waiting.good()
        for sipp in (three, one, two, four):
            sipp.good()
        wait_for(lambda: not calls_shown(serving, backup), 2.0, "no call is left", 0.05)
        with (
            Sipp(serving, "callee-ends", CALLEES, 1, media=20000, ring=100) as called,
            Sipp(serving, "caller-changes", CALLERS, 1, media=40000, hold=300,
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
    assert registered(serving, backup) == 2 * calls + 2
    for unit in (master, backup):
        assert not kamailio_said(logs[unit].text())
    serving.power_on(master)
    assert ready(serving) == backup
    assert back - moved < bound(0.3, 1.5), "the service is back soon after its address"


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
    register(serving, [1950], 5070)
    wait_for(lambda: registered(serving, backup) == before + 1, 1.0, "it crosses", 0.02)
    at = time.time()
    expiry = {aor: rows[0]["expires"] - at for aor, rows in shown(serving, backup)["registrations"].items()}
    serving.power_off(master)
    becomes(serving, backup, "master", 5.0)
    wait_for(lambda: located(serving, backup) == before + 1, 5.0, "all are in the location table", 0.05)
    assert all(0 < left <= 120 for left in expiry.values()), expiry
    serving.power_on(master)
    assert ready(serving) == backup


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
        Sipp(serving, "caller-changes", CALLERS, 2, media=40000, hold=8000,
             rows=calls_of(range(FIRST, FIRST + 2), range(FIRST + count(6, 100), FIRST + count(6, 100) + 2))
             ) as calling,
    ):  # fmt: skip
        wait_for(lambda: calls_shown(serving, master) == 2, 5.0, "two calls are up", 0.05)
        pid, kamailio = serving.kill(master), processes(serving, master)
        another_daemon(serving, master, pid)
        wait_for(
            lambda: (calls_shown(serving, master), registered(serving, master)) == (2, before),
            6.0, "calls and registrations are known again",
        )  # fmt: skip
        assert processes(serving, master) == kamailio
        calling.good()
        called.good()
    wait_for(lambda: not calls_shown(serving, master), 2.0, "no call is left", 0.05)
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


def processes(lab: Lab, unit: str) -> list[int]:
    """Of Kamailio on that unit."""
    found = namespace.processes(lab.network.name(unit))
    return sorted(pid for pid in found if (Path(f"/proc/{pid}/comm")).read_text().strip() == "kamailio")


def located(lab: Lab, unit: str) -> int:
    """How many contacts Kamailio itself has."""
    control = lab.units[unit].root / "run" / "qx" / "kamailio" / "control"
    told = lab.exec(unit, ["kamcmd", "-s", f"unix:{control}", "stats.get_statistics", "usrloc:"]).stdout
    return int(told.split("=")[1].split()[0]) if "=" in told else -1
