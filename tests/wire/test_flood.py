# SPDX-License-Identifier: Apache-2.0
"""100,000 malformed or foreign advertisements, as fast as the kernel takes them: nothing changes. R3, R9.

Both units hear the flood and accept advertisements from their peer only. Every packet claims priority 254,
so one that is believed changes a role. It stands under one reason for each unit; their sum is what was sent.
Two reasons of the ladder cannot come: `owner` (no unit has priority 255) and `linklocal` (IPv6 is not heard).
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from board.lab.demo import GROUP_ID, VIRTUAL_IP
from board.lab.network import UNITS
from board.lab.pair import Lab
from board.lab.probe import Probe

from counts import SOAK, count
from labtools import counters, make_lab, qx, wait_for
from pairs import ready
from unit.packets import REASONS, checksum, packet
from wire.conftest import service_of
from wire.sender import flood, frame, port_of_the_pc

STRANGER = "10.77.0.66"
A = str(VIRTUAL_IP["a"].ip)
Start = Callable[..., str]
NEVER = {2: {"owner", "linklocal", "count_zero", "interval_zero"},
         3: {"owner", "linklocal", "auth_invalid", "auth_mismatch", "addr_list", "adver_int"}}  # fmt: skip
REFUSED = {*REASONS} - {"accepted"} | {"foreign"}


def _resum(data: bytes) -> bytes:
    """With a right sum in the IP header."""
    length = 4 * (data[0] & 15)
    header = data[:10] + b"\0\0" + data[12:length]
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + data[length:]


def malformed(version: int, service: str) -> dict[str, tuple[str, str, bytes]]:
    """Name to: the reason on unit a, the reason on unit b, the packet. Right in all but one thing."""
    interval = 1 if version == 2 else 100
    common: dict[str, Any] = {
        "version": version,
        "vrid": GROUP_ID,
        "priority": 254,
        "interval": interval,
        "addresses": [service],
        "source": STRANGER,
    }

    def made(**wrong: Any) -> bytes:
        return packet(**(common | wrong))

    right = made()
    one_reason = {
        "ip_header": right[:10] + bytes([right[10] ^ 0x55]) + right[11:],
        "not_vrrp": made(protocol=17),
        "fragment": made(fragment=0x2000),
        "dst": made(destination="224.0.0.19"),
        "ttl": made(ttl=254),
        "short": made(keep=7),
        "version": made(version=5 - version, interval=interval),
        "type": made(kind=2),
        "vrid": made(vrid=GROUP_ID + 1),
        "length": made(trailing=b"\0\0\0\0"),
        "checksum": made(checksum_xor=0x5555),
    }
    if version == 2:
        one_reason |= {
            "auth_invalid": made(auth=3),
            "auth_mismatch": made(auth=1),
            "addr_list": made(addresses=["10.77.0.99"]),
            "adver_int": made(interval=2),
        }
    else:
        one_reason |= {"count_zero": made(addresses=[]), "interval_zero": made(interval=0)}
    found = {name: (name, name, data) for name, data in one_reason.items()}
    found["header of 4 words"] = ("ip_header", "ip_header", _resum(b"\x44" + right[1:]))
    found["total length of 100"] = ("ip_header", "ip_header", _resum(right[:2] + b"\x00\x64" + right[4:]))
    found["last fragment"] = ("fragment", "fragment", made(fragment=2))
    found["version of a future"] = ("version", "version", made(version=15, interval=interval))
    found["our own source"] = ("own_source", "short", made(source=A, keep=7))
    found["a right one of a stranger"] = ("foreign", "foreign", right)
    assert {reason for on_a, on_b, _ in found.values() for reason in (on_a, on_b)} | NEVER[version] == REFUSED
    return found


def a_switch_is_no_firewall(lab: Lab) -> None:
    """Where this machine has br_netfilter, its bridges judge IP headers and put fragments together."""
    for name in ("iptables", "ip6tables", "arptables"):
        lab.exec("sw", ["sysctl", "-qw", f"net.bridge.bridge-nf-call-{name}=0"])  # fails where there is none


def accept_from(lab: Lab, whom: str) -> None:
    """On the Master: the Backup follows."""
    done = lab.qx(ready(lab), "set", "--json", f"redundancy.accept_from={whom}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["durable"] == "both"


def cpu_seconds(lab: Lab, unit: str) -> float:
    """CPU time of the engine's thread, to the nanosecond."""
    pid = lab.units[unit].daemon_pid()
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == "qx-engine":
            return int((task / "schedstat").read_text().split()[0]) / 1e9
    raise AssertionError("no thread qx-engine")


