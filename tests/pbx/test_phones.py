# SPDX-License-Identifier: Apache-2.0
"""The phone run against phones that behave as each vendor's may, with SIPp as the phones (R23, R24)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from statistics import mean
from typing import Any

import pytest
from board.lab.pair import Lab

from labtools import Capture, becomes, other, wait_for
from pairs import events, in_step, pair, put, ready
from pbx.phones import AGENT, Sipp, accounts, phone, register
from pbx.service import FAST, phone_states, quiet, reads

PACE = 0.1
PACED = range(1000, 1050)
CHALLENGES, REFUSES, WANTS_OTHER, SILENT, UNSUPPORTED, NOWHERE = 1100, 1101, 1102, 1103, 1104, 1105
ODD = (CHALLENGES, REFUSES, WANTS_OTHER, SILENT, UNSUPPORTED, NOWHERE)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """50 phones that obey, and one of each other kind."""
    with pair("ph", tmp_path_factory.mktemp("phones"), FAST) as lab:
        master = ready(lab)
        wanted = [f"phone_reboot.pace={PACE}", *accounts([*PACED, *ODD])]
        for extension in (*PACED, CHALLENGES, REFUSES, SILENT, NOWHERE):
            wanted += phone(extension)
        wanted += [*phone(WANTS_OTHER, "polycom"), *phone(UNSUPPORTED, "other")]
        put(lab, master, *wanted)
        in_step(lab)
        reads(lab, master, PACED[-1])
        register(lab, PACED, 5070, 5100)
        for place, extension in enumerate(ODD[:-1]):
            agent = "Unknown 1.0" if extension == UNSUPPORTED else AGENT
            register(lab, [extension], 5070, 5101 + place, agent=agent)
        with quiet(lab):
            yield lab


def told(lab: Lab, unit: str) -> dict[str, Any]:
    return json.loads(lab.qx(unit, "phones", "--json").stdout)


def phones_of_each_kind(lab: Lab, stack: ExitStack) -> list[Sipp]:
    yealink, polycom = "check-sync;reboot=true", "check-sync"
    return [
        stack.enter_context(Sipp(lab, name, port, calls, event=event))
        for name, port, calls, event in (
            ("phone-accepts", 5100, len(PACED), yealink), ("phone-challenges", 5101, 1, yealink),
            ("phone-refuses", 5102, 1, yealink), ("phone-other-event", 5103, 1, polycom),
        )
    ]  # fmt: skip


def test_after_a_takeover_reachable_phones_are_left_alone(office: Lab) -> None:
    """R23: the default policy asks; 50 phones that answer are not touched, the silent ones are restarted."""
    master = ready(office)
    backup = other(master)
    with (
        Capture(office, "pc", "lan", "udp dst portrange 5100-5110") as wire,
        Sipp(office, "phone-answers", 5100, len(PACED)) as there,
    ):
        office.power_off(master)
        becomes(office, backup, "master", 5.0)
        wait_for(
            lambda: phone_states(office, backup).get(PACED[-1]) == "reachable", 20.0, "they were asked", 0.2
        )
        there.good()
        wait_for(
            lambda: phone_states(office, backup)[SILENT] == "silent",
            30.0,
            "the silent one got its order",
            0.2,
        )
        wire.stop()
    texts = [frame.message[8:].decode(errors="replace") for frame in wire.frames()]
    notified = {int(text.split("sip:")[1].split("@")[0]) for text in texts if text.startswith("NOTIFY ")}
    assert SILENT in notified and not notified & set(PACED)
    office.power_on(master)
    assert ready(office) == backup
    names = [event["name"] for event in events(office, backup)]
    wait_for(
        lambda: "Phones need a manual reboot" in [e["name"] for e in events(office, backup)], 10.0, str(names)
    )


def test_policy_all(office: Lab, record_figures: Callable[..., None]) -> None:
    """R23, R24: right message, right order, right pace; who needs a hand is named, on both units."""
    master = ready(office)
    with ExitStack() as stack:
        wire = stack.enter_context(Capture(office, "pc", "lan", "udp dst port 5100"))
        sipps = phones_of_each_kind(office, stack)
        time.sleep(0.5)
        office.qx(master, "phones", "reboot").check_returncode()
        expected = {
            **dict.fromkeys(PACED, "rebooted"), CHALLENGES: "rebooted", REFUSES: "refused",
            WANTS_OTHER: "unsupported", SILENT: "silent", UNSUPPORTED: "unsupported", NOWHERE: "unregistered",
        }  # fmt: skip
        wait_for(lambda: phone_states(office, master) == expected, 40.0, "every phone is settled", 0.2)
        for sipp in sipps:
            sipp.good()
        wire.stop()
    assert {(f.sender, int.from_bytes(f.message[:2], "big")) for f in wire.frames()} == {("172.30.0.1", 5060)}
    notifies = [(f.at, f.message[8:].decode()) for f in wire.frames() if f.message[8:].startswith(b"NOTIFY ")]
    order = [int(text.split("sip:")[1].split("@")[0]) for _, text in notifies]
    assert order == list(PACED), "in the order of their extensions"
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(notifies)]
    record_figures(pace_s=round(mean(gaps), 4), longest_gap_s=round(max(gaps), 4))
    print(f"pace {mean(gaps):.4f} s, between {min(gaps):.4f} and {max(gaps):.4f} s")
    assert mean(gaps) == pytest.approx(PACE, rel=0.05)
    by_hand = {
        f"{extension} room {extension}" for extension in (REFUSES, WANTS_OTHER, SILENT, UNSUPPORTED, NOWHERE)
    }
    assert set(told(office, master)["manual"]) == by_hand
    wait_for(lambda: set(told(office, other(master))["manual"]) == by_hand, 2.0, "the Backup knows as well")
    office.qx(master, "phones", "stop").check_returncode()
