# SPDX-License-Identifier: Apache-2.0
"""The daemon's events with real delivery processes and real receivers: rules, queue, reboot, takeover, burst.

The desk runs on a loop of the test, as it does on the daemon's; nothing of it is made up but the role and the
settings, which the test says.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from managed import Mibs
from receivers import PASSWORD, USER, Mailbox, Traps, certificate, free_port, gateway, mail_server

from qx.errors import Refusal
from qx.events import desk as module
from qx.events import queue
from qx.events.desk import Desk, device_of
from qx.events.log import EventLog
from qx.model import MODELS
from qx.paths import Paths
from qx.settings.view import Settings
from waiting import until

A, B = "QX200-000001", "QX200-000002"
DOWN, UP = "Backup device is DOWN", "Backup device is UP (Active mode)"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short times where they are not the subject."""
    monkeypatch.setattr(module, "TICK", 0.05)
    monkeypatch.setattr(module, "AFTER", 0.1)
    monkeypatch.setattr(queue, "LEAST", 0.2)


@dataclass
class Unit:
    """A unit as far as its events go."""

    folder: Path
    serial: str
    explicit: dict[str, Any]
    leads: bool = True
    settings: Settings = field(init=False)
    log: EventLog = field(init=False)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        paths = Paths(self.folder)
        paths.data_qx.mkdir(parents=True, exist_ok=True)
        paths.run_qx.mkdir(parents=True, exist_ok=True)
        self.set(**{})
        self.log = EventLog(paths, self.serial, gather=0.01)
        self.desk = Desk(
            self.log, lambda: self.settings, lambda: self.leads,
            lambda: device_of(self.settings, self.serial, "QX200", "lo"), paths, self.serial,
        )  # fmt: skip
        self.desk.start()

    def set(self, **more: Any) -> None:
        self.explicit = {**self.explicit, **more}
        self.settings = Settings(MODELS["qx200"], self.explicit)

    async def close(self) -> None:
        await self.desk.close()
        self.log.close()


@contextlib.asynccontextmanager
async def unit(
    folder: Path, explicit: dict[str, Any], serial: str = A, leads: bool = True
) -> AsyncIterator[Unit]:
    found = Unit(folder, serial, explicit, leads)
    try:
        yield found
    finally:
        await found.close()


def mail_settings(folder: Path, port: int, *recipients: str, events: str = "backup-down") -> dict[str, Any]:
    return {
        "mail.server": "127.0.0.1", "mail.port": port, "mail.user": USER, "mail.password": PASSWORD,
        "mail.fingerprint": certificate(folder)[2], "mail.sender": "pbx@example.com",
        "mail.recipients": recipients or ("admin@example.com",),
        **{f"events.{event}.actions": ("display", "mail") for event in events.split()},
    }  # fmt: skip


def run(work: Awaitable[None]) -> None:
    async def whole() -> None:
        await work

    asyncio.run(whole())


def test_only_what_is_set_up_is_offered(tmp_path: Path) -> None:
    """R34: an action that is not set up is not offered; the LED is not on a QX2000."""

    async def work() -> None:
        async with unit(tmp_path, {}) as found:
            assert found.desk.deliveries()["offered"] == ["display", "led"]
            with pytest.raises(Refusal, match="mail, SMS and SNMP: not set up"):
                await found.desk.test()
            with pytest.raises(Refusal, match="sms: not set up; expected its settings to be there"):
                await found.desk.test("sms")
            with pytest.raises(Refusal, match="action: 'fax'; expected one of mail, sms, snmp"):
                await found.desk.test("fax")
            found.set(**mail_settings(tmp_path, 25), **{
                "sms.url": "http://g/{text}", "sms.recipients": ("1",),
                "snmp.hosts.noc.address": "n", "snmp.hosts.noc.community": "c",
                "snmp.hosts.none.address": "n"})  # fmt: skip
            assert found.desk.deliveries()["offered"] == ["display", "led", "mail", "sms", "snmp"]
            assert found.desk.deliveries()["lacking"] == {"snmp:none": ["snmp.hosts.none.community"]}
            found.set(**{"mail.sender": None, "sms.recipients": ()})
            assert found.desk.deliveries()["offered"] == ["display", "led", "snmp"]
            assert found.desk.deliveries()["lacking"] == {
                "mail": ["mail.sender"], "sms": ["sms.recipients"],
                "snmp:none": ["snmp.hosts.none.community"]}  # fmt: skip
            with pytest.raises(Refusal, match=r"mail: not set up; expected mail\.sender to be there"):
                await found.desk.test("mail")
            assert module.ways(found.settings)["snmp"] == ("snmp:noc",), "a host without community gets none"
            big = Settings(MODELS["qx2000"], {})
            assert module.offered(big) == ("display",)

    run(work())