@pytest.mark.parametrize(("version", "plan"), [(3, "same"), (2, "other")])
def test_a_flood_changes_nothing(
    lab: Lab, start: Start, plan: str, version: int, record_figures: Callable[..., None]
) -> None:
    """R3, R9: no role change, each packet counted under its reason, the service address answers."""
    number = count(100_000, 1_000_000)
    service = service_of(plan)
    start(plan=plan, version=version, interval="1")
    accept_from(lab, "peer")
    kinds = malformed(version, service)
    frames = [frame(data) for _, _, data in kinds.values()]
    before = {unit: (qx(lab, unit)["role"], counters(lab, unit), cpu_seconds(lab, unit)) for unit in UNITS}
    a_switch_is_no_firewall(lab)
    with Probe(lab.network.name("pc"), service) as probe, port_of_the_pc(lab) as sock:
        wait_for(probe.replies, 5, "the service address answers")
        began = time.monotonic()
        sent, seconds = flood(sock, frames, number)
        time.sleep(1.5)
        silence = probe.longest_silence(began)
    expected = {unit: Counter[str]() for unit in UNITS}
    for amount, (on_a, on_b, _) in zip(sent, kinds.values(), strict=True):
        expected["a"][on_a] += amount
        expected["b"][on_b] += amount
    for unit in UNITS:
        role, earlier, _ = before[unit]
        now = counters(lab, unit)
        counted = {name: now[name] - earlier[name] for name in expected[unit]}
        assert now["overruns"] == 0
        assert counted == dict(expected[unit])
        assert sum(counted.values()) == number
        assert qx(lab, unit)["role"] == role
        changes = ("become_master", "release_master", "prio_zero_sent", "late")
        assert {name: now[name] - earlier[name] for name in changes} == dict.fromkeys(changes, 0)
    cpu = {unit: cpu_seconds(lab, unit) - before[unit][2] for unit in UNITS}
    record_figures(rate_per_s=round(number / seconds), silence_ms=silence, cpu_s=cpu)
    print(f"{number / seconds:,.0f} packets/s, silence {silence:.1f} ms, engine {cpu}")
    assert silence < 500
    assert max(cpu.values()) < 1e-4 * number, "less than 0.1 ms a packet"


@pytest.mark.parametrize(
    ("plan", "virtual"), [("other", True), ("same", False)] + [("same", True), ("other", False)] * SOAK
)
def test_fragments_and_vlans(lab: Lab, start: Start, plan: str, virtual: bool) -> None:
    """R3: no fragment is put together behind our back (a macvlan does that), and another VLAN is not ours."""
    start(plan=plan, version=2, interval="1", virtual_mac=virtual)
    accept_from(lab, "auto")
    a_switch_is_no_firewall(lab)
    before = {unit: (qx(lab, unit)["role"], counters(lab, unit)) for unit in UNITS}
    whole = packet(vrid=GROUP_ID, priority=254, addresses=[service_of(plan)], source=STRANGER)
    head, message = whole[:20], whole[20:]
    first = head[:2] + (28).to_bytes(2, "big") + b"\x12\x34\x20\x00" + head[8:] + message[:8]
    last = head[:2] + (12 + len(message)).to_bytes(2, "big") + b"\x12\x34\x00\x01" + head[8:] + message[8:]
    tagged = frame(whole)[:12] + b"\x81\x00\x00\x05" + frame(whole)[12:]
    with port_of_the_pc(lab) as sock:
        for _ in range(10):
            for data in (frame(_resum(first)), frame(_resum(last)), tagged):
                sock.send(data)
    time.sleep(0.5)
    for unit in UNITS:
        role, earlier = before[unit]
        now = counters(lab, unit)
        assert now["fragment"] - earlier["fragment"] == 20
        assert now["foreign"] == earlier["foreign"], "none of them was read as an advertisement"
        assert now["overruns"] == 0
        assert qx(lab, unit)["role"] == role


