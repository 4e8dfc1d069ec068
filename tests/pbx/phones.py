# SPDX-License-Identifier: Apache-2.0
"""Phones on the PC of a lab: SIPp with the scenarios beside this file, and a prober of the service.

Each phone is a row of a CSV file for SIPp: an extension with its credentials. All phones of one SIPp have its
one port, as if behind one telephone adapter.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from board.lab import namespace

from background import Background
from labtools import wait_for
from pairs import Place, service

SCENARIOS = Path(__file__).parent / "scenarios"
ASKED = SCENARIOS / "phone-asked.xml"  # what those that call answer beside their calls
PC = "172.30.0.50"
AUDIO_SECONDS = 2
TOLD = "told"  # in place of a scenario's `hold`: until `tell` says so


def password(extension: int) -> str:
    return f"secret-{extension}"


def credentials(extension: int) -> str:
    return f"[authentication username={extension} password={password(extension)}]"


def calls_of(callers: range, callees: range) -> list[str]:
    """Rows of scenarios that call: who, with which credentials, whom."""
    return [f"{a};{credentials(a)};{b}" for a, b in zip(callers, callees, strict=True)]


def accounts(extensions: Iterable[int]) -> list[str]:
    """The settings of these extensions."""
    return [f"extensions.{number}.password={password(number)}" for number in extensions]


def phone(extension: int, vendor: str = "yealink") -> list[str]:
    """The settings of the phone of that extension."""
    under = f"phones.00:15:65:00:{extension // 100:02x}:{extension % 100:02x}"
    return [
        f"{under}.extension={extension}",
        f"{under}.vendor={vendor}",
        f"{under}.location=room {extension}",
    ]


@dataclass
class Outcome:
    code: int
    successful: int
    failed: int
    said: str


class Sipp:
    """A SIPp on the PC, which ends after `calls`. `rows` are its CSV file's, `keys` fill in the scenario."""

    def __init__(
        self, lab: Place, scenario: str, port: int, calls: int, *, rows: Iterable[str] = (), rate: int = 100,
        media: int = 0, timeout: int = 90, address: str = PC, more: Iterable[str] = (), **keys: object,
    ) -> None:  # fmt: skip
        self._folder = lab.folder / f"sipp-{scenario}-{port}-{time.monotonic_ns()}"
        self._folder.mkdir()
        self._calls, self._timeout = calls, timeout
        argv = [
            "sipp", f"{service(lab)}:5060", "-sf", "scenario.xml", "-i", address,
            "-p", str(port), "-m", str(calls), "-r", str(rate), "-nostdin", "-trace_err", "-trace_screen",
            "-timeout", f"{timeout}s", "-timeout_error", "-default_behaviors", "-bye", *more,
        ]  # fmt: skip
        if rows:
            file = self._folder / "phones.csv"
            file.write_text("SEQUENTIAL\n" + "".join(f"{row}\n" for row in rows))
            argv += ["-inf", str(file)]
        if media:
            audio = self._folder / "audio.raw"
            audio.write_bytes(b"\xd5" * 8000 * AUDIO_SECONDS)  # silence in G.711 A-law
            argv += ["-mi", address, "-mp", str(media)]
            keys["audio"] = audio
        text = (SCENARIOS / f"{scenario}.xml").read_text()
        if keys.get("hold") == TOLD:
            text = text.replace('<pause milliseconds="[hold]"/>', '<recv request="MESSAGE"/>')
            argv += ["-l", str(calls)]  # SIPp's own limit is made of the rate and the pauses
        for name, value in keys.items():
            text = text.replace(f"[{name}]", str(value))  # SIPp's own -key does not reach pauses and files
        (self._folder / "scenario.xml").write_text(text)
        self._out = (self._folder / "out").open("w")
        self._process = subprocess.Popen(
            lab.exec_argv("pc", argv), cwd=self._folder, stdin=subprocess.DEVNULL, stdout=self._out,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def __enter__(self) -> Sipp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._out.close()

    def outcome(self) -> Outcome:
        """Waits until it has ended."""
        code = self._process.wait(self._timeout + 10)
        text = (self._folder / "out").read_text(errors="replace")
        errors = [file.read_text(errors="replace")[-3000:] for file in self._folder.glob("*_errors.log")]
        return Outcome(code, _total("Successful", text), _total("Failed", text), "".join(errors))

    def good(self) -> None:
        """Every call went as its scenario says."""
        found = self.outcome()
        assert (found.code, found.successful, found.failed) == (0, self._calls, 0), found


def tell(lab: Place, port: int, call: str) -> None:
    """To the SIPp at that port: the call with this Call-ID has waited long enough."""
    text = (
        f"MESSAGE sip:{PC}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {PC}:5099;branch=z9hG4bK{call}\r\n"
        f"From: <sip:test@{PC}>;tag=t\r\nTo: <sip:{PC}:{port}>\r\nCall-ID: {call}\r\n"
        "CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    with namespace.socket_in(lab.network.name("pc"), socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(text.encode(), (PC, port))


def _total(what: str, text: str) -> int:
    """A line of SIPp's last screen: `Successful call | in this period | in all`."""
    found = re.findall(rf"{what} call\s*\|\s*\d+\s*\|\s*(\d+)", text)
    return int(found[-1]) if found else -1


AGENT = "Yealink SIP-T46U 108.86"


def register(
    lab: Place, extensions: Iterable[int], port: int, contact: int | None = None, *, rate: int = 100,
    agent: str = AGENT, expires: int = 3600, address: str = PC,
) -> None:  # fmt: skip
    """These extensions register, with a contact at `contact` (or the SIPp's own port); `expires` 0: they give
    it up; the PBX grants `call.register_time` at most."""
    rows = [f"{number};{credentials(number)};{contact or port}" for number in extensions]
    with Sipp(lab, "register", port, len(rows), rows=rows, rate=rate, timeout=60, agent=agent,
              expires=expires, address=address) as sipp:  # fmt: skip
        sipp.good()


class Prober(Background):
    """OPTIONS to the service every 10 ms from the PC; notes when each was answered (CLOCK_MONOTONIC)."""

    def __init__(self, lab: Place, pause: float = 0.01, address: str = PC) -> None:
        super().__init__(self._ask, self._hear)
        self._there, self._pause = (service(lab), 5060), pause
        self._sock = namespace.socket_in(lab.network.name("pc"), socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((address, 0))
        self._sock.settimeout(pause)
        self.answered: list[float] = []
        self.refused: list[float] = []  # the kernel told of an ICMP unreachable

    def _close(self) -> None:
        self._sock.close()

    def _ask(self) -> None:
        port, number = self._sock.getsockname()[1], 0
        while not self._over.wait(self._pause):
            number += 1
            text = (
                f"OPTIONS sip:{self._there[0]} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {PC}:{port};branch=z9hG4bKp{number};rport\r\n"
                f"From: <sip:probe@{PC}>;tag=p\r\nTo: <sip:{self._there[0]}>\r\nCall-ID: p{number}@{PC}\r\n"
                f"CSeq: {number} OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            )
            try:
                self._sock.sendto(text.encode(), self._there)
            except OSError:
                self.refused.append(time.monotonic())

    def _hear(self) -> None:
        while not self._over.is_set():
            try:
                octets = self._sock.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                self.refused.append(time.monotonic())
                continue
            if octets.startswith(b"SIP/2.0 200"):
                self.answered.append(time.monotonic())

    def back_after(self, moment: float, seconds: float = 10.0) -> float:
        """CLOCK_MONOTONIC seconds of the first answer after the longest silence since that moment."""
        wait_for(
            lambda: self.answered and self.answered[-1] > moment + 0.2, seconds, "the service answers", 0.02
        )
        times = [at for at in (moment, *self.answered) if at >= moment]
        gaps = [(later - earlier, later) for earlier, later in pairwise(times)]
        return max(gaps)[1]
