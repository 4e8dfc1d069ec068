# SPDX-License-Identifier: Apache-2.0
"""machine: one emulated unit: QEMU's arm64 machine `virt` with U-Boot, disk, two ports, LEDs and a watchdog.

Everything that a person has at hand on hardware is here: power, the serial line, cables, the power button,
LEDs as seen from outside (the emulator's trace of the GPIO controller's outputs), and besides a workbench: a
shell in the guest (workbench.py). No privilege is needed. Sockets and logs are in the machine's folder.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .disk import Disk
from .workbench import PORT, Workbench, WorkbenchError, read_until

EMULATOR = "qemu-system-aarch64"
U_BOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
MEMORY = 512  # MiB
PROMPT = re.compile(rb"\(qemu\) $")
# MiB of translated code. With QEMU's own gigabyte what was translated before a restart is never given up, and
# each write to a page that once held it goes the long way: a warm start took up to four times a cold one's.
TRANSLATED = 64
NICE = 10  # two machines share the computer with whoever works on it
STARTED = r"qx: slot [AB], started in"  # the last of the start scripts
EDGE = re.compile(r"@(\d+\.\d+):pl061_set_output .*?output (\d+) to (\d+)")


@dataclass(frozen=True)
class Edge:
    """A GPIO output that changed. `at` is this computer's wall clock, in seconds."""

    at: float
    line: int
    level: int


class MachineError(Exception):
    """The machine did not do what was asked; the text says what it said last."""


