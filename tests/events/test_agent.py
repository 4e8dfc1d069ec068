# SPDX-License-Identifier: Apache-2.0
"""Our MIB, and what the agent answers: the RFCs' tables and our own (R35)."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest
from board.lab.demo import Demo
from board.lab.pair import Lab
from managed import OURS, Mibs

from labtools import other, qx, wait_for
from pairs import pair, put, ready
from qx.events import agent, mib, oids
from qx.events.agent import Here, Tree, oid, serve, tree

HERE = Here(interface=3, address="172.30.0.1", pending=1, agent_s=20.0)
STATUS: dict[str, Any] = {
    "model": "qx200", "serial": "QX200-000001", "firmware": "1.0.0", "role": "master", "mode": None,
    "why": None, "group_id": 18, "virtual_ip": "10.77.0.1/24",
    "service_addresses": ["172.30.0.1/24", "203.0.113.10/24"],
    "vrrp": {"state": "master", "version": 2, "advertisement_interval": 1.0, "priority": 254,
             "cause": "silence",
             "master": None, "state_since_s": 2.5, "up_s": 12.5,
             "counters": {"adverts_received": 7, "become_master": 2, "ttl": 3, "checksum": 5,
                          "addr_list": 1, "addr_list_err": 2, "length": 1, "short": 1, "count_zero": 2}},
    "peer": {"state": "backup", "mode": "active", "serial": "QX200-000002", "armed": True},
    "sync": {"state": "in step", "age_s": 0.4},
}  # fmt: skip
EVENT: dict[str, Any] = {
    "id": 9, "time": 1_700_000_000.0, "unit": "QX200-000001", "source": "Redundancy", "severity": "critical",
    "name": "Backup device is DOWN", "description": "x", "state": "new", "uid": "0" * 16, "cleared": False,
}  # fmt: skip


def test_the_file_is_what_the_numbers_make() -> None:
    """`python -m qx.events.mib` was run after the last change of the numbers or of the table of events."""
    assert OURS.read_text() == mib.module()


def test_it_compiles_without_a_warning_and_resolves_every_number(mibs: Mibs) -> None:
    """R35: by pysmi; every notification, what it says, and every value of the agent have a name in it."""
    for key in oids.EVENTS:
        assert mibs.name(oids.notification(key)) == (mib.notification_name(key), ())
    for word, number in oids.SAYS.items():
        assert mibs.name(f"{oids.SAID}.{number}.0") == (mib.said_name(word), (0,))
    ours = [".".join(map(str, at)) for at in tree(STATUS, [EVENT], HERE)._order if at[:7] == oid(oids.QX)[:7]]
    assert len(ours) == len(mib.SCALARS) + len(mib.COLUMNS)
    found = [mibs.name(one) for one in ours]
    assert {name for name, _ in found} == {name for name, *_ in (*mib.SCALARS, *mib.COLUMNS)}
    assert {rest for _, rest in found} == {(0,), (9,)}


def test_the_rfcs_tables() -> None:
    """R35: RFC 2787 in version 2, RFC 6527 in version 3; nothing outside of a group."""
    two = tree(STATUS, [], HERE)
    assert two.get(oid("1.3.6.1.2.1.68.1.3.1.3.3.18")) == ("integer", "3")  # vrrpOperState: master
    assert two.get(oid("1.3.6.1.2.1.68.1.3.1.7.3.18")) == ("ipaddress", "10.77.0.1")
    assert two.get(oid("1.3.6.1.2.1.68.1.3.1.2.3.18")) == ("octet", "00 00 5e 00 01 12")
    assert two.get(oid("1.3.6.1.2.1.68.2.4.1.1.3.18")) == ("counter", "2")
    assert two.get(oid("1.3.6.1.2.1.68.2.4.1.9.3.18")) == ("counter", "3")
    assert two.get(oid("1.3.6.1.2.1.68.2.4.1.12.3.18")) == ("counter", "4")  # vrrpStatsPacketLengthErrors
    assert two.get(oid("1.3.6.1.2.1.68.2.1.0")) == ("counter", "5")
    assert two.get(oid("1.3.6.1.2.1.68.1.4.1.2.3.18.172.30.0.1")) == ("integer", "1")
    assert not any(at[:8] == oid(oids.VRRP3) for at in two._order)
    three = tree(
        {**STATUS, "vrrp": {**STATUS["vrrp"], "version": 3, "advertisement_interval": 0.25}}, [], HERE
    )
    assert three.get(oid(f"{oids.VRRP3_MASTER}.3.18.1")) == ("octet", "0a 4d 00 01")
    assert three.get(oid(f"{oids.VRRP3}.1.1.1.1.9.3.18.1")) == ("integer", "25")
    assert three.get(oid(f"{oids.VRRP3_REASON}.3.18.1")) == ("integer", "3")  # masterNoResponse
    alone = tree({**STATUS, "group_id": None}, [], HERE)
    assert not [at for at in alone._order if at[:8] in (oid(oids.VRRP2), oid(oids.VRRP3))]


def test_only_the_address_that_vrrp_is_about_and_in_every_role() -> None:
    """R35: RFC 2787, vrrpAssoIpAddrTable and vrrpOperIpAddrCount: the LAN's; the WAN's is no virtual
    router's, and a Backup, which holds neither, backs up the same one."""
    for held in ([], ["172.30.0.1/24", "203.0.113.10/24"]):
        found = tree({**STATUS, "service_addresses": held}, [], HERE)
        addresses = [at for at in found._order if at[:9] == oid(f"{oids.VRRP2}.1.4")]
        assert addresses == [oid(f"{oids.VRRP2}.1.4.1.2.3.18.172.30.0.1")]
        assert found.get(oid(f"{oids.VRRP2}.1.3.1.6.3.18")) == ("integer", "1")