def test_the_guides_notifications_take_every_way(tmp_path: Path, mibs: Mibs) -> None:
    """R32, R34, R35: each of the three with its words by mail, short message and inform, which our MIB gives
    its names; the promotion with the RFC's trap as well; and a test by hand says what became of it. The
    process ends then."""
    ports = free_port(), free_port(), free_port()
    both = {f"events.{key}.actions": ("display", "mail", "sms", "snmp")
            for key in ("backup-down", "backup-up-active", "backup-up-passive", "takeover")}  # fmt: skip

    async def work() -> None:
        explicit = {
            **mail_settings(tmp_path, ports[0]), **both,
            "sms.url": f"http://127.0.0.1:{ports[1]}/", "sms.body": "{text}",
            "sms.content_type": "text/plain", "sms.recipients": ("+49301",),
            "snmp.hosts.noc.address": "127.0.0.1", "snmp.hosts.noc.port": ports[2],
            "snmp.hosts.noc.community": "public", "redundancy.group_id": 18,
            "redundancy.virtual_ip": "10.77.0.1/24",
        }  # fmt: skip
        async with unit(tmp_path / "a", explicit) as found:
            names = ["Takeover: this device is Master", UP, "Backup device is UP (Passive mode)", DOWN]
            for name in names:
                found.log._damper = type(found.log._damper)()  # each has lasted
                found.log.add("info", name, "why")
            await until(lambda: not [e for e in found.log.recent() if e.owed != ()], what="all delivered")
            assert sorted(box.subjects()) == sorted(f"{name} ({A})" for name in names)
            assert sorted(one["body"].partition(f" ({A}")[0] for one in sent.requests) == sorted(names)
            told = await until(lambda: traps.traps() if len(traps.traps()) == 5 else None)
            named = {mibs.name(trap.oid)[0]: mibs.said(trap.variables) for trap in told}
            ours = {name: said["qxSaidName"] for name, said in named.items() if name.startswith("qx")}
            assert ours == dict(zip(("qxTakeoverNotice", "qxBackupUpActiveNotice", "qxBackupUpPassiveNotice",
                                     "qxBackupDownNotice"), names, strict=True))  # fmt: skip
            assert {said["qxSaidSeverity"] for name, said in named.items() if name in ours} == {
                "indeterminate"
            }
            assert {said["qxSaidUnit"] for name, said in named.items() if name in ours} == {A}
            assert named["vrrpTrapNewMaster"] == {"vrrpOperMasterIpAddr": "10.77.0.1"}
            answers = await found.desk.test()
            assert [(a["way"], a["outcome"]) for a in answers] == [
                ("mail:admin@example.com", "done"), ("sms:+49301", "done"), ("snmp:noc", "done")]  # fmt: skip
            states = {way["way"]: way for way in found.desk.deliveries()["ways"]}
            assert states["mail:admin@example.com"]["delivered"] == 4
            pid = found.desk._courier.pid
            assert pid
            await until(lambda: found.desk._courier.pid is None, 10, "the process ends")
            assert not Path(f"/proc/{pid}").exists()

    with (
        mail_server(tmp_path, ports[0]) as box,
        gateway(tmp_path, ports[1]) as sent,
        Traps(tmp_path / "traps", ports[2]) as traps,
    ):
        run(work())


