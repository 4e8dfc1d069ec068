# SPDX-License-Identifier: Apache-2.0
"""vm: the emulated pair: two machines on a virtual LAN and WAN, with serial consoles, pages and LEDs.

Disks, sockets and logs are in out/vm. The units' disks outlive `make vm`; `--fresh` blanks them.

Usage: vm.py up [--fresh] [MODEL]    both units in the foreground, until Ctrl-C
       vm.py console a|b             the serial line of a unit in this terminal, until Ctrl-]
       vm.py run a|b COMMAND         a shell command in the unit, with its output and exit code
       vm.py monitor a|b COMMAND     a command of the emulator's monitor
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import time
import tty
from dataclasses import dataclass
from pathlib import Path

from .debian import PROJECT
from .disk import Disk
from .machine import Machine, MachineError
from .switch import Switch

FOLDER = PROJECT / "out" / "vm"
GROUP = 18
LAN = "10.77.0.100/24"
WAN = "192.0.2.100/24"
LEDS = {0: "status green", 1: "status red", 2: "alert yellow"}
HANG_UP = b"\x1d"  # Ctrl-]


@dataclass(frozen=True)
class Who:
    """What differs between the two."""

    serial: str
    virtual_ip: str
    peer: str
    macs: tuple[str, str]
    pages: int  # on 127.0.0.1


UNITS = {
    "a": Who("QX200-000001", "10.77.0.1", "10.77.0.2", macs=("02:51:58:00:00:01", "02:51:58:00:01:01"),
             pages=8091),
    "b": Who("QX200-000002", "10.77.0.2", "10.77.0.1", macs=("02:51:58:00:00:02", "02:51:58:00:01:02"),
             pages=8092),
}  # fmt: skip


def settings(name: str) -> list[str]:
    """What `qx set` is told on that unit."""
    who = UNITS[name]
    return [
        "redundancy.enabled=true",
        f"redundancy.group_id={GROUP}",
        f"redundancy.virtual_ip={who.virtual_ip}/24",
        f"redundancy.peer_virtual_ip={who.peer}",
        f"network.lan.address={LAN}",
        f"network.wan.address={WAN}",
    ]


class Pair:
    """The two machines and their LAN and WAN, below `folder`. `pages`: forward them to 127.0.0.1."""

    def __init__(self, folder: Path, model: str = "qx200", *, pages: bool = False) -> None:
        self.folder = folder
        self.image = PROJECT / "out" / "image" / f"virt-{model}" / "disk.img"
        self.model = model
        self.machines: dict[str, Machine] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for name, who in UNITS.items():
            wires = [f"stream,server=off,addr.type=unix,addr.path={folder / wire}" for wire in ("lan", "wan")]
            self.machines[name] = Machine(
                name,
                folder / name,
                Disk(folder / name / "disk.img"),
                wires,
                forward={who.pages: 80} if pages else None,
            )
        self.lan: Switch | None = None
        self.wan: Switch | None = None

    def blank(self) -> None:
        """Both units out of the box: new disks with their factory blocks."""
        for name in UNITS:
            self.blank_one(name)

    def blank_one(self, name: str) -> None:
        who = UNITS[name]
        machine = self.machines[name]
        Disk.copy(self.image, machine.disk.file)
        block = machine.folder / "factory"
        block.unlink(missing_ok=True)
        subprocess.run(
            [PROJECT / "out/host/qx", "factory", "write", block, "--serial", who.serial,
             "--model", self.model, "--lan", who.macs[0], "--wan", who.macs[1]],
            check=True,
        )  # fmt: skip
        machine.disk.write("factory", block.read_bytes())

    def __enter__(self) -> Pair:
        self.lan, self.wan = Switch(self.folder / "lan"), Switch(self.folder / "wan")
        return self

    def __exit__(self, *_: object) -> None:
        for machine in self.machines.values():
            machine.power_cut()
        for wire in (self.lan, self.wan):
            if wire:
                wire.stop()

    def set_up(self, name: str, key: str) -> None:
        """The demo's settings and its feature key, by the commands that a person would give."""
        for command in (f"qx set {' '.join(settings(name))}", f"echo '{key}' | qx licence install -"):
            code, said = self.machines[name].run(command, 120)
            if code:
                raise MachineError(f"{name}: {said.strip()}")

    @staticmethod
    def keys(features: str = "redundancy") -> list[str]:
        """A matching set of feature keys, for a and b."""
        serials = [who.serial for who in UNITS.values()]
        argv = [PROJECT / "board/vendor/issue-keys", *serials, "--features", features]
        issued = subprocess.run(argv, capture_output=True, text=True, check=True)
        return issued.stdout.splitlines()


