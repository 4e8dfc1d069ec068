# SPDX-License-Identifier: Apache-2.0
"""The kernel's settings: those of our interfaces are noted, set and put back, none of the host's is touched.

R3, R11. keepalived clears all.rp_filter while it runs and leaves arp_ignore behind (vrrp-in-the-field.md).
"""

from __future__ import annotations

import json

from board.lab.demo import Demo
from board.lab.pair import Lab

from counts import count
from labtools import becomes, cold_boot, kill_everything, other, paired, restart, stop_orderly
from wire.conftest import Shape

# Read by a shell in the unit's namespace: /proc/sys/net shows the settings of who reads it.
READ = """cd /proc/sys/net; for file in {}; do
    [ -f "$file" ] && [ -r "$file" ] && echo "$file $(tr '\\n\\t' '  ' <"$file" 2>/dev/null)"
done; true"""
HOST = "ipv4/* ipv4/conf/all/* ipv4/conf/default/* ipv6/* ipv6/conf/all/* ipv6/conf/default/* core/*"
PORTS = "ipv4/conf/lan/* ipv4/conf/wan/* ipv4/neigh/lan/* ipv4/neigh/wan/* ipv6/conf/lan/* ipv6/conf/wan/*"
# What an administrator may have set before us: neither the kernel's default nor what we set.
BEFORE = {"lan__arp_announce": 1, "wan__arp_announce": 1, "lan__arp_ignore": 2, "all__rp_filter": 1}


def read(lab: Lab, unit: str, files: str) -> dict[str, str]:
    told = lab.exec(unit, ["sh", "-c", READ.format(files)]).stdout
    found = dict(line.split(" ", 1) for line in told.splitlines())
    assert len(found) > 40, "the settings could be read"
    return found


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    names = before.keys() | after.keys()
    return {
        name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    }


def of(lab: Lab, unit: str, interface: str) -> dict[str, str]:
    """The settings that we care for, of one interface."""
    names = ("arp_ignore", "arp_announce", "rp_filter")
    paths = [f"/proc/sys/net/ipv4/conf/{interface}/{name}" for name in names]
    values = lab.exec(unit, ["cat", *paths]).stdout.split()
    return dict(zip(names, values, strict=True))


def interfaces(lab: Lab, unit: str) -> set[str]:
    told = json.loads(lab.exec(unit, ["ip", "-json", "link"]).stdout)
    return {link["ifname"] for link in told}


def addresses(lab: Lab, unit: str) -> list[str]:
    return [address for held in lab.status(unit)["addresses"].values() for address in held]


def prepared(lab: Lab, shape: Shape) -> tuple[str, dict[str, str], dict[str, str]]:
    """A unit that is Master alone, and what stood on it before its firmware started."""
    demo = Demo(plan=shape.plan, virtual_mac=shape.virtual, version=3, interval="0.1")
    lab.up(demo, fresh=True, power=False)
    master = "a"
    lab.power_on(master, bare=True)
    for name, value in BEFORE.items():
        path = f"net.ipv4.conf.{name.replace('__', '.')}={value}"
        lab.exec(master, ["sysctl", "-qw", path]).check_returncode()
    before = read(lab, master, HOST), read(lab, master, PORTS)
    lab.units[master].start()
    becomes(lab, master, "master")
    return master, *before


def as_it_was(lab: Lab, unit: str, host: dict[str, str], ports: dict[str, str]) -> None:
    assert differences(host, read(lab, unit, HOST)) == {}
    assert differences(ports, read(lab, unit, PORTS)) == {}
    assert interfaces(lab, unit) == {"lo", "lan", "wan"}
    assert addresses(lab, unit) == []


def test_set_and_put_back(lab: Lab, shape: Shape) -> None:
    """R3, R11: an orderly stop leaves the machine as it was found, also where a daemon before it was killed;
    the host's settings never change."""
    master, host, ports = prepared(lab, shape)
    assert differences(host, read(lab, master, HOST)) == {}
    changed = differences(ports, read(lab, master, PORTS))
    if shape.virtual:
        for port in ("lan", "wan"):
            prefix = f"ipv4/conf/{port}"
            assert changed.pop(f"{prefix}/arp_ignore")[1] == "1 "
            assert changed.pop(f"{prefix}/arp_announce")[1] == "2 "
            wanted = {"arp_ignore": "1", "arp_announce": "2", "rp_filter": "2"}
            assert of(lab, master, f"qx-{port}") == wanted
    assert changed == {}
    cold_boot(lab, other(master))
    assert paired(lab) == master
    assert differences(host, read(lab, master, HOST)) == {}
    lab.power_off(other(master))
    stop_orderly(lab, master)
    as_it_was(lab, master, host, ports)

    # What a killed predecessor set is known to the next start, and put back by its orderly stop.
    restart(lab, master)
    for _ in range(count(1, 3)):
        becomes(lab, master, "master")
        kill_everything(lab, master)
        restart(lab, master)
        becomes(lab, master, "master")
        assert differences(host, read(lab, master, HOST)) == {}
    stop_orderly(lab, master)
    as_it_was(lab, master, host, ports)