class Machine:
    """A unit by its name; `disk` is its flash and outlives power cuts.

    `ports`: what each port is wired to, for -netdev without its id, LAN first. `forward`: local ports to the
    unit's, `{8091: 80}`, by a port that only emulated units have. Not by a host on the LAN: the emulator's
    answers whatever it sees there, so two of them reset the pair's session and one another without end.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        disk: Disk,
        ports: list[str],
        *,
        forward: dict[int, int] | None = None,
        macs: tuple[str, str] = ("52:54:00:00:00:01", "52:54:00:00:00:02"),
    ) -> None:
        # What a test changes before power-on: more of the emulator's arguments.
        self.extra: list[str] = []
        self.name = name
        self.folder = folder
        self.disk = disk
        self._ports = ports
        self._forward = forward or {}
        self._macs = macs
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.console = folder / "console.log"
        self._gpio = folder / "gpio.log"
        self._workbench = Workbench(folder / "workbench")
        self.powered_at = 0.0

    # --- power --------------------------------------------------------------------------------------
    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise MachineError(f"{self.name}: is off")
        return self._process.pid

    def power_on(self) -> None:
        """A cold boot. The serial log begins anew."""
        if self.running:
            return
        self._close()
        for file in (self.console, self._gpio):
            file.unlink(missing_ok=True)
        with (self.folder / "emulator.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["nice", "-n", str(NICE), *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        self.powered_at = time.monotonic()

    def power_cut(self) -> float:
        """The plug is pulled: the emulator is killed at once. CLOCK_MONOTONIC seconds of it."""
        at = time.monotonic()
        if self._process is not None and self.running:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._close()
        self._process = None
        return at

    def command(self) -> list[str]:
        argv = [
            EMULATOR, "-name", self.name, "-M", "virt,acpi=off", "-cpu", "cortex-a53",
            "-accel", f"tcg,tb-size={TRANSLATED}", "-smp", "1", "-m", str(MEMORY),
            "-bios", U_BOOT, "-nodefaults", "-nographic",
            "-chardev", f"socket,id=line,path=line,server=on,wait=off,logfile={self.console}",
            "-serial", "chardev:line",
            "-chardev", "socket,id=monitor,path=monitor,server=on,wait=off", "-mon", "monitor",
            "-drive", f"if=none,id=flash,file={self.disk.file},format=raw,cache=unsafe",
            "-device", "virtio-blk-pci,drive=flash",
            "-device", "i6300esb", "-action", "watchdog=reset",
            "-device", "virtio-rng-pci",
            "-device", "virtio-serial-pci",
            "-chardev", "socket,id=bench,path=workbench,server=on,wait=off",
            "-device", f"virtserialport,chardev=bench,name={PORT}",
            "-trace", "pl061_set_output", "-D", str(self._gpio), "-msg", "timestamp=on",
            *self.extra,
        ]  # fmt: skip
        for number, wire in enumerate(self._ports):
            argv += ["-netdev", f"{wire},id=port{number}"]
            argv += [
                "-device",
                f"virtio-net-pci,id=nic{number},netdev=port{number},mac={self._macs[number]},romfile=",
            ]
        if self._forward:
            rules = "".join(f",hostfwd=tcp:127.0.0.1:{port}-:{to}" for port, to in self._forward.items())
            argv += ["-netdev", f"user,id=host,restrict=on{rules}"]
            argv += ["-device", "virtio-net-pci,netdev=host,mac=52:54:00:00:00:f0,romfile="]
        return argv

    # --- what a person does to it -------------------------------------------------------------------
    def monitor(self, command: str) -> str:
        """The answer of the emulator's monitor to one command."""
        with socket.socket(socket.AF_UNIX) as line:
            try:
                self._reach(line, self.folder / "monitor")
                read_until(line, PROMPT, 20)
                line.sendall(command.encode() + b"\n")
                said = read_until(line, PROMPT, 20)
            except OSError as error:
                raise MachineError(f"{self.name}: monitor: {command}: {error}") from None
        return said.decode(errors="replace").partition("\n")[2].rpartition("(qemu) ")[0]

    def _reach(self, line: socket.socket, path: Path) -> None:
        """Connects; an emulator that was just started may not listen yet."""
        deadline = time.monotonic() + 20
        while True:
            try:
                line.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError):
                if not self.running or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def press_power(self) -> None:
        self.monitor("system_powerdown")

    def plug(self, port: int, plugged: bool) -> None:
        """The cable of port 0 (LAN) or 1 (WAN)."""
        self.monitor(f"set_link nic{port} {'on' if plugged else 'off'}")

    def leds(self) -> dict[int, int]:
        """The levels of the GPIO controller's outputs, by their line, as seen from outside the guest."""
        return {edge.line: edge.level for edge in self.led_edges()}

    def led_edges(self) -> list[Edge]:
        """Every change of a GPIO output since power-on, as the emulator saw it."""
        if not self._gpio.exists():
            return []
        found = EDGE.findall(self._gpio.read_text())
        return [Edge(float(at), int(line), int(level)) for at, line, level in found]

    # --- the serial line and the workbench ----------------------------------------------------------
    def said(self) -> str:
        """What came over the serial line since power-on."""
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def wait_said(self, pattern: str, seconds: float, times: int = 1) -> None:
        """Waits until a text has come over the serial line so often. Raises MachineError."""
        deadline = time.monotonic() + seconds
        while len(re.findall(pattern, self.said())) < times:
            if not self.running:
                raise MachineError(f"{self.name}: the emulator ended: {self._last_words()}")
            if time.monotonic() > deadline:
                raise MachineError(f"{self.name}: not within {seconds:g} s: {pattern}: {self.said()[-1500:]}")
            time.sleep(0.2)

    def type_in(self, text: str, answer: str, seconds: float) -> None:
        """Types on the serial line and waits for an answer of that pattern. Raises MachineError."""
        before = len(re.findall(answer, self.said()))
        with socket.socket(socket.AF_UNIX) as line:
            try:
                self._reach(line, self.folder / "line")
                line.sendall(text.encode())
            except OSError as error:
                raise MachineError(f"{self.name}: serial line: {error}") from None
            self.wait_said(answer, seconds, before + 1)

    def starts(self) -> int:
        """How often a kernel was started since power-on."""
        return self.said().count("Starting kernel")

    def wait_started(self, seconds: float, times: int = 1) -> None:
        """Waits until the start scripts are through. Raises MachineError."""
        self.wait_said(STARTED, seconds, times)

    def _last_words(self) -> str:
        return (self.folder / "emulator.log").read_text(errors="replace")[-800:]

    def run(self, command: str, seconds: float = 60.0) -> tuple[int, str]:
        """A shell command in the guest: its exit code and output (both streams)."""
        try:
            return self._workbench.run(command, seconds)
        except WorkbenchError as error:
            raise MachineError(f"{self.name}: {error}") from None

    def begin(self, command: str) -> None:
        """A shell command in the guest whose end nobody sees: it takes the guest with it."""
        try:
            self._workbench.begin(command)
        except WorkbenchError as error:
            raise MachineError(f"{self.name}: {error}") from None

    def hang_up(self) -> None:
        """The workbench is left: somebody else may use it, or the guest starts anew."""
        self._workbench.hang_up()

    def _close(self) -> None:
        self.hang_up()
        for name in ("line", "monitor", "workbench"):
            (self.folder / name).unlink(missing_ok=True)