@pytest.mark.parametrize(("up", "agent_s", "stamp"), [(12.5, 20.0, 750), (30.0, 20.0, 0), (None, 20.0, 0)])
def test_since_when_the_virtual_router_is_up(up: float | None, agent_s: float, stamp: int) -> None:
    """R35: in version 2 the agent's sysUpTime at that moment (0: before it began), in version 3 the time
    since; neither begins anew with a role."""
    here = HERE._replace(agent_s=agent_s)
    vrrp = {**STATUS["vrrp"], "up_s": up}
    two = tree({**STATUS, "vrrp": vrrp}, [], here)
    assert two.get(oid(f"{oids.VRRP2}.1.3.1.13.3.18")) == ("timeticks", str(stamp))
    three = tree({**STATUS, "vrrp": {**vrrp, "version": 3}}, [], here)
    assert three.get(oid(f"{oids.VRRP3}.1.1.1.1.12.3.18.1")) == ("timeticks", str(int((up or 0) * 100)))


@pytest.mark.parametrize(
    ("change", "protected"),
    [({}, "1"), ({"peer": {"state": "backup", "mode": "passive", "armed": True}}, "2"),
     ({"peer": {"state": "backup", "mode": "active", "armed": False}}, "2"),
     ({"peer": {"state": "down"}}, "2"),
     ({"role": "standalone"}, "2"), ({"role": "backup", "mode": "active"}, "1"),
     ({"role": "backup", "mode": "active", "why": "first copy"}, "2")],
)  # fmt: skip
def test_protected_is_what_it_says(change: dict[str, Any], protected: str) -> None:
    """R7, R35: is there a Backup that would take over now?"""
    assert tree({**STATUS, **change}, [], HERE).get(oid(f"{oids.PAIR}.8.0")) == ("integer", protected)


def test_pass_persist_line_by_line() -> None:
    """net-snmp's protocol, and bad input on it: each request one answer, none of them ends the process."""
    found = Tree({oid("1.3.6.9.1"): ("integer", "1"), oid("1.3.6.9.10"): ("string", "x")})
    asked = io.StringIO(
        "PING\nget\n.1.3.6.9.1\nget\n.1.3.6.9.2\ngetnext\n.1.3.6.9.1\ngetnext\n.1.3.6.9.10\ngetnext\n.1\n"
        "set\n.1.3.6.9.1\ninteger 2\nget\nnonsense\nwhat\n\ngetnext\n\n"
    )
    answers = io.StringIO()
    serve(lambda: found, asked, answers)
    assert answers.getvalue().splitlines() == [
        "PONG", ".1.3.6.9.1", "integer", "1", "NONE", ".1.3.6.9.10", "string", "x", "NONE",
        ".1.3.6.9.1", "integer", "1", "not-writable", "NONE", "NONE", "NONE",
    ]  # fmt: skip


