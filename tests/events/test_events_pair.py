# SPDX-License-Identifier: Apache-2.0
"""The pair tells people: the guide's notifications by every way, flaps, and takeovers with a delivery under
way (R32, R33, R34). Real receivers on the lab's PC."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from board.lab.pair import Lab
from managed import Mibs
from receivers import PASSWORD, USER, Traps, certificate

from counts import SOAK, choices, count
from labtools import PC, becomes, other, wait_for
from pairs import QUICK, events, pair, put, ready
from qx.events.damper import SETTLE
from qx.events.kinds import PEER, kind_of

MAIL, SMS, TRAP = 2525, 8025, 1620
TOLD = ("backup-up-active", "backup-up-passive", "backup-down", "takeover", "link")
ACTIVE, PASSIVE = "Backup device is UP (Active mode)", "Backup device is UP (Passive mode)"
DOWN = "Backup device is DOWN"
GUIDES = {
    "qxBackupUpActiveNotice": (ACTIVE, "cleared"),
    "qxBackupUpPassiveNotice": (PASSIVE, "cleared"),
    "qxBackupDownNotice": (DOWN, "critical"),
}
AWAY = 60.0 if SOAK else 0.0  # seconds more for which the receivers are away
SIDE_BY_SIDE = 3  # pairs that take over at a time, at full counts


class Received:
    """What the mail server and the gateway on the PC got, as they say."""

    def __init__(self, lab: Lab, folder: Path, hold: float = 0.0) -> None:
        self._file = folder / "received.txt"
        self._from = self._file.stat().st_size if self._file.exists() else 0
        here = Path(__file__).parent
        argv = [sys.executable, str(here / "receiver.py"), str(folder), PC, str(MAIL), str(SMS), str(hold)]
        with self._file.open("ab") as out:
            self._process = subprocess.Popen(
                lab.exec_argv("pc", argv), stdin=subprocess.PIPE, stdout=out,
                env={**os.environ, "PYTHONPATH": str(here)},
            )  # fmt: skip
        wait_for(lambda: b"ready" in self._octets(), 20, "the receivers are up")

    def _octets(self) -> bytes:
        return self._file.read_bytes()[self._from :]

    def _told(self) -> list[dict[str, Any]]:
        lines = self._octets().decode().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def mails(self) -> list[dict[str, Any]]:
        return [one for one in self._told() if "subject" in one]

    def subjects(self) -> list[str]:
        return [mail["subject"].partition(" (QX200")[0] for mail in self.mails()]

    def messages(self) -> list[str]:
        """The names of events in the short messages."""
        return [one["body"].partition(" (QX200")[0] for one in self._told() if "body" in one]

    def ids(self) -> Counter[str]:
        """Mails by the event's uid."""
        return Counter(mail["id"].strip("<>").partition(".")[0] for mail in self.mails())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(20)


@contextlib.contextmanager
def receiving(lab: Lab, hold: float = 0.0) -> Iterator[Received]:
    found = Received(lab, folder_of(lab), hold)
    try:
        yield found
    finally:
        found.close()


@contextlib.contextmanager
def trapping(lab: Lab) -> Iterator[Traps]:
    prefix = ("ip", "netns", "exec", lab.network.name("pc"))
    with Traps(folder_of(lab) / "traps", TRAP, address=PC, prefix=prefix) as traps:
        yield traps


@contextlib.contextmanager
def telling(name: str, folder: Path) -> Iterator[Lab]:
    """A pair that tells of everything by mail, short message and inform."""
    with pair(name, folder, QUICK) as lab:
        actions = [f"events.{key}.actions=display,mail,sms,snmp" for key in TOLD]
        put(lab, ready(lab), f"mail.server={PC}", f"mail.port={MAIL}", f"mail.user={USER}",
            f"mail.password={PASSWORD}", f"mail.fingerprint={certificate(folder)[2]}",
            "mail.sender=pbx@example.com", "mail.recipients=admin@example.com",
            f"sms.url=http://{PC}:{SMS}/send", "sms.content_type=text/plain", "sms.body={text}",
            "sms.recipients=+4930123", f"snmp.hosts.noc.address={PC}", f"snmp.hosts.noc.port={TRAP}",
            "snmp.hosts.noc.community=public", *actions)  # fmt: skip
        yield lab


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with telling("ev", tmp_path_factory.mktemp("told")) as lab:
        yield lab


