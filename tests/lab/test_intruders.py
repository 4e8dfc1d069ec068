# SPDX-License-Identifier: Apache-2.0
"""A third host on the LAN at the ports of the pair: refused, counted, told once, and the pair does not notice
(R9, R17)."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from board.lab import namespace
from board.lab.network import UNITS
from board.lab.pair import Lab

from labtools import PC, qx, role, wait_for
from pairs import QUICK, events, get, in_step, pair, put, ready
from qx import ports
from qx.trust.certificate import own_certificate
from qx.trust.tls import pairing_context

PEER = "10.77.0.2"  # the unit that calls
LISTENER = "10.77.0.1"  # the one of the lower address listens
HUGE = struct.pack(">I", 2 << 30) * 64
MANY = 60


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("in", tmp_path_factory.mktemp("intruders"), QUICK) as lab:
        in_step(lab)
        yield lab


def connected(lab: Lab, port: int, source: str = PC) -> socket.socket:
    """A connection of the PC to the unit that listens."""
    made = namespace.socket_in(lab.network.name("pc"), socket.AF_INET, socket.SOCK_STREAM)
    made.settimeout(5.0)
    made.bind((source, 0))
    made.connect((LISTENER, port))
    return made


def refusals(lab: Lab) -> int:
    return qx(lab, "a")["peer"]["session"]["counters"]["refused"]


def told(lab: Lab) -> int:
    return sum(one["name"] == "Connection refused" for one in events(lab, "a"))


def closed(connection: socket.socket) -> bool:
    """The unit ends it and has said nothing that would tell anything."""
    with suppress(ConnectionResetError, BrokenPipeError):
        return connection.recv(1) == b""
    return True


def speak(connection: socket.socket, octets: bytes) -> bool:
    with suppress(ConnectionResetError, BrokenPipeError):
        connection.sendall(octets)
    return closed(connection)


def speak_to_the_end(connection: socket.socket, octets: bytes) -> None:
    """Says it and reads until the unit ends it: an alert of TLS may be said before."""
    with suppress(ConnectionResetError, BrokenPipeError):
        connection.sendall(octets)
        while connection.recv(4096):
            pass


def undisturbed(lab: Lab, master: str, sessions: int) -> None:
    assert ready(lab) == master
    in_step(lab)
    assert qx(lab, "a")["peer"]["session"]["counters"]["sessions"] == sessions
    assert put(lab, master, f"extensions.101.name=N{refusals(lab)}")["durable"] == "both"


@pytest.mark.parametrize("port", [ports.SESSION, ports.PAIRING])
def test_a_third_host_is_refused_by_its_address(guarded: Lab, tmp_path: Path, port: int) -> None:
    """R17: with no certificate, one of its own, garbage, a length of 2 GB; counted each time, told once."""
    master = ready(guarded)
    sessions = qx(guarded, "a")["peer"]["session"]["counters"]["sessions"]
    before = refusals(guarded)
    with connected(guarded, port) as plain:
        assert closed(plain)
    for octets in (b"GET / HTTP/1.0\r\n\r\n", HUGE, bytes(range(256)) * 256):
        with connected(guarded, port) as plain:
            assert speak(plain, octets)
    own = pairing_context(own_certificate(tmp_path / "trust", "QX200-000099"), False)
    for context in (ssl._create_unverified_context(), own):
        with connected(guarded, port) as plain, pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(plain)
    wait_for(lambda: refusals(guarded) == before + 6, 3.0, "all are counted")
    assert told(guarded) == 1, events(guarded, "a")
    undisturbed(guarded, master, sessions)


def test_many_connections_leave_the_pair_alone(guarded: Lab) -> None:
    """R9, R17: held open or not, they are refused at once, and it is still told once."""
    master = ready(guarded)
    sessions = qx(guarded, "a")["peer"]["session"]["counters"]["sessions"]
    before = refusals(guarded)
    made = [connected(guarded, (ports.SESSION, ports.PAIRING)[n % 2]) for n in range(MANY)]
    try:
        wait_for(lambda: refusals(guarded) == before + MANY, 5.0, "all are counted")
        assert told(guarded) == 1
        undisturbed(guarded, master, sessions)
    finally:
        for connection in made:
            connection.close()


def test_whoever_has_the_peers_address_is_refused_for_want_of_keys(guarded: Lab, tmp_path: Path) -> None:
    """R17: the Backup is off and the third host takes its Virtual IP Address: no certificate, another one,
    garbage, a length of 2 GB, connections that say nothing. Nothing is acted on, and the pair comes back."""
    master = ready(guarded)
    if master != "a":
        guarded.qx("b", "swap", timeout=60).check_returncode()
        assert ready(guarded) == "a"
    guarded.power_off("b")
    wait_for(lambda: not qx(guarded, "a")["peer"]["session"]["up"], 6.0, "the session is over")
    guarded.exec("pc", ["ip", "address", "add", f"{PEER}/32", "dev", "lan"]).check_returncode()
    guarded.exec("a", ["ip", "neighbour", "flush", "all"]).check_returncode()
    before = refusals(guarded)
    try:
        own = pairing_context(own_certificate(tmp_path / "trust", "QX200-000002"), False)
        tries = 0
        for port in (ports.SESSION, ports.PAIRING):
            for octets in (b"GET / HTTP/1.0\r\n\r\n", HUGE):
                with connected(guarded, port, PEER) as plain:
                    speak_to_the_end(plain, octets)
                tries += 1
            for context in (ssl._create_unverified_context(), own):
                with suppress(OSError), context.wrap_socket(connected(guarded, port, PEER)) as secured:
                    speak_to_the_end(secured, HUGE)
                tries += 1
        wait_for(lambda: refusals(guarded) >= before + tries, 5.0, f"{tries} refusals")
        silent = [connected(guarded, ports.SESSION, PEER) for _ in range(MANY)]
        wait_for(lambda: refusals(guarded) >= before + tries + MANY, 8.0, "the silent ones as well")
        for connection in silent:
            connection.close()
        found = [one for one in events(guarded, "a") if one["name"] == "Connection refused"]
        texts = [one["description"] for one in found if one["description"].startswith(PEER)]
        assert texts and len(texts) == len(set(texts)), texts
        assert role(guarded, "a") == "master" and not qx(guarded, "a")["mismatches"]
    finally:
        guarded.exec("pc", ["ip", "address", "del", f"{PEER}/32", "dev", "lan"])
    guarded.power_on("b")
    assert ready(guarded) == "a"
    in_step(guarded)
    assert {get(guarded, unit, "redundancy.group_id") for unit in UNITS} == {"18"}
