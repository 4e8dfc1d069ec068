"""The lab's network behaves as cables, switches and power cords do. What tests of R4, R9 and R10 stand on."""

import json
import os
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from board.lab import namespace
from board.lab.demo import Demo
from board.lab.network import UNITS
from board.lab.pair import Lab, namespaces_left

A, B, PC = "10.77.0.1", "10.77.0.2", "10.77.0.50"
VRRP_GROUP = "224.0.0.18"


def give_address(lab: Lab, unit: str, address: str, segment: str = "lan") -> None:
    """What the firmware would do."""
    lab.exec(unit, ["ip", "address", "add", address, "dev", segment]).check_returncode()


def reaches(lab: Lab, host: str, address: str) -> bool:
    """One echo request, with the neighbour asked for anew, so that broadcast ARP is part of the answer."""
    lab.exec(host, ["ip", "neighbour", "flush", "all"])
    return lab.exec(host, ["ping", "-n", "-c", "1", "-W", "0.3", address]).returncode == 0


def hears(lab: Lab, sender: str, receiver: str) -> bool:
    """Whether a packet of protocol 112 to 224.0.0.18 crosses the LAN, without a route or firmware."""
    with (
        namespace.socket_in(lab.network.name(sender), socket.AF_INET, socket.SOCK_RAW, 112) as out,
        namespace.socket_in(lab.network.name(receiver), socket.AF_INET, socket.SOCK_RAW, 112) as into,
    ):
        lan = int(lab.exec(receiver, ["cat", "/sys/class/net/lan/ifindex"]).stdout)
        into.setsockopt(
            socket.IPPROTO_IP,
            socket.IP_ADD_MEMBERSHIP,
            struct.pack("4s4si", socket.inet_aton(VRRP_GROUP), bytes(4), lan),
        )
        into.settimeout(0.2)
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", bytes(4), bytes(4), 2))
        for _ in range(3):
            out.sendto(b"lab", (VRRP_GROUP, 0))
        try:
            return into.recv(100).endswith(b"lab")
        except TimeoutError:
            return False


def links(lab: Lab, unit: str) -> dict[str, bool]:
    return lab.status(unit)["link"]


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/ns/net").exists()