# ── keepalived under the same flood ──


def _keepalived(lab: Lab, unit: str, service: str, folder: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """A Master or Backup with virtual MAC; its process, and the file with its VRRP process's id."""
    folder.mkdir()
    lab.power_on(unit, bare=True)
    lab.exec(unit, ["ip", "address", "add", str(VIRTUAL_IP[unit]), "dev", "lan"]).check_returncode()
    (folder / "keepalived.conf").write_text(
        f"vrrp_instance s {{\n state BACKUP\n nopreempt\n interface lan\n use_vmac\n priority 100\n"
        f" virtual_router_id {GROUP_ID}\n advert_int 1\n virtual_ipaddress {{\n {service}/24\n }}\n}}\n"
    )
    argv = ["keepalived", "-n", "-P", "-l", "-f", str(folder / "keepalived.conf")]
    argv += ["-p", str(folder / "parent.pid"), "-r", str(folder / "vrrp.pid")]
    log = (folder / "log").open("wb")
    with log:
        return subprocess.Popen(lab.exec_argv(unit, argv), stdout=log, stderr=log), folder / "vrrp.pid"


def _schedstat(file: Path) -> float:
    return int(Path(f"/proc/{file.read_text().strip()}/schedstat").read_text().split()[0]) / 1e9


@pytest.mark.skipif(not SOAK, reason="each `make bench` measures it")
def test_cpu_beside_keepalived(
    lab: Lab, start: Start, tmp_path: Path, record_figures: Callable[..., None]
) -> None:
    """R3: the same flood at both; ours costs at most a few times what keepalived's does."""
    number = count(100_000, 1_000_000)
    service = "10.77.0.100"
    frames = [frame(data) for _, _, data in malformed(2, service).values()]
    start(plan="same", version=2, interval="1")
    before = {unit: cpu_seconds(lab, unit) for unit in UNITS}
    a_switch_is_no_firewall(lab)
    with port_of_the_pc(lab) as sock:
        _, ours_took = flood(sock, frames, number)
        time.sleep(1)
    ours = {unit: cpu_seconds(lab, unit) - before[unit] for unit in UNITS}
    lab.down()
    with make_lab("wk", tmp_path) as other_lab:
        other_lab.up(bare=True, power=False)
        a_switch_is_no_firewall(other_lab)
        running = {unit: _keepalived(other_lab, unit, service, tmp_path / unit) for unit in UNITS}

        def settled() -> bool:
            shown = [other_lab.exec(unit, ["ip", "-4", "-o", "address"]).stdout for unit in UNITS]
            return sum(f" {service}/" in told for told in shown) == 1

        wait_for(settled, 15, "one keepalived is Master")
        time.sleep(1)
        before = {unit: _schedstat(file) for unit, (_, file) in running.items()}
        with port_of_the_pc(other_lab) as sock:
            _, theirs_took = flood(sock, frames, number)
            time.sleep(1)
        theirs = {unit: _schedstat(file) - before[unit] for unit, (_, file) in running.items()}
        for process, _ in running.values():
            process.terminate()
            process.wait(10)
    record_figures(ours_s=ours, theirs_s=theirs, ours_took_s=ours_took, theirs_took_s=theirs_took)
    print(f"{number} packets in {ours_took:.2f} and {theirs_took:.2f} s; engine {ours}, keepalived {theirs}")
    assert max(ours.values()) < 10 * max(theirs.values()) + 0.5
