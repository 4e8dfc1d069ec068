# SPDX-License-Identifier: Apache-2.0
"""The LAN of the emulated pair as a campaign breaks it: frames on ports of its switch; no emulator."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from itertools import permutations
from pathlib import Path

import pytest
from board.virt.switch import framed, frames
from board.virt.vm import LAN, UNITS, Pair

from labtools import wait_for

from . import plan
from .kinds import VM
from .rack import Mend
from .vm_answers import MAC, Answers
from .vm_faults import VRRP_MAC, begin

ADDRESS = IPv4Interface(LAN).ip.packed


@dataclass
class Port:
    """What a unit's emulator is to the switch."""

    line: socket.socket
    mac: bytes
    waiting: bytearray = field(default_factory=bytearray)

    def say(self, to: bytes, words: bytes) -> None:
        self.line.sendall(framed(to + self.mac + b"\x88\xb5" + words))

    def answer(self) -> None:
        """That it has the service address."""
        about = b"\x00\x01\x08\x00\x06\x04\x00\x02" + self.mac + ADDRESS + MAC + bytes(4)
        self.line.sendall(framed(MAC + self.mac + b"\x08\x06" + about))

    def listen(self, seconds: float = 0.3) -> set[bytes]:
        """What is said within that time."""
        said: set[bytes] = set()
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.line.settimeout(left)
            with suppress(TimeoutError):
                self.waiting += self.line.recv(4096)
            said |= {frame[14:] for frame in frames(self.waiting)}
        return said


@dataclass
class Place:
    pair: Pair
    ports: dict[str, Port]  # by unit, and `pc`
    watch: Answers

    def broken(self, kind: str, option: str = "") -> Mend:
        """Of unit a's line."""
        step = plan.Step(1, VM[kind], "master", option, 1.0, 0.0, 0)
        return begin(self.pair, self.watch.ports, step, ["a"])

    def crossing(self, to: bytes = b"\xff" * 6) -> set[str]:
        """Who hears whom, as `a b` where b hears a."""
        for name, port in self.ports.items():
            port.say(to, name.encode())
        said = {name: port.listen() for name, port in self.ports.items()}
        return {f"{one} {two}" for one, two in permutations(self.ports, 2) if one.encode() in said[two]}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Pair(tmp_path) as pair, ExitStack() as stack:
        assert pair.lan
        ports: dict[str, Port] = {}
        macs = {name: who.macs[0] for name, who in UNITS.items()} | {"pc": "02:51:58:00:ff:02"}
        for name, mac in macs.items():
            line = stack.enter_context(socket.socket(socket.AF_UNIX))
            line.connect(str(pair.lan.path))
            ports[name] = Port(line, bytes.fromhex(mac.replace(":", "")))
        watch = stack.enter_context(Answers(pair))
        for port in ports.values():
            port.say(b"\xff" * 6, b"here")
        wait_for(lambda: len(watch.ports) == 2, 5, "the ports of both units are known")
        yield Place(pair, ports, watch)


EVERY = {"a b", "b a", "a pc", "pc a", "b pc", "pc b"}


@pytest.mark.parametrize(
    ("kind", "option", "lost"),
    [
        ("split", "", {"a b", "b a"}),
        ("one way", "to", {"b a", "pc a"}),
        ("one way", "from", {"a b", "a pc"}),
        ("mute", "", set[str]()),
    ],
)
def test_what_does_not_cross(place: Place, kind: str, option: str, lost: set[str]) -> None:
    """R9, R10: of unit a; everything again when it is mended."""
    mend = place.broken(kind, option)
    assert place.crossing() == EVERY - lost
    if kind == "mute":
        assert place.crossing(VRRP_MAC) == EVERY - {"a b", "a pc"}
    mend()
    assert place.crossing() == place.crossing(VRRP_MAC) == EVERY


def test_a_line_that_loses(place: Place) -> None:
    """R9: some of unit a's frames, in both directions, and none between others."""
    mend = place.broken("loss")
    rule = place.pair.lan and place.pair.lan.passes
    assert rule
    a, b = sorted(place.watch.ports, key=lambda port: place.watch.ports[port])
    for source, to in ((a, b), (b, a)):
        assert 40 < sum(not rule(b"", source, to) for _ in range(1000)) < 200
    assert all(rule(b"", b, 0) for _ in range(1000))
    mend()


@pytest.mark.parametrize("units", [{"a"}, {"b"}, {"a", "b"}])
def test_who_answers(place: Place, units: set[str]) -> None:
    """R10: a unit is told by its port, whatever else is the same."""
    record = place.watch.record
    asked = len(record.asked)
    wait_for(lambda: len(record.asked) > asked, 5, "another question", 0.001)
    for unit in units:
        place.ports[unit].answer()
    wait_for(lambda: units in [one.by for one in record.asked[asked:]], 5, f"answers of {units}")


def test_a_unit_that_was_powered_on_anew(place: Place) -> None:
    """R10: it has another port, which is known by the first frame of its own."""
    place.ports["a"].line.close()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(place.pair.folder / "lan"))
        Port(line, place.ports["a"].mac).say(b"\xff" * 6, b"here")
        wait_for(lambda: [*place.watch.ports.values()].count("a") == 2, 5, "its new port is known")