def sleeper(lab: Lab, host: str) -> subprocess.Popen[bytes]:
    """A process on the host that ignores what can be ignored."""
    stubborn = "trap '' TERM HUP INT; sleep 60 & wait; sleep 60"
    process = subprocess.Popen(lab.exec_argv(host, ["sh", "-c", stubborn]))
    deadline = time.monotonic() + 5
    while len(namespace.processes(lab.network.name(host))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return process


# ── topology ──


def test_units_and_pc_share_the_lan_and_the_wan(bare_lab: Lab) -> None:
    give_address(bare_lab, "a", "203.0.113.10/24", "wan")
    assert all(reaches(bare_lab, *pair) for pair in (("a", B), ("b", A), ("pc", A), ("pc", B), ("a", PC)))
    assert reaches(bare_lab, "a", "203.0.113.1")
    assert all(hears(bare_lab, *pair) for pair in (("a", "b"), ("b", "a"), ("a", "pc")))


def test_a_model_without_wan_port_has_no_wan_interface(tmp_path: Path) -> None:
    with Lab(f"n{os.getpid()}", tmp_path) as lab:
        lab.up(Demo(model="qx2000"), bare=True)
        assert links(lab, "a") == {"lan": True}
        assert set(lab.status("a")["addresses"]) == {"lan"}


def test_the_pc_has_an_address_in_the_service_addresses_subnet(tmp_path: Path) -> None:
    with Lab(f"n{os.getpid()}", tmp_path) as lab:
        lab.up(Demo(plan="other"), bare=True)
        give_address(lab, "b", "172.30.0.1/24")
        assert reaches(lab, "pc", "172.30.0.1")
        assert lab.status("b")["service_addresses"] == {"172.30.0.1/24": "lan"}
        assert lab.status("a")["service_addresses"] == {}


def test_up_cleans_up_after_a_lab_that_was_not_taken_down(bare_lab: Lab) -> None:
    left = sleeper(bare_lab, "a")
    subprocess.run(["ip", "-n", bare_lab.network.name("sw"), "link", "delete", "lan-b"], check=True)
    bare_lab.up(bare=True)
    assert left.wait(5) == -9
    assert links(bare_lab, "b") == {"lan": True, "wan": True}


def test_down_ends_its_own_processes_only_and_may_be_repeated(tmp_path: Path) -> None:
    with Lab(f"m{os.getpid()}", tmp_path / "m") as other, Lab(f"n{os.getpid()}", tmp_path / "n") as lab:
        other.up(bare=True)
        lab.up(bare=True)
        theirs, ours = sleeper(other, "a"), sleeper(lab, "pc")
        lab.down()
        lab.down()
        assert ours.wait(5) == -9 and theirs.poll() is None
        assert namespaces_left(lab.prefix) == [] and len(namespaces_left(other.prefix)) == 4
    assert theirs.wait(5) == -9


# ── power ──


def test_a_power_cut_takes_every_process_and_the_links_at_once(bare_lab: Lab) -> None:
    process = sleeper(bare_lab, "a")
    inside = namespace.processes(bare_lab.network.name("a"))
    assert len(inside) >= 2
    bare_lab.power_off("a")
    assert process.wait(5) == -9
    assert not any(alive(pid) for pid in inside)
    assert bare_lab.status("a")["powered"] is False
    assert "lan-a" not in bare_lab.exec("sw", ["ip", "-br", "link"]).stdout
    assert bare_lab.power_off("a") is None  # off already


def test_a_power_cut_sends_no_goodbye(bare_lab: Lab) -> None:
    """A TCP connection of a killed process is closed by its kernel; of a unit without power it is not."""
    name = bare_lab.network.name("pc")
    with namespace.socket_in(name, socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((PC, 5000))
        listener.listen()
        client = subprocess.Popen(
            bare_lab.exec_argv(
                "a",
                [
                    sys.executable,
                    "-c",
                    f"import socket, time; s = socket.create_connection(('{PC}', 5000)); time.sleep(60)",
                ],
            )
        )
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(0.5)
            bare_lab.power_off("a")
            assert client.wait(5) == -9
            try:
                heard = connection.recv(1)
            except TimeoutError:
                return
            raise AssertionError(f"the unit said goodbye: {heard!r}")


def test_a_cold_boot_brings_the_same_macs_and_nothing_else(bare_lab: Lab) -> None:
    def macs() -> dict[str, str]:
        shown = json.loads(bare_lab.exec("a", ["ip", "-json", "link"]).stdout)
        return {link["ifname"]: link["address"] for link in shown}

    before = macs()
    assert len(set(before.values())) == 3
    bare_lab.power_off("a")
    bare_lab.power_on("a", bare=True)
    bare_lab.power_on("a", bare=True)  # on already
    assert macs() == before
    assert bare_lab.status("a")["addresses"] == {"lan": [], "wan": []}
    give_address(bare_lab, "a", f"{A}/24")
    assert reaches(bare_lab, "b", A)


# ── cables ──


def test_a_cut_cable_loses_the_carrier_of_that_port_only(bare_lab: Lab) -> None:
    bare_lab.cut("a")
    assert links(bare_lab, "a") == {"lan": False, "wan": True}
    assert not reaches(bare_lab, "pc", A) and reaches(bare_lab, "pc", B)
    bare_lab.cut("a", "wan")
    assert links(bare_lab, "a") == {"lan": False, "wan": False}
    bare_lab.mend("a")
    assert links(bare_lab, "a") == {"lan": True, "wan": False}
    assert reaches(bare_lab, "pc", A)
    bare_lab.mend("a", "wan")
    assert links(bare_lab, "a") == {"lan": True, "wan": True}


def test_the_unit_is_told_of_a_lost_carrier_at_once(bare_lab: Lab) -> None:
    """The kernel may hold this news back for a second; see Network._link."""
    argv = bare_lab.exec_argv("a", ["ip", "-o", "monitor", "link"])
    monitor = subprocess.Popen(argv, stdout=subprocess.PIPE)
    try:
        assert monitor.stdout
        time.sleep(0.2)
        for change, word in ((bare_lab.cut, b"NO-CARRIER"), (bare_lab.mend, b"LOWER_UP")):
            started = time.monotonic()
            change("a")
            while word not in monitor.stdout.readline():
                pass
            assert time.monotonic() - started < 0.3
    finally:
        monitor.kill()
        monitor.wait()


def test_a_unit_boots_into_the_faults_that_are_there(bare_lab: Lab) -> None:
    bare_lab.power_off("a")
    bare_lab.cut("a", "wan")
    bare_lab.split("b")
    bare_lab.power_on("a", bare=True)
    give_address(bare_lab, "a", f"{A}/24")
    assert links(bare_lab, "a") == {"lan": True, "wan": False}
    assert not reaches(bare_lab, "a", B)
    bare_lab.heal()
    assert reaches(bare_lab, "a", B)


# ── splits ──


def test_a_split_parts_the_units_with_carrier_up_and_heals(bare_lab: Lab) -> None:
    for pc, reached in (("both", {A, B}), ("a", {A}), ("b", {B}), ("both", {A, B})):
        bare_lab.split(pc)
        bare_lab.split(pc)
        assert {address for address in (A, B) if reaches(bare_lab, "pc", address)} == reached, pc
        assert not reaches(bare_lab, "a", B)
        assert not hears(bare_lab, "a", "b") and not hears(bare_lab, "b", "a")
        assert all(links(bare_lab, unit)["lan"] for unit in UNITS)
    bare_lab.heal()
    bare_lab.heal()
    assert reaches(bare_lab, "a", B) and reaches(bare_lab, "pc", A) and hears(bare_lab, "b", "a")


def test_a_split_reaches_the_wan_only_when_asked(bare_lab: Lab) -> None:
    for number, unit in enumerate(UNITS, 10):
        give_address(bare_lab, unit, f"203.0.113.{number}/24", "wan")
    bare_lab.split()
    assert reaches(bare_lab, "a", "203.0.113.11")
    bare_lab.split(wan=True)
    assert not reaches(bare_lab, "a", "203.0.113.11") and reaches(bare_lab, "pc", "203.0.113.11")
    bare_lab.heal()
    assert reaches(bare_lab, "a", "203.0.113.11")


# ── mute ──


def test_a_muted_unit_loses_its_multicast_and_nothing_else(bare_lab: Lab) -> None:
    assert hears(bare_lab, "a", "b")
    bare_lab.mute("a")
    bare_lab.mute("a")
    assert not hears(bare_lab, "a", "b") and not hears(bare_lab, "a", "pc")
    assert hears(bare_lab, "b", "a")
    assert reaches(bare_lab, "a", B) and reaches(bare_lab, "b", A)  # ARP, which is broadcast, and unicast
    bare_lab.mend("a")
    bare_lab.mend("a")
    assert hears(bare_lab, "a", "b")


def test_a_muted_unit_stays_muted_over_a_power_cut(bare_lab: Lab) -> None:
    bare_lab.mute("b")
    bare_lab.power_off("b")
    bare_lab.power_on("b", bare=True)
    give_address(bare_lab, "b", f"{B}/24")
    assert not hears(bare_lab, "b", "a") and reaches(bare_lab, "b", A)