def folder_of(lab: Lab) -> Path:
    return lab.folder.parent


def names(lab: Lab, unit: str) -> list[str]:
    return [event["name"] for event in events(lab, unit)]


def all_paid(lab: Lab, unit: str, kind: str = "") -> list[dict[str, str]]:
    """The events, if every one was judged and none owes a delivery of that kind."""
    found = events(lab, unit)
    owed: list[Any] = [event["owed"] for event in found]
    return [] if None in owed or any(way.startswith(kind) for ways in owed for way in ways) else found


def deliveries(lab: Lab, unit: str) -> str:
    """As a person reads it."""
    return lab.qx(unit, "events", "deliveries").stdout


def last_is(said: Callable[[], list[str]], name: str) -> Callable[[], bool]:
    return lambda: said()[-1:] == [name]


def notices(traps: Traps, mibs: Mibs) -> list[tuple[str, dict[str, str]]]:
    """Our notifications by their names, with what they say."""
    found = [(mibs.name(trap.oid)[0], mibs.said(trap.variables)) for trap in traps.traps()]
    return [(name, said) for name, said in found if name.startswith("qx")]


def test_the_guides_three_notifications(told: Lab, mibs: Mibs) -> None:
    """R32, R34, R35: passive, active, down, up again: each arrives once with its words, by mail, message and
    inform; what nobody took while the receivers were away and the unit was rebooted arrives as well; both
    units have the same events."""
    master = ready(told)
    backup = other(master)
    told.qx(backup, "mode", "passive").check_returncode()
    wait_for(lambda: PASSIVE in names(told, master), 20, "the event")
    (passive,) = [event["uid"] for event in events(told, master) if event["name"] == PASSIVE]
    for way in ("mail:admin@example.com: failing", "sms:+4930123: failing", "snmp:noc: failing"):
        wait_for(lambda: way in deliveries(told, master), 30, way)  # noqa: B023
    assert "mail server 10.77.0.50: Connection refused" in deliveries(told, master)
    time.sleep(AWAY)
    for unit in (backup, master):
        told.power_off(unit)
    told.power_on(master)
    becomes(told, master, "master", 60.0)
    told.power_on(backup)
    with trapping(told) as traps, receiving(told) as box:
        for said in (box.subjects, box.messages):
            wait_for(lambda: PASSIVE in said(), 40, "passive")  # noqa: B023
        wait_for(lambda: all_paid(told, master), 40, "nothing is owed")
        assert box.ids()[passive] == 1, "the one from before the reboot, under its own number"
        wait_for(lambda: names(told, master).count(PASSIVE) == 2, 20, "the Backup is back as well")
        time.sleep(SETTLE)  # of a subject that rests
        told.qx(backup, "mode", "active").check_returncode()
        wait_for(last_is(box.subjects, ACTIVE), 30, "active")
        time.sleep(SETTLE)
        told.power_off(backup)
        for said in (box.subjects, box.messages):
            wait_for(last_is(said, DOWN), 20, "down")
        told.power_on(backup)
        for said in (box.subjects, box.messages):
            wait_for(last_is(said, ACTIVE), 40, "up")
        wait_for(lambda: all_paid(told, master), 20, "nothing is owed")
        assert max(box.ids().values()) == 1
        assert Counter(box.messages()) == Counter(box.subjects())
        given = notices(traps, mibs)
    for notice, (name, severity) in GUIDES.items():
        said = [said for found, said in given if found == notice]
        assert said and {(one["qxSaidName"], one["qxSaidSeverity"]) for one in said} == {(name, severity)}
    assert Counter(said["qxSaidId"] for _, said in given).most_common(1)[0][1] == 1
    ready(told)
    wait_for(lambda: uids(told, "a") == uids(told, "b"), 10, "both units have the same events")
    (down,) = [e for e in events(told, backup) if e["name"] == DOWN]
    assert down["cleared"], "UP clears DOWN"