COMMUNITY = ("-v2c", "-c", "pub#1")
V3 = ("-v3", "-u", "walker", "-l", "authPriv", "-a", "SHA-256", "-A", "auth pass 1", "-x", "AES",
      "-X", "priv pass 2")  # fmt: skip


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A pair whose agents answer."""
    with pair("sw", tmp_path_factory.mktemp("asked"), Demo(plan="other", version=2, interval="1")) as lab:
        put(lab, ready(lab), "snmp.agent=true", "snmp.community=pub#1", "snmp.user=walker",
            "snmp.auth_password=auth pass 1", "snmp.privacy_password=priv pass 2")  # fmt: skip
        for unit in ("a", "b"):
            wait_for(lambda: walk(lab, unit, *COMMUNITY), 20, "snmpd answers")  # noqa: B023
        yield lab


def walk(lab: Lab, unit: str, *options: str, at: str = oids.QX) -> dict[str, Any]:
    """Values by OID; nothing where nobody answers."""
    address = str(qx(lab, unit)["virtual_ip"]).partition("/")[0]
    argv = ["env", "MIBS=", f"MIBDIRS={lab.folder}", "snmpbulkwalk", "-One", "-t", "1", "-r", "1", *options,
            address, at]  # fmt: skip
    done = lab.exec("pc", argv)
    lines = (line.split(" = ", 1) for line in done.stdout.splitlines() if " = " in line)
    return {oid: _value(text) for oid, text in lines if not text.startswith("No ")}


def _value(text: str) -> Any:
    """As net-snmp writes it with its type."""
    kind, _, value = text.partition(": ")
    if kind == "Hex-STRING":
        return bytes.fromhex(value)
    if kind == "Timeticks":
        return int(value.partition(")")[0].strip("("))
    if kind in ("INTEGER", "Counter32", "Counter64", "Gauge32"):
        return int(value)
    return value if kind == "IpAddress" else text.removeprefix("STRING: ").strip('"')


def test_snmpwalk_of_a_pair(asked: Lab) -> None:
    """R35: snmpd of both units answers version 2c and 3; who does not know the community gets nothing."""
    master = ready(asked)
    for unit in ("a", "b"):
        values = walk(asked, unit, *COMMUNITY)
        assert values[f".{oids.PAIR}.4.0"] == agent.ROLES["master" if unit == master else "backup"]
        assert values[f".{oids.PAIR}.8.0"] == 1, "protected"
        assert "This device is Master" in values.values()
        state = walk(asked, unit, *V3, at=f"{oids.VRRP2}.1.3.1.3")
        assert list(state.values()) == [3 if unit == master else 2]
        assert not walk(asked, unit, "-v2c", "-c", "wrong")
        configuration = asked.units[unit].root / "run/qx/snmpd.conf"
        assert configuration.stat().st_mode & 0o77 == 0


def _master(status: dict[str, Any]) -> str:
    """The source of the pair's advertisements."""
    own = status["virtual_ip"].partition("/")[0]
    return own if status["role"] == "master" else status["vrrp"]["master"]


def _packed(address: str) -> str:
    return "0x" + IPv4Address(address).packed.hex()


