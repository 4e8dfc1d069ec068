"""The demo's phones: SIPp on the PC, half of them calling the other half, over and over (`make run`).

They know the service address and nothing of units. What they saw is counted by SIPp itself: a call is kept
when it was set up, stayed up for its 20 s and was ended by its caller, and lost when anything of that failed.
"""

import csv
import subprocess
import threading
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING

from .demo import PHONES, sip_password

if TYPE_CHECKING:
    from .pair import Lab

_SCENARIOS = Path(__file__).parent / "scenarios"
_COUNTED = ("CurrentCall", "SuccessfulCall(C)", "FailedCall(C)")  # columns of SIPp's statistics
_REGISTER_MS = 60_000  # all phones register within it, and again


class Phones:
    """`start()`, then `line()` as often as wanted, then `stop()`."""

    def __init__(self, lab: "Lab") -> None:
        self._lab = lab
        self._folder = lab.folder / "phones"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._beginning: threading.Thread | None = None
        self._ended = threading.Event()

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.glob("*.csv"):
            old.unlink()
        half = len(PHONES) // 2
        callers, callees = PHONES[:half], PHONES[half:]

        def row(number: int, more: object) -> str:
            return f"{number};[authentication username={number} password={sip_password(number)}];{more}"

        self._rows("caller-phones", [row(number, 5071) for number in callers])
        self._rows("callee-phones", [row(number, 5072) for number in callees])
        self._rows("calls", [row(a, b) for a, b in zip(callers, callees, strict=True)])
        self._ended.clear()
        self._beginning = threading.Thread(target=self._begin, daemon=True)
        self._beginning.start()

    def _begin(self) -> None:
        """Calls begin when every phone has registered: before that the PBX is rightly not there."""
        half = str(len(PHONES) // 2)
        for place, name in enumerate(("caller-phones", "callee-phones")):
            while self._sipp("register", 5073 + place, "-inf", name, "-m", half, "-timeout", "5s").wait():
                if self._ended.wait(0.5):
                    return
        for place, name in enumerate(("caller-phones", "callee-phones")):
            self._sipp("register", 5075 + place, "-inf", name, "-r", half, "-rp", str(_REGISTER_MS))
        self._sipp("callee", 5072)
        counted = ("-trace_stat", "-stf", "kept.csv", "-fd", "1")
        self._sipp("caller", 5071, "-inf", "calls", "-r", "1", "-l", half, *counted)

    def stop(self) -> None:
        self._ended.set()
        while self._processes or (self._beginning and self._beginning.is_alive()):
            while self._processes:
                process = self._processes.pop()
                process.kill()
                process.wait()
            if self._beginning:
                self._beginning.join(0.05)

    def line(self) -> str:
        """What the phones see, for the view."""
        try:
            with (self._folder / "kept.csv").open(newline="") as file:
                last = list(csv.DictReader(file, delimiter=";"))[-1]
            up, kept, lost = (
                int(last[name]) for name in ("CurrentCall", "SuccessfulCall(C)", "FailedCall(C)")
            )
        except (FileNotFoundError, IndexError, KeyError, ValueError, TypeError):
            return f"{len(PHONES)} phones: no calls yet"
        return f"{len(PHONES)} phones: {up} calls up, {kept} kept to their end, {lost} lost"

    def _rows(self, name: str, rows: list[str]) -> None:
        (self._folder / name).write_text("SEQUENTIAL\n" + "".join(f"{row}\n" for row in rows))

    def _sipp(self, scenario: str, port: int, *options: str) -> subprocess.Popen[bytes]:
        service = IPv4Interface(self._lab.service_addresses()[0])
        own = "10.77.0.50" if service.ip in IPv4Interface("10.77.0.50/24").network else "172.30.0.50"
        argv = [
            "sipp", f"{service.ip}:5060", "-sf", str(_SCENARIOS / f"{scenario}.xml"), "-i", own,
            "-p", str(port), "-nostdin", *options,
        ]  # fmt: skip
        process = subprocess.Popen(
            self._lab.exec_argv("pc", argv), cwd=self._folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._processes.append(process)
        return process
