"""The lab as tests and the command line use it: two units, their switch and a PC.

    from board.lab.pair import Lab
    with Lab(prefix="t1", folder=tmp_path) as lab:
        lab.up(power=False)
        lab.power_on("a")

What must last between two commands (model, service addresses, faults) stands in `state.json` of the lab's
folder; every operation reads it anew and holds the folder's lock, so a second terminal may interfere at will.
"""

import contextlib
import fcntl
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path
from types import TracebackType
from typing import Any

from . import namespace
from .demo import Demo
from .namespace import PROJECT, LabError
from .network import HOSTS, UNITS, Faults, Network
from .pages import Pages
from .unit import Unit

DEFAULT_PREFIX = "qx"


@dataclass
class _State:
    """What the lab was built as, and what is wrong with its network."""

    segments: list[str] = field(default_factory=lambda: ["lan", "wan"])
    service: list[str] = field(default_factory=list[str])  # address/prefix
    faults: Faults = field(default_factory=Faults)


class Lab:
    """Two units on this computer. Arguments left out come from QX_LAB, QX_LAB_DIR and QX."""

    def __init__(self, prefix: str | None = None, folder: Path | None = None, qx: Path | None = None) -> None:
        environ = os.environ
        self.prefix = prefix or environ.get("QX_LAB") or DEFAULT_PREFIX
        self.folder = (folder or Path(environ.get("QX_LAB_DIR") or PROJECT / "out" / "lab")).absolute()
        executable = (qx or Path(environ.get("QX") or PROJECT / "out" / "host" / "qx")).absolute()
        self.network = Network(self.prefix)
        self.pages = Pages(self.folder, self.network.name("pc"))
        self._keys = self.folder / "keys.json"  # of the development's vendor: no secret of anybody
        self.units = {name: Unit(name, self.network.name(name), self.folder, executable) for name in UNITS}

    def __enter__(self) -> "Lab":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.down()

    # ── the whole lab ──

    def up(
        self,
        demo: Demo | None = None,
        *,
        power: bool = True,
        bare: bool = False,
        fresh: bool = False,
        reconfigure: bool = False,
        pages: bool = False,
    ) -> None:
        """Build the lab and start both units. What was left of a former lab is taken down first.

        Blank roots are provisioned, set up and licensed; `fresh` blanks them, `reconfigure` sets the demo's
        settings on used ones too. `power=False` leaves the units off. `bare` needs no firmware at all: roots
        are not touched, and units that are powered on get their links and nothing else.
        """
        demo = demo or Demo()
        with self._locked():
            self._down()
            state = _State(list(demo.segments), [str(address) for address in demo.service])
            used = not (bare or fresh or any(unit.blank for unit in self.units.values()))
            if not bare:
                self._prepare(demo, fresh, reconfigure)
            if used and not reconfigure:  # the units are what they were, whatever the demo would be
                state.segments = self._load().segments
                state.service = self.units["a"].service(state.segments) or state.service
            self._save(state)
            self.network.build(IPv4Interface(state.service[0]), state.faults)
            if power:
                for name in UNITS:
                    self._power_on(name, state, bare)
            if pages:
                self.pages.start(state.service)

    def down(self) -> None:
        """End every process of the lab and remove its network. Roots and logs stay."""
        with self._locked():
            self._down()

    def _down(self) -> None:
        self.pages.stop()
        self.network.remove()

    def _prepare(self, demo: Demo, fresh: bool, reconfigure: bool) -> None:
        units = list(self.units.values())
        if fresh:
            for unit in units:
                unit.erase()
        blank = [unit for unit in units if unit.blank]
        for unit in blank:
            unit.provision(demo)
        if demo.configure:
            for unit in units if reconfigure else blank:
                unit.configure(demo)
        if demo.licence and blank:
            keys = demo.keys()  # keys come in matching sets
            for unit in units:
                unit.license(keys[unit.name])
            self._keys.touch(mode=0o600)
            self._keys.write_text(json.dumps(keys))

    def license(self, unit: str) -> None:
        """Install the unit's key of the lab's set once more, as on a unit that was erased."""
        try:
            keys = json.loads(self._keys.read_text())
        except FileNotFoundError:
            raise LabError("the lab has no keys: its units were set up without") from None
        self.units[unit].license(keys[unit])

    # ── power ──

    def power_on(self, unit: str, bare: bool = False) -> None:
        """Cold boot from the unit's root, if it is off; `bare` gives it links but no firmware."""
        with self._locked() as state:
            self._power_on(unit, state, bare)

    def _power_on(self, unit: str, state: _State, bare: bool) -> None:
        if not self.network.powered("sw"):
            raise LabError("the lab is down: run lab up")
        if not self.network.powered(unit):
            self.network.plug(unit, state.segments, state.faults)
            if not bare:
                self.units[unit].start()

    def power_off(self, unit: str) -> float | None:
        """Power cut. Returns CLOCK_MONOTONIC seconds just before it, None if the unit was off."""
        with self._locked():
            return self.network.unplug(unit) if self.network.powered(unit) else None

    def kill(self, unit: str) -> int:
        """SIGKILL to the unit's daemon only; returns its process id."""
        return self.units[unit].kill_daemon()

    # ── faults ──

    def cut(self, unit: str, segment: str = "lan") -> None:
        """Pull a cable: the unit loses the carrier of its `lan` or `wan`."""
        with self._faults() as state:
            if segment not in state.segments:
                raise LabError(f"unit {unit} has no {segment} port")
            state.faults.forget(unit, segment)
            state.faults.cut.append(f"{segment}-{unit}")

    def mend(self, unit: str, segment: str = "lan") -> None:
        """Plug the cable in again; mending the LAN also ends `mute`."""
        with self._faults() as state:
            state.faults.forget(unit, segment)

    def mute(self, unit: str) -> None:
        """Lose every multicast frame that the unit sends; its broadcasts (ARP) and unicasts pass."""
        with self._faults() as state:
            state.faults.muted = [*(name for name in state.faults.muted if name != unit), unit]

    def split(self, pc: str = "both", wan: bool = False) -> None:
        """Part the units from each other with carrier up, on the LAN (and WAN); the PC reaches `pc`."""
        if pc not in (*UNITS, "both"):
            raise LabError(f"split: the PC can reach a, b or both, not {pc}")
        with self._faults() as state:
            state.faults.split, state.faults.split_wan = pc, wan

    def heal(self) -> None:
        """End the split."""
        with self._faults() as state:
            state.faults.split, state.faults.split_wan = "", False

    @contextlib.contextmanager
    def _faults(self) -> Iterator[_State]:
        with self._locked() as state:
            muted = list(state.faults.muted)
            yield state
            self._save(state)
            self.network.apply(state.faults, state.segments)
            if muted != state.faults.muted:
                self.network.mute(state.faults, state.segments)

    # ── looking and doing ──

    def status(self, unit: str) -> dict[str, Any]:
        """What is true of a unit now: `powered`, `link`, `addresses`, `service_addresses`, `qx` or `error`.

        `link` maps lan and wan to carrier; `addresses` maps every interface to address/prefix strings;
        `service_addresses` maps those of the lab's service addresses that it holds to their interface.
        """
        found: dict[str, Any] = {
            "powered": self.network.powered(unit),
            "link": {},
            "addresses": {},
            "service_addresses": {},
            "qx": None,
            "error": None,
        }
        if not found["powered"]:
            return found
        service = [IPv4Interface(address).ip for address in self._load().service]
        try:
            for interface in self.network.interfaces(unit):
                name = str(interface["ifname"])
                if name in ("lan", "wan"):
                    found["link"][name] = "LOWER_UP" in interface["flags"]
                held = [
                    f"{entry['local']}/{entry['prefixlen']}"
                    for entry in interface["addr_info"]
                    if entry["family"] == "inet"
                ]
                found["addresses"][name] = held
                found["service_addresses"].update(
                    {address: name for address in held if IPv4Interface(address).ip in service}
                )
            found["qx"] = self.units[unit].ask("status")
        except LabError as error:
            found["error"] = str(error)
        return found

    def service_addresses(self) -> list[str]:
        """The lab's service addresses with prefix length: LAN first, then WAN if the model has one."""
        return self._load().service

    def exec(
        self, host: str, argv: Sequence[str], timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a unit, the PC (`pc`) or the switch (`sw`), whatever its exit status."""
        return subprocess.run(
            self.exec_argv(host, argv), capture_output=True, text=True, timeout=timeout, check=False
        )

    def exec_argv(self, host: str, argv: Sequence[str]) -> list[str]:
        """The command line that `exec` runs, for callers with a Popen of their own."""
        if host not in (*HOSTS, "sw"):
            raise LabError(f"there is no {host}: a, b, pc or sw")
        if not self.network.powered(host):
            raise LabError(f"unit {host} is off" if host in UNITS else "the lab is down: run lab up")
        return ["ip", "netns", "exec", self.network.name(host), *argv]

    def qx(self, unit: str, *arguments: str, timeout: float = 10.0) -> subprocess.CompletedProcess[str]:
        """Run `qx ARGUMENTS --root ROOT-OF-UNIT`, whatever its exit status."""
        return self.units[unit].qx(arguments, timeout)

    # ── state ──

    @contextlib.contextmanager
    def _locked(self) -> Iterator[_State]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._load()

    def _load(self) -> _State:
        try:
            stored = json.loads((self.folder / "state.json").read_text())
            return _State(stored["segments"], stored["service"], Faults(**stored["faults"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return _State()  # no lab yet, or one of an older format: its network goes with the next `up`

    def _save(self, state: _State) -> None:
        fresh = self.folder / "state.json.new"
        fresh.write_text(json.dumps(asdict(state), indent=1) + "\n")
        fresh.replace(self.folder / "state.json")


def namespaces_left(prefix: str) -> list[str]:
    """Namespaces of a lab that still exist, for tests of the lab itself."""
    network = Network(prefix)
    return [network.name(host) for host in (*HOSTS, "sw") if namespace.exists(network.name(host))]
