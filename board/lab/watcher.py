"""What the live view knows and what its keys do: both units asked four times a second, the probe beside them.

Threads and the lab's operations, no picture: that is view.py's.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from typing import Any

from .namespace import LabError
from .network import UNITS
from .pair import Lab
from .phones import Phones
from .probe import Outage, Probe

EVENTS_SHOWN = 5


@dataclass
class Seen:
    """What is known of one unit at an instant: `Lab.status` and the last events."""

    status: dict[str, Any] = field(default_factory=dict[str, Any])
    events: list[Any] = field(default_factory=list[Any])

    @property
    def qx(self) -> dict[str, Any]:
        return self.status.get("qx") or {}

    @property
    def role(self) -> str:
        if not self.status.get("powered"):
            return "off"
        return str(self.qx.get("role") or "no answer")


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, an empty one otherwise: the view shows what there is."""
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


class Watcher:
    """Asks both units four times a second, each in a thread of its own, so that a dead one delays nobody."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.seen = {unit: Seen() for unit in UNITS}
        self.notice = ""
        self.service = str(IPv4Interface(lab.service_addresses()[0]).ip)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(unit,), daemon=True) for unit in UNITS]
        self._probe = Probe(lab.network.name("pc"), self.service)
        self._busy = threading.Lock()
        self.phones = Phones(lab)

    def __enter__(self) -> "Watcher":
        self._probe.start()
        self.phones.start()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._probe.stop()
        self.phones.stop()
        for thread in self._threads:
            thread.join(2.0)

    def _ask(self, unit: str) -> None:
        events: list[Any] = []
        asked = 0.0
        while not self._ended.is_set():
            try:
                status = self.lab.status(unit)
            except (LabError, OSError) as error:  # power went between two questions
                status = {"powered": False, "error": str(error)}
            if status.get("qx") and time.monotonic() - asked > 1.0:
                asked = time.monotonic()
                with suppress(LabError):  # no events yet: the last known ones stay
                    listed: Any = self.lab.units[unit].ask("events")
                    listed = mapping(listed).get("events", listed)
                    events = listed[-EVENTS_SHOWN:] if isinstance(listed, list) else []
            self.seen[unit] = Seen(status, events)
            self._ended.wait(0.25)

    def outage(self) -> Outage | None:
        """LabError when the probe is gone: someone took the lab down in another terminal."""
        return self._probe.last_outage()

    def do(self, said: str, work: Callable[[], object]) -> None:
        """Run a command of a key in the background; the notice says what came of it."""

        def run() -> None:
            with self._busy:
                self.notice = f"{said} …"
                try:
                    work()
                    self.notice = f"{said}: done"
                except (LabError, OSError) as error:
                    self.notice = f"{said}: {error}"

        threading.Thread(target=run, daemon=True).start()

    # ── what keys do ──

    def toggle_power(self, unit: str) -> None:
        if self.lab.network.powered(unit):
            self.do(f"power {unit} off", lambda: self.lab.power_off(unit))
        else:
            self.do(f"power {unit} on", lambda: self.lab.power_on(unit))

    def toggle_cable(self, unit: str) -> None:
        if mapping(self.seen[unit].status.get("link")).get("lan"):
            self.do(f"cut {unit}", lambda: self.lab.cut(unit))
        else:
            self.do(f"mend {unit}", lambda: self.lab.mend(unit))

    def kill(self, unit: str) -> None:
        self.do(f"kill {unit}", lambda: self.lab.kill(unit))

    def swap(self) -> None:
        masters = [unit for unit in UNITS if self.seen[unit].role == "master"]
        if len(masters) != 1:
            self.notice = "swap: there is no Master" if not masters else "swap: both units are Master"
            return

        def run() -> None:
            done = self.lab.qx(masters[0], "swap", timeout=30.0)
            if done.returncode:
                raise LabError((done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1])

        self.do(f"swap on {masters[0]}", run)

    def key(self, key: str) -> bool:
        """Do what a key asks for; False ends the view."""
        match key:
            case "1" | "2":
                self.toggle_power(UNITS[int(key) - 1])
            case "x" | "X":
                self.toggle_cable(UNITS[key == "X"])
            case "c" | "C":
                self.kill(UNITS[key == "C"])
            case "s":
                self.swap()
            case "q" | "\x03" | "\x04":
                return False
            case _:
                pass
        return True