def test_a_receiver_that_was_away_gets_all_of_it_in_order(tmp_path: Path) -> None:
    """R34: with back-off; meanwhile a person can read why."""
    port = free_port()

    async def work() -> None:
        async with unit(tmp_path / "a", mail_settings(tmp_path, port, events="fault")) as found:
            for number in range(3):
                found.log.add("critical", "This device is in fault", f"{number}")
            (way,) = await until(
                lambda: [w for w in found.desk.deliveries()["ways"] if w["state"] == "failing"]
            )
            assert way["trouble"] == "mail server 127.0.0.1: Connection refused"
            assert (way["waiting"], way["delivered"]) == (3, 0)
            with mail_server(tmp_path, port) as box:
                await until(lambda: len(box.mails) == 3, what="all three")
                await until(lambda: not [e for e in found.log.recent() if e.owed])
            texts = [mail.get_content().splitlines()[1].strip() for _, mail in box.mails]
            assert texts == ["0", "1", "2"]

    run(work())


def test_a_reboot_goes_on_with_what_was_owed(tmp_path: Path) -> None:
    """R34: what was not delivered is on flash, what was is not sent again, and the id is the same."""
    port = free_port()
    explicit = mail_settings(tmp_path, port, "a@example.com", "b@example.com", events="fault")

    async def before(box: Mailbox) -> str:
        box.refuse = {"b@example.com": "451 later"}
        async with unit(tmp_path / "a", explicit) as found:
            event = found.log.add("critical", "This device is in fault", "x")
            await until(lambda: (found.log.get(event.uid) or event).owed == ("mail:b@example.com",))
        return event.uid

    async def after(box: Mailbox, uid: str) -> None:
        box.refuse = {}
        async with unit(tmp_path / "a", explicit) as found:
            await until(lambda: len(box.mails) == 2)
            await until(lambda: (found.log.get(uid) or found.log.recent()[0]).owed == ())
            await asyncio.sleep(0.5)
            assert [to for to, _ in box.mails] == ["a@example.com", "b@example.com"]
            assert len({mail["Message-ID"] for _, mail in box.mails}) == 1

    with mail_server(tmp_path, port) as box:
        uid = asyncio.run(before(box))
        run(after(box, uid))


def test_a_backup_delivers_nothing_until_it_is_master(tmp_path: Path) -> None:
    """R34: deliveries are the Master's; what nobody judged yet is judged then."""
    port = free_port()

    async def work() -> None:
        async with unit(tmp_path / "a", mail_settings(tmp_path, port, events="fault"), leads=False) as found:
            event = found.log.add("critical", "This device is in fault", "x")
            await asyncio.sleep(0.5)
            assert (found.log.get(event.uid) or event).owed is None
            assert found.desk._courier.pid is None
            found.leads = True
            await until(lambda: box.mails)
            found.leads = False
            await until(lambda: not found.desk.deliveries()["leading"])
            found.log.add("critical", "This device is in fault", "y")
            await asyncio.sleep(0.5)
            assert len(box.mails) == 1

    with mail_server(tmp_path, port) as box:
        run(work())


def test_one_that_fails_for_ever_blocks_no_other(tmp_path: Path) -> None:
    """R34: a server that takes the connection and says nothing, while mail, message and trap go their way."""
    ports = free_port(), free_port()
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(50)

    async def work() -> None:
        explicit = {
            **mail_settings(tmp_path, silent.getsockname()[1], events="fault"),
            "sms.url": f"http://127.0.0.1:{ports[0]}/{{text}}", "sms.method": "get", "sms.recipients": ("1",),
            "snmp.hosts.dead.address": "127.0.0.1", "snmp.hosts.dead.port": free_port(),
            "snmp.hosts.dead.community": "public",
            "snmp.hosts.noc.address": "127.0.0.1", "snmp.hosts.noc.port": ports[1],
            "snmp.hosts.noc.community": "public",
            "events.fault.actions": ("display", "mail", "sms", "snmp"),
        }  # fmt: skip
        async with unit(tmp_path / "a", explicit) as found:
            began = time.monotonic()
            for number in range(5):
                found.log.add("critical", "This device is in fault", f"{number}")
            await until(lambda: len(sent.requests) == 5 and len(traps.traps()) == 5, 8, "the others")
            print(f"the others took {time.monotonic() - began:.1f} s")

            def left() -> set[str]:
                return {way for event in found.log.recent() for way in event.owed or ()}

            await until(lambda: left() == {"mail:admin@example.com", "snmp:dead"})

    with gateway(tmp_path, ports[0]) as sent, Traps(tmp_path / "traps", ports[1]) as traps:
        run(work())
    silent.close()


