# SPDX-License-Identifier: Apache-2.0
"""Our MIB, and what the agent answers: the RFCs' tables and our own (R35)."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import pytest
from board.lab.demo import Demo
from board.lab.namespace import PROJECT

from labtools import qx, wait_for
from pairs import pair, put, ready
from qx.events import agent, mib, oids
from qx.events.agent import Tree, oid, serve, tree

MIB = PROJECT / "rootfs/usr/share/snmp/mibs/QX-REDUNDANCY-MIB.txt"
BASES = Path(__file__).parent / "mibs"
STATUS: dict[str, Any] = {
    "model": "qx200", "serial": "QX200-000001", "firmware": "1.0.0", "role": "master", "mode": None,
    "why": None, "group_id": 18, "virtual_ip": "10.77.0.1/24",
    "service_addresses": ["172.30.0.1/24", "203.0.113.10/24"],
    "vrrp": {"state": "master", "version": 2, "advertisement_interval": 1.0, "priority": 254,
             "cause": "silence",
             "master": "10.77.0.1", "state_since_s": 12.5,
             "counters": {"adverts_received": 7, "become_master": 2, "ttl": 3, "checksum": 5,
                          "addr_list": 1, "addr_list_err": 2}},
    "peer": {"state": "backup", "mode": "active", "serial": "QX200-000002", "armed": True},
    "sync": {"state": "in step", "age_s": 0.4},
}  # fmt: skip
EVENT: dict[str, Any] = {
    "id": 9, "time": 1_700_000_000.0, "unit": "QX200-000001", "source": "Redundancy", "severity": "critical",
    "name": "Backup device is DOWN", "description": "x", "state": "new", "uid": "0" * 16, "cleared": False,
}  # fmt: skip


def compiled(folder: Path) -> Any:
    """pysnmp's view of our MIB, compiled by pysmi; any warning is an error."""
    from pysmi.codegen import PySnmpCodeGen
    from pysmi.compiler import MibCompiler
    from pysmi.parser import SmiV2Parser
    from pysmi.reader import FileReader
    from pysmi.searcher import PyPackageSearcher, StubSearcher
    from pysmi.writer import PyFileWriter
    from pysnmp.smi import builder, view

    compiler = MibCompiler(SmiV2Parser(tempdir=str(folder)), PySnmpCodeGen(), PyFileWriter(str(folder)))
    compiler.add_sources(FileReader(str(MIB.parent)), FileReader(str(BASES)))
    compiler.add_searchers(StubSearcher(*PySnmpCodeGen.baseMibs), PyPackageSearcher("pysnmp.smi.mibs"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = compiler.compile("QX-REDUNDANCY-MIB", genTexts=True)
    assert str(done["QX-REDUNDANCY-MIB"]) == "compiled", getattr(done["QX-REDUNDANCY-MIB"], "error", done)
    found = builder.MibBuilder()
    found.add_mib_sources(builder.DirMibSource(str(folder)))
    found.load_modules("QX-REDUNDANCY-MIB")
    return view.MibViewController(found)


def test_the_file_is_what_the_numbers_make() -> None:
    """`python -m qx.events.mib` was run after the last change of the numbers or of the table of events."""
    assert MIB.read_text() == mib.module()


def test_it_compiles_without_a_warning_and_resolves_every_number(tmp_path: Path) -> None:
    """R35: by pysmi; every notification, what it says, and every value of the agent have a name in it."""
    view = compiled(tmp_path)

    def name(numbers: str) -> str:
        _, names, rest = view.get_node_name(oid(numbers))
        assert rest in ((), (0,), (9,)), (numbers, names, rest)
        return names[-1]

    for key in oids.EVENTS:
        assert name(oids.notification(key)) == mib.notification_name(key)
    for word, number in oids.SAYS.items():
        assert name(f"{oids.SAID}.{number}.0") == mib.said_name(word)
    ours = [".".join(map(str, at)) for at in tree(STATUS, [EVENT], 3, 1)._order if at[:7] == oid(oids.QX)[:7]]
    assert len(ours) == len(mib.SCALARS) + len(mib.COLUMNS)
    assert {name(one) for one in ours} == {found[0] for found in (*mib.SCALARS, *mib.COLUMNS)}


def test_the_rfcs_tables() -> None:
    """R35: RFC 2787 in version 2, RFC 6527 in version 3; nothing outside of a group."""
    two = tree(STATUS, [], 3, 0)
    assert two.get(oid("1.3.6.1.2.1.68.1.3.1.3.3.18")) == ("integer", "3")  # vrrpOperState: master
    assert two.get(oid("1.3.6.1.2.1.68.1.3.1.7.3.18")) == ("ipaddress", "10.77.0.1")
    assert two.get(oid("1.3.6.1.2.1.68.1.3.1.2.3.18")) == ("octet", "00 00 5e 00 01 12")
    assert two.get(oid("1.3.6.1.2.1.68.2.4.1.1.3.18")) == ("counter", "2")
    assert two.get(oid("1.3.6.1.2.1.68.2.4.1.9.3.18")) == ("counter", "3")
    assert two.get(oid("1.3.6.1.2.1.68.2.1.0")) == ("counter", "5")
    assert two.get(oid("1.3.6.1.2.1.68.1.4.1.2.3.18.172.30.0.1")) == ("integer", "1")
    assert not any(at[:8] == oid(oids.VRRP3) for at in two._order)
    three = tree(
        {**STATUS, "vrrp": {**STATUS["vrrp"], "version": 3, "advertisement_interval": 0.25}}, [], 3, 0
    )
    assert three.get(oid(f"{oids.VRRP3_MASTER}.3.18.1")) == ("octet", "0a 4d 00 01")
    assert three.get(oid(f"{oids.VRRP3}.1.1.1.1.9.3.18.1")) == ("integer", "25")
    assert three.get(oid(f"{oids.VRRP3_REASON}.3.18.1")) == ("integer", "3")  # masterNoResponse
    alone = tree({**STATUS, "group_id": None}, [], 3, 0)
    assert not [at for at in alone._order if at[:8] in (oid(oids.VRRP2), oid(oids.VRRP3))]


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
    assert tree({**STATUS, **change}, [], 3, 0).get(oid(f"{oids.PAIR}.8.0")) == ("integer", protected)


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


def test_snmpwalk_of_a_pair(tmp_path: Path) -> None:
    """R35: snmpd of both units answers version 2c and 3; who does not know the community gets nothing; a
    change of the settings ends it."""
    with pair("sw", tmp_path, Demo(plan="other", version=2, interval="1")) as lab:
        master = ready(lab)
        put(lab, master, "snmp.agent=true", "snmp.community=pub#1", "snmp.user=walker",
            "snmp.auth_password=auth pass 1", "snmp.privacy_password=priv pass 2")  # fmt: skip

        def walk(unit: str, *options: str, at: str = oids.QX) -> list[str]:
            address = str(qx(lab, unit)["virtual_ip"]).partition("/")[0]
            argv = ["env", "MIBS=", f"MIBDIRS={tmp_path}", "snmpbulkwalk", "-On", "-Oq", "-t", "1", "-r", "1",
                    *options, address, at]  # fmt: skip
            done = lab.exec("pc", argv)
            return done.stdout.splitlines() if done.returncode == 0 else []

        v3 = ("-v3", "-u", "walker", "-l", "authPriv", "-a", "SHA-256", "-A", "auth pass 1", "-x", "AES",
              "-X", "priv pass 2")  # fmt: skip
        for unit in ("a", "b"):
            lines = wait_for(lambda: walk(unit, "-v2c", "-c", "pub#1"), 20, "snmpd answers")  # noqa: B023
            values = dict(line.split(" ", 1) for line in lines)
            role = agent.ROLES["master" if unit == master else "backup"]
            assert values[f".{oids.PAIR}.4.0"] == str(role)
            assert values[f".{oids.PAIR}.8.0"] == "1", "protected"
            assert any("This device is Master" in value for value in values.values())
            state = walk(unit, *v3, at=f"{oids.VRRP2}.1.3.1.3")
            assert [line.rpartition(" ")[2] for line in state] == ["3" if unit == master else "2"]
            assert not walk(unit, "-v2c", "-c", "wrong")
            configuration = lab.units[unit].root / "run/qx/snmpd.conf"
            assert configuration.stat().st_mode & 0o77 == 0
        put(lab, master, "snmp.agent=false")
        wait_for(lambda: not walk(master, "-v2c", "-c", "pub#1"), 10, "snmpd ends")