# --- make vm ----------------------------------------------------------------------------------------------


def up(model: str, fresh: bool) -> int:
    pair = Pair(FOLDER, model, pages=True)
    if not pair.image.exists():
        print(f"vm: there is no {pair.image}; run make image BOARD=virt MODEL={model}", file=sys.stderr)
        return 1
    used = not fresh and all(machine.disk.file.exists() for machine in pair.machines.values())
    with pair:
        if not used:
            print("two units out of the box: disks and factory blocks")
            pair.blank()
        for machine in pair.machines.values():
            machine.power_on()
        (FOLDER / "pid").write_text(f"{os.getpid()}\n")
        print("starting; serial consoles: python3 -m board.virt.vm console a   (and b), Ctrl-] leaves")
        for name, machine in pair.machines.items():
            machine.wait_started(600)
            print(f"unit {name} started after {time.monotonic() - machine.powered_at:.0f} s")
        if not used:
            for name, key in zip(pair.machines, pair.keys(), strict=True):
                pair.set_up(name, key)
                print(f"unit {name} is set up and licensed")
        for name, who in UNITS.items():
            print(f"pages of unit {name}: http://127.0.0.1:{who.pages}/")
            pair.machines[name].hang_up()  # the workbench is for `vm.py run`
        print("LEDs follow; Ctrl-C pulls both plugs")
        watch_leds(pair)
    return 0


def watch_leds(pair: Pair) -> None:
    """Prints each change of a LED line, as it is seen outside the guests, until Ctrl-C."""
    seen = {name: "" for name in pair.machines}
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            for name, machine in pair.machines.items():
                levels = machine.leds()
                lit = ", ".join(what for line, what in LEDS.items() if levels.get(line)) or "dark"
                if lit != seen[name]:
                    seen[name] = lit
                    print(f"unit {name}: {lit}{'' if machine.running else ' (off)'}", flush=True)
            time.sleep(0.1)


def console(name: str) -> int:
    """This terminal becomes the unit's serial line."""
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(str(FOLDER / name / "line"))
        except OSError as error:
            print(f"vm: {FOLDER / name / 'line'}: {error.strerror}; expected make vm to run", file=sys.stderr)
            return 1
        before = termios.tcgetattr(0)
        tty.setraw(0)
        try:
            while True:
                ready, _, _ = select.select([0, line], [], [])
                if 0 in ready:
                    typed = os.read(0, 256)
                    if HANG_UP in typed:
                        return 0
                    line.sendall(typed)
                if line in ready:
                    said = line.recv(4096)
                    if not said:
                        return 0
                    os.write(1, said)
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, before)


def main(argv: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = [word for word in argv if word != "--fresh"]
    try:
        if words[:1] == ["up"] and len(words) < 3:
            return up(words[1] if len(words) > 1 else "qx200", "--fresh" in argv)
        if len(words) == 2 and words[0] == "console" and words[1] in UNITS:
            return console(words[1])
        if len(words) >= 3 and words[0] == "run" and words[1] in UNITS:
            code, said = Pair(FOLDER).machines[words[1]].run(" ".join(words[2:]))
            print(said, end="")
            return code
        if len(words) >= 3 and words[0] == "monitor" and words[1] in UNITS:
            print(Pair(FOLDER).machines[words[1]].monitor(" ".join(words[2:])))
            return 0
    except MachineError as error:
        print(f"vm: {error}", file=sys.stderr)
        return 1
    print(str(__doc__).split("\n\n")[-1].strip(), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