# What RFC 2787 and RFC 6527 call what `qx status` says: by the object's name, from a status or always so.
OPERATIONS: dict[int, dict[str, str | Callable[[dict[str, Any]], str]]] = {
    2: {
        "vrrpNodeVersion": "2",
        "vrrpNotificationCntl": "enabled",
        "vrrpOperVirtualMacAddr": lambda s: f"00:00:5e:00:01:{s['group_id']:02x}",
        "vrrpOperState": lambda s: s["vrrp"]["state"],
        "vrrpOperAdminState": "up",
        "vrrpOperPriority": lambda s: str(s["vrrp"]["priority"]),
        "vrrpOperIpAddrCount": "1",
        "vrrpOperMasterIpAddr": _master,
        "vrrpOperPrimaryIpAddr": lambda s: s["virtual_ip"].partition("/")[0],
        "vrrpOperAuthType": "noAuthentication",
        "vrrpOperAuthKey": "",
        "vrrpOperAdvertisementInterval": lambda s: f"{s['vrrp']['advertisement_interval']:g}",
        "vrrpOperPreemptMode": "false",
        "vrrpOperProtocol": "ip",
        "vrrpOperRowStatus": "active",
        "vrrpAssoIpAddrRowStatus": "active",
    },
    3: {
        "vrrpv3OperationsMasterIpAddr": lambda s: _packed(_master(s)),
        "vrrpv3OperationsPrimaryIpAddr": lambda s: _packed(s["virtual_ip"].partition("/")[0]),
        "vrrpv3OperationsVirtualMacAddr": lambda s: f"00:00:5e:00:01:{s['group_id']:02x}",
        "vrrpv3OperationsStatus": lambda s: s["vrrp"]["state"],
        "vrrpv3OperationsPriority": lambda s: str(s["vrrp"]["priority"]),
        "vrrpv3OperationsAddrCount": "1",
        "vrrpv3OperationsAdvInterval": lambda s: f"{s['vrrp']['advertisement_interval'] * 100:g}",
        "vrrpv3OperationsPreemptMode": "false",
        "vrrpv3OperationsAcceptMode": "true",
        "vrrpv3OperationsRowStatus": "active",
        "vrrpv3AssociatedIpAddrRowStatus": "active",
        "vrrpv3GlobalStatisticsDiscontinuityTime": "0",
        "vrrpv3StatisticsProtoErrReason": "noError",
        "vrrpv3StatisticsRowDiscontinuityTime": "0",
        "vrrpv3StatisticsRefreshRate": "1000",
    },
}  # fmt: skip
COUNTERS = {
    2: {
        "vrrpRouterChecksumErrors": "checksum", "vrrpRouterVersionErrors": "version",
        "vrrpRouterVrIdErrors": "vrid", "vrrpStatsBecomeMaster": "become_master",
        "vrrpStatsAdvertiseRcvd": "adverts_received", "vrrpStatsAdvertiseIntervalErrors": "adver_int",
        "vrrpStatsAuthFailures": "", "vrrpStatsIpTtlErrors": "ttl",
        "vrrpStatsPriorityZeroPktsRcvd": "prio_zero_received",
        "vrrpStatsPriorityZeroPktsSent": "prio_zero_sent", "vrrpStatsInvalidTypePktsRcvd": "type",
        "vrrpStatsAddressListErrors": "addr_list", "vrrpStatsInvalidAuthType": "auth_invalid",
        "vrrpStatsAuthTypeMismatch": "auth_mismatch", "vrrpStatsPacketLengthErrors": "length",
    },
    3: {
        "vrrpv3RouterChecksumErrors": "checksum", "vrrpv3RouterVersionErrors": "version",
        "vrrpv3RouterVrIdErrors": "vrid", "vrrpv3StatisticsMasterTransitions": "become_master",
        "vrrpv3StatisticsRcvdAdvertisements": "adverts_received",
        "vrrpv3StatisticsAdvIntervalErrors": "adver_int", "vrrpv3StatisticsIpTtlErrors": "ttl",
        "vrrpv3StatisticsRcvdPriZeroPackets": "prio_zero_received",
        "vrrpv3StatisticsSentPriZeroPackets": "prio_zero_sent",
        "vrrpv3StatisticsRcvdInvalidTypePackets": "type",
        "vrrpv3StatisticsAddressListErrors": "addr_list", "vrrpv3StatisticsPacketLengthErrors": "length",
    },
}  # fmt: skip
MORE = {2: {"vrrpOperVirtualRouterUpTime"}, 3: {"vrrpv3OperationsUpTime", "vrrpv3StatisticsNewMasterReason"}}


@pytest.mark.parametrize("version", [2, 3])
def test_the_rfcs_tables_say_what_the_status_says(asked: Lab, mibs: Mibs, version: int) -> None:
    """R35: every object of RFC 2787 and RFC 6527 by snmpwalk, named and judged by their own MIBs, beside
    `qx status` of the same unit."""
    if version == 3:
        put(asked, ready(asked), "redundancy.vrrp_version=3", "redundancy.advertisement_interval=0.5")
        wait_for(lambda: qx(asked, "a")["vrrp"]["version"] == qx(asked, "b")["vrrp"]["version"] == 3, 20, "3")
    master = ready(asked)
    for unit in (master, other(master)):
        before = qx(asked, unit)
        time.sleep(agent.FRESH)  # what was asked before serves no more
        at = oids.VRRP2 if version == 2 else oids.VRRP3
        walked = wait_for(lambda: walk(asked, unit, *COMMUNITY, at=at), 20, "that table")  # noqa: B023
        after = qx(asked, unit)
        found = {named.name: named for named in (mibs.named(at, value) for at, value in walked.items())}
        assert len(found) == len(walked), "each object once: one virtual router with one address"
        assert set(found) == {*OPERATIONS[version], *COUNTERS[version], *MORE[version]}
        for name, expected in OPERATIONS[version].items():
            assert found[name].value == (expected if isinstance(expected, str) else expected(after)), name
        for name, counter in COUNTERS[version].items():
            least, most = (status["vrrp"]["counters"].get(counter, 0) for status in (before, after))
            assert least <= int(found[name].value) <= most, name
        if version == 3:
            up = int(found["vrrpv3OperationsUpTime"].value) / 100
            assert before["vrrp"]["up_s"] - 1.0 <= up <= after["vrrp"]["up_s"]
            reason = found["vrrpv3StatisticsNewMasterReason"].value
            assert (reason != "notMaster") == (unit == master)
    if version == 3:
        put(asked, master, "snmp.agent=false")
        wait_for(lambda: not walk(asked, master, *COMMUNITY), 10, "snmpd ends")