def uids(lab: Lab, unit: str) -> set[str]:
    return {event["uid"] for event in events(lab, unit)}


def test_a_peer_that_flaps_ten_times_in_ten_seconds(told: Lab, mibs: Mibs) -> None:
    """R34: the first change is told at once, and what it came to when it has lasted: two events, and two
    deliveries by each way."""
    master = ready(told)
    backup = other(master)
    time.sleep(SETTLE)
    before = uids(told, master)
    with trapping(told) as traps, receiving(told) as box:
        began, heard = time.monotonic(), len(notices(traps, mibs))
        for flap in range(10):
            for half, mode in enumerate(("passive", "active")):
                time.sleep(max(0.0, began + flap + half / 2 - time.monotonic()))
                told.qx(backup, "mode", mode).check_returncode()
        wait_for(lambda: all_paid(told, master), 20, "nothing is owed")
        time.sleep(max(0.0, began + 10 + SETTLE + 2 - time.monotonic()))
        wait_for(lambda: all_paid(told, master), 20, "nothing is owed")
        fresh = [event["name"] for event in events(told, master) if event["uid"] not in before]
        assert [name for name in fresh if kind_of(name).subject == PEER] == [PASSIVE, ACTIVE], fresh
        assert box.subjects() == box.messages() == [PASSIVE, ACTIVE]
        assert [said["qxSaidName"] for _, said in notices(traps, mibs)[heard:]] == [PASSIVE, ACTIVE]


def test_takeovers_with_a_delivery_under_way(told: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    """R34: the Master's power goes at any moment of a delivery: none is lost; a double has the same id, and
    of 100 there are at most 5. The host of the informs is away all the time, and holds up no mail. At full
    counts some pairs do it side by side: a takeover is mostly waiting."""
    rounds = count(1, 100)
    with contextlib.ExitStack() as stack:
        labs = [told]
        for number in range(1, SIDE_BY_SIDE if rounds > 1 else 1):
            folder = tmp_path_factory.mktemp(f"told{number}")
            labs.append(stack.enter_context(telling(f"ev{number}", folder)))
        shares = [rounds // len(labs) + (number < rounds % len(labs)) for number in range(len(labs))]
        with ThreadPoolExecutor(len(labs)) as threads:
            works = [
                threads.submit(taken_over, lab, share, choices(f"takeovers {number}"))
                for number, (lab, share) in enumerate(zip(labs, shares, strict=True))
            ]
            ids = [work.result() for work in works]
    doubles = sum(number - 1 for found in ids for number in found.values())
    print(f"{rounds} takeovers, {sum(sum(found.values()) for found in ids)} mails, {doubles} doubles")
    assert doubles <= max(1, rounds * 5 // 100)


def taken_over(lab: Lab, rounds: int, seeded: random.Random) -> Counter[str]:
    """So many takeovers of that pair; its mails by the event's uid."""
    with receiving(lab, hold=0.3) as box:
        for number in range(rounds):
            began = time.monotonic()
            master = ready(lab, 60.0)
            backup = other(master)
            before = uids(lab, backup)
            lab.cut(backup, "wan")
            wait_for(lambda: owing(lab, backup, before), 20, "an event of the Backup's is owed")  # noqa: B023
            time.sleep(seeded.random() * 1.5)
            lab.power_off(master)
            becomes(lab, backup, "master", 10.0)
            lab.mend(backup, "wan")
            lab.power_on(master)
            paid = wait_for(lambda: all_paid(lab, backup, "mail"), 60, "all is delivered")  # noqa: B023
            expected = {
                event["uid"]
                for event in paid
                if event["uid"] not in before and kind_of(event["name"]).key in TOLD
            }
            assert len(expected) >= 2, "the link and the takeover"
            assert expected <= set(box.ids()), "none is lost"
            print(f"{lab.prefix} {number}: {time.monotonic() - began:.1f} s")
        ready(lab, 60.0)
        return box.ids()


def owing(lab: Lab, unit: str, before: set[str]) -> bool:
    fresh = [event for event in events(lab, unit) if event["uid"] not in before]
    return any(kind_of(event["name"]).key == "link" and event["owed"] is not None for event in fresh)
