# SPDX-License-Identifier: Apache-2.0
"""Applications reach the network with the service addresses as their source, and routes and DNS move. R6.

A phone, a trunk and a mail server answer to the address that asked them: an application that binds to nothing
must leave with the service address, or the answer goes to one unit instead of the pair.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_interface
from pathlib import Path

import pytest
from board.lab import namespace
from board.lab.demo import GATEWAY, WAN
from board.lab.pair import Lab

from labtools import becomes, other, role, wait_for
from wire.conftest import Shape, service_of

OUTSIDE = "198.51.100.7"  # behind the provider's router
DNS = "198.51.100.53"
PORT = 5060
Start = Callable[..., str]


def _serve_tcp(sock: socket.socket, seen: list[str]) -> None:
    while True:
        try:
            connection, sender = sock.accept()
        except OSError:
            return  # shut down: the test is over
        with connection:
            seen.append(sender[0])
            connection.sendall(sender[0].encode())


def _serve_udp(sock: socket.socket, seen: list[str]) -> None:
    while True:
        data, sender = sock.recvfrom(100)
        if not data:
            return
        seen.append(sender[0])
        sock.sendto(sender[0].encode(), sender)


def up(start: Start, shape: Shape) -> str:
    """The pair, one for all tests of a shape; the Master's name. At 1 s a Master survives a flapping port."""
    return start(plan=shape.plan, virtual_mac=shape.virtual, version=3, interval="1", dns=DNS)


@contextmanager
def answering(lab: Lab, addresses: Sequence[str]) -> Iterator[list[str]]:
    """TCP and UDP servers on addresses of the PC: each tells the sender its address; those seen, in order."""
    seen: list[str] = []
    name = lab.network.name("pc")
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []
    for address in addresses:
        for kind, serve in ((socket.SOCK_STREAM, _serve_tcp), (socket.SOCK_DGRAM, _serve_udp)):
            sock = namespace.socket_in(name, socket.AF_INET, kind)
            sock.bind((address, PORT))
            if kind == socket.SOCK_STREAM:
                sock.listen()
            sockets.append(sock)
            threads.append(threading.Thread(target=serve, args=(sock, seen)))
            threads[-1].start()
    try:
        yield seen
    finally:
        for sock in sockets:
            with suppress(OSError):  # a datagram socket is not connected, and wakes up all the same
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)
        for sock in sockets:
            sock.close()


def source_seen(lab: Lab, unit: str, target: str, kind: int) -> str:
    """What the server saw as the source of an application that binds to nothing."""
    with namespace.socket_in(lab.network.name(unit), socket.AF_INET, kind) as sock:
        sock.settimeout(3)
        sock.connect((target, PORT))
        if kind == socket.SOCK_DGRAM:
            sock.send(b"REGISTER")
        told = sock.recv(100).decode()
        assert told == sock.getsockname()[0]
        return told


def routes(lab: Lab, unit: str) -> dict[str, str]:
    """The main table: destination to device."""
    told = json.loads(lab.exec(unit, ["ip", "-json", "-4", "route"]).stdout)
    return {route["dst"]: route["dev"] for route in told}


def resolvers(lab: Lab, unit: str) -> list[str]:
    file: Path = lab.units[unit].root / "etc" / "resolv.conf"
    lines = file.read_text().splitlines() if file.exists() else []
    return [line.split()[1] for line in lines if line.startswith("nameserver")]


def serves(lab: Lab, master: str, service: str, neighbour: str, seen: list[str]) -> None:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        assert source_seen(lab, master, neighbour, kind) == service
        assert source_seen(lab, master, GATEWAY, kind) == str(WAN.ip)
        assert source_seen(lab, master, OUTSIDE, kind) == str(WAN.ip)
    assert set(seen) == {service, str(WAN.ip)}


def moved(lab: Lab, master: str) -> None:
    """Default route and DNS are the Master's; a Backup has the route through its Virtual IP's subnet only."""
    backup = other(master)
    assert "default" in routes(lab, master)
    wait_for(lambda: resolvers(lab, master) == [DNS], 1, "DNS is the Master's")
    if lab.network.powered(backup):
        assert "default" not in routes(lab, backup)
        # A Master that was swapped starts anew (R8), and asks for its Virtual IP first.
        wait_for(lambda: routes(lab, backup) == {"10.77.0.0/24": "lan"}, 10, "its Virtual IP's subnet alone")
        wait_for(lambda: resolvers(lab, backup) == [], 1, "the Backup has no DNS")


def test_applications_speak_as_the_service_address(lab: Lab, start: Start, shape: Shape) -> None:
    """R6: UDP and TCP, to the LAN, the provider's router and an outside host; after a takeover the same."""
    master, service = up(start, shape), service_of(shape.plan)
    neighbour = str(ip_interface(f"{service}/24").network.network_address + 50)  # the PC, in its subnet
    lab.exec("pc", ["ip", "address", "add", f"{OUTSIDE}/32", "dev", "lo"]).check_returncode()
    with answering(lab, (neighbour, GATEWAY, OUTSIDE)) as seen:
        serves(lab, master, service, neighbour, seen)
        moved(lab, master)
        lab.power_off(master)
        becomes(lab, other(master), "master", 10)
        serves(lab, other(master), service, neighbour, seen)
        moved(lab, other(master))


def test_routes_and_dns_move_in_one_step(lab: Lab, start: Start, shape: Shape) -> None:
    """R6: at a swap the former Master loses default route and DNS with its addresses to the new one."""
    former = up(start, shape)
    moved(lab, former)
    assert lab.qx(former, "swap", timeout=20).returncode == 0
    becomes(lab, other(former), "master", 10)
    becomes(lab, former, "backup", 10)
    moved(lab, other(former))


@pytest.mark.parametrize("segment", ["lan", "wan"])
@pytest.mark.parametrize("lost", ["cable", "port"])
def test_routes_come_back_with_the_link(
    lab: Lab, start: Start, shape: Shape, segment: str, lost: str
) -> None:
    """R9: a Master that stays Master over a flap has its routes again. The kernel keeps them when a cable is
    pulled, and drops them (not the addresses) with a port that is taken down."""
    master = up(start, shape)
    before = routes(lab, master)
    if lost == "cable":
        lab.cut(master, segment)
        time.sleep(0.5)
        lab.mend(master, segment)
    else:
        for state in ("down", "up"):
            lab.exec(master, ["ip", "link", "set", segment, state]).check_returncode()
            time.sleep(0.3)
    wait_for(lambda: routes(lab, master) == before, 3, f"the routes are again {before}")
    assert lab.status(master)["service_addresses"]
    assert role(lab, master) == "master"