def test_a_process_that_hangs_is_ended_and_started_again(tmp_path: Path) -> None:
    """R34: a server that drips for ever, a program that hangs: the next process does the rest; a killed one
    as well."""
    port = free_port()

    async def work() -> None:
        async with unit(tmp_path / "a", mail_settings(tmp_path, port, events="fault")) as found:
            found.desk._courier._limit = 1.0
            box.hold = 30.0
            event = found.log.add("critical", "This device is in fault", "x")
            await until(lambda: [w for w in found.desk.deliveries()["ways"] if w["trouble"]], 20)
            assert found.desk.deliveries()["ways"][0]["trouble"] == "the delivery process ended"
            box.hold, found.desk._courier._limit = 0.0, 60.0
            await until(lambda: (found.log.get(event.uid) or event).owed == (), 30)
            assert len({mail["Message-ID"] for _, mail in box.mails}) == 1

    with mail_server(tmp_path, port) as box:
        run(work())


def test_ten_thousand_events_at_once(tmp_path: Path) -> None:
    """R34: bounded log and queue, the loop stays responsive, the oldest of the lowest severity go first and
    are counted, what they owed as well."""
    port = free_port()

    async def work() -> None:
        both = mail_settings(tmp_path, port, events="fault other")
        async with unit(tmp_path / "a", both) as found:
            await asyncio.sleep(0.3)
            late = 0.0

            async def watch() -> None:
                nonlocal late
                while True:
                    began = time.monotonic()
                    await asyncio.sleep(0.01)
                    late = max(late, time.monotonic() - began - 0.01)

            watching = asyncio.get_running_loop().create_task(watch())
            critical = [found.log.add("critical", "This device is in fault", f"{n}") for n in range(5)]
            for number in range(10_000):
                found.log.add("info", f"event {number}", "x" * 50)
                if number % 100 == 0:
                    await asyncio.sleep(0)
            assert len(found.log.recent()) == 500
            assert found.log.dropped["info"] == 9505 and found.log.dropped["critical"] == 0
            await until(lambda: all((found.log.get(e.uid) or e).owed == () for e in critical), 20)
            watching.cancel()
            waiting = found.desk.deliveries()["ways"][0]["waiting"]
            assert 0 <= waiting <= 500
            assert found.log.dropped["deliveries"] > 0
            print(f"the loop was late by {late * 1000:.0f} ms at most")
            assert late < 0.5

    with mail_server(tmp_path, port) as box:
        run(work())
    assert [str(n) in "".join(m.get_content() for _, m in box.mails) for n in range(5)]


def test_no_secret_is_in_the_list_of_processes(tmp_path: Path) -> None:
    """R34, R35: neither of the delivery process nor of net-snmp's; nor in their environment."""
    ports = free_port(), free_port()
    seen: set[str] = set()

    async def work() -> None:
        explicit = {
            **mail_settings(tmp_path, ports[0], events="fault"),
            "snmp.hosts.dead.address": "127.0.0.1", "snmp.hosts.dead.port": ports[1],
            "snmp.hosts.dead.community": "comMunity#1", "events.fault.actions": ("display", "mail", "snmp"),
        }  # fmt: skip
        async with unit(tmp_path / "a", explicit) as found:
            box.hold = 2.0
            found.log.add("critical", "This device is in fault", "x")
            for _ in range(60):
                for entry in Path("/proc").iterdir():
                    if entry.name.isdigit() and int(entry.name) != os.getpid():
                        with contextlib.suppress(OSError):
                            seen.add((entry / "cmdline").read_bytes().decode(errors="replace"))
                            seen.add((entry / "environ").read_bytes().decode(errors="replace"))
                await asyncio.sleep(0.02)

    with mail_server(tmp_path, ports[0]) as box:
        run(work())
    assert any("snmpinform" in line for line in seen) and any("deliver" in line for line in seen)
    assert not any(secret in line for line in seen for secret in (PASSWORD, "comMunity#1"))
