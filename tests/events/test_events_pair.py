# SPDX-License-Identifier: Apache-2.0
"""The pair tells people: the guide's notifications, and takeovers with a delivery under way (R32, R34)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from board.lab.pair import Lab
from receivers import PASSWORD, USER, Traps, certificate

from counts import choices, count
from labtools import PC, becomes, other, wait_for
from pairs import QUICK, events, pair, put, ready
from qx.events import oids
from qx.events.kinds import kind_of

MAIL, TRAP = 2525, 1620
TOLD = ("backup-up-active", "backup-up-passive", "backup-down", "takeover", "link")


class Received:
    """What the mail server on the PC got, as it says."""

    def __init__(self, lab: Lab, folder: Path, hold: float = 0.0) -> None:
        self._file = folder / "mails.txt"
        here = Path(__file__).parent
        argv = [sys.executable, str(here / "receiver.py"), str(folder), PC, str(MAIL), str(hold)]
        with self._file.open("ab") as out:
            self._process = subprocess.Popen(
                lab.exec_argv("pc", argv), stdin=subprocess.PIPE, stdout=out,
                env={**os.environ, "PYTHONPATH": str(here)},
            )  # fmt: skip
        wait_for(lambda: b"ready" in self._file.read_bytes(), 20, "the mail server is up")

    def mails(self) -> list[dict[str, Any]]:
        lines = self._file.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def subjects(self) -> list[str]:
        return [mail["subject"].partition(" (QX200")[0] for mail in self.mails()]

    def ids(self) -> Counter[str]:
        """Deliveries by the event's uid."""
        return Counter(mail["id"].strip("<>").partition(".")[0] for mail in self.mails())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(20)


@contextlib.contextmanager
def receiving(lab: Lab, folder: Path, hold: float = 0.0) -> Iterator[Received]:
    found = Received(lab, folder, hold)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("told")
    with pair("ev", folder, QUICK) as lab:
        actions = [f"events.{key}.actions=display,mail,snmp" for key in TOLD]
        put(lab, ready(lab), f"mail.server={PC}", f"mail.port={MAIL}", f"mail.user={USER}",
            f"mail.password={PASSWORD}", f"mail.fingerprint={certificate(folder)[2]}",
            "mail.sender=pbx@example.com", "mail.recipients=admin@example.com",
            f"snmp.hosts.noc.address={PC}", f"snmp.hosts.noc.port={TRAP}", "snmp.hosts.noc.community=public",
            *actions)  # fmt: skip
        yield lab


def folder_of(lab: Lab) -> Path:
    return lab.folder.parent


def all_paid(lab: Lab, unit: str, kind: str = "") -> bool:
    """Nothing of that kind is owed, and every event was judged."""
    owed: list[Any] = [event["owed"] for event in events(lab, unit)]
    return None not in owed and not any(way.startswith(kind) for ways in owed for way in ways)


def test_the_guides_three_notifications(told: Lab) -> None:
    """R32, R34, R35: passive, active, down, up again: each arrives once with its words, by mail and as an
    inform; both units have the same events; what was told while nobody listened arrives as well."""
    prefix = ("ip", "netns", "exec", told.network.name("pc"))
    master = ready(told)
    backup = other(master)
    with Traps(folder_of(told) / "traps", TRAP, address=PC, prefix=prefix) as traps:
        told.qx(backup, "mode", "passive").check_returncode()
        passive = "Backup device is UP (Passive mode)"
        wait_for(lambda: passive in [e["name"] for e in events(told, master)], 20, "the event")
        with receiving(told, folder_of(told)) as box:  # the mail server was away until now
            wait_for(lambda: passive in box.subjects(), 40, "passive")
            told.qx(backup, "mode", "active").check_returncode()
            wait_for(lambda: box.subjects()[-1:] == ["Backup device is UP (Active mode)"], 30, "active")
            time.sleep(5.0)  # of a subject that rests
            told.power_off(backup)
            wait_for(lambda: box.subjects()[-1:] == ["Backup device is DOWN"], 20, "down")
            told.power_on(backup)
            wait_for(lambda: box.subjects()[-1:] == ["Backup device is UP (Active mode)"], 40, "up")
            wait_for(lambda: all_paid(told, master), 20, "nothing is owed")
            assert max(box.ids().values()) == 1
        numbers = [oids.notification(key) for key in ("backup-up-passive", "backup-up-active", "backup-down")]
        assert set(numbers) <= {trap.oid for trap in traps.traps()}
    ready(told)
    wait_for(lambda: uids(told, "a") == uids(told, "b"), 10, "both units have the same events")
    (down,) = [e for e in events(told, backup) if e["name"] == "Backup device is DOWN"]
    assert down["cleared"], "UP clears DOWN"


def uids(lab: Lab, unit: str) -> set[str]:
    return {event["uid"] for event in events(lab, unit)}


def test_takeovers_with_a_delivery_under_way(told: Lab) -> None:
    """R34: the Master's power goes at any moment of a delivery: none is lost; a double has the same id, and
    of 100 there are at most 5. The host of the informs is away all the time, and holds up no mail."""
    seeded = choices("takeovers")
    rounds = count(1, 100)
    with receiving(told, folder_of(told), hold=0.3) as box:
        for _ in range(rounds):
            master = ready(told, 60.0)
            backup = other(master)
            before = uids(told, backup)
            told.cut(backup, "wan")
            wait_for(lambda: owing(told, backup, before), 20, "an event of the Backup's is owed")  # noqa: B023
            time.sleep(seeded.random() * 1.5)
            told.power_off(master)
            becomes(told, backup, "master", 10.0)
            wait_for(lambda: all_paid(told, backup, "mail"), 60, "all is delivered")  # noqa: B023
            expected = {
                event["uid"]
                for event in events(told, backup)
                if event["uid"] not in before and kind_of(event["name"]).key in TOLD
            }
            assert len(expected) >= 2, "the link and the takeover"
            assert expected <= set(box.ids()), "none is lost"
            told.mend(backup, "wan")
            told.power_on(master)
        ready(told, 60.0)
        doubles = sum(number - 1 for number in box.ids().values())
        print(f"{rounds} takeovers, {sum(box.ids().values())} mails, {doubles} doubles")
        assert doubles <= max(1, rounds * 5 // 100)


def owing(lab: Lab, unit: str, before: set[str]) -> bool:
    fresh = [event for event in events(lab, unit) if event["uid"] not in before]
    return any(kind_of(event["name"]).key == "link" and event["owed"] is not None for event in fresh)
