# SPDX-License-Identifier: Apache-2.0
"""machine: one emulated unit: QEMU's arm64 machine `virt` with U-Boot, disk, two ports, LEDs and a watchdog.

Everything that a person has at hand on hardware is here: power, the serial line, cables, the power button,
LEDs as seen from outside (the emulator's trace of the GPIO controller's outputs), and besides a workbench: a
shell in the guest. No privilege is needed. Sockets and logs are in the machine's folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from .disk import Disk

EMULATOR = "qemu-system-aarch64"
U_BOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
MEMORY = 512  # MiB
PROMPT = re.compile(rb"\(qemu\) $")
NICE = 10  # two machines share the computer with whoever works on it


class MachineError(Exception):
    """The machine did not do what was asked; the text says what it said last."""


class Machine:
    """A unit by its name; `disk` is its flash and outlives power cuts.

    `ports`: what each port is wired to, for -netdev without its id, LAN first. `forward`: local ports to
    addresses of the LAN, `{8091: "10.77.0.1:80"}`, by the emulator's own host on the LAN, `host`.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        disk: Disk,
        ports: list[str],
        *,
        forward: dict[int, str] | None = None,
        host: str = "10.77.0.254",
        macs: tuple[str, str] = ("52:54:00:00:00:01", "52:54:00:00:00:02"),
    ) -> None:
        self.name = name
        self.folder = folder
        self.disk = disk
        self._ports = ports
        self._forward = forward or {}
        self._host = host
        self._macs = macs
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.console = folder / "console.log"
        self._gpio = folder / "gpio.log"
        self._shell: socket.socket | None = None
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
        # At once: what the guest writes to a console that nobody listens to blocks the writer for good.
        deadline = self.powered_at + 20
        while self._shell is None:
            try:
                self._bench()
            except OSError:
                if time.monotonic() > deadline or not self.running:
                    raise MachineError(f"{self.name}: no emulator: {self._last_words()}") from None
                time.sleep(0.1)

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
            "-smp", "1", "-m", str(MEMORY),
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
            "-device", "virtconsole,chardev=bench",
            "-trace", "pl061_set_output", "-D", str(self._gpio),
        ]  # fmt: skip
        for number, wire in enumerate(self._ports):
            argv += [
                "-netdev",
                f"{wire},id=wire{number}",
                "-netdev",
                f"hubport,id=hub{number},hubid={number},netdev=wire{number}",
            ]
            argv += ["-netdev", f"hubport,id=port{number},hubid={number}"]
            argv += [
                "-device",
                f"virtio-net-pci,id=nic{number},netdev=port{number},mac={self._macs[number]},romfile=",
            ]
        if self._forward:
            network = self._host.rpartition(".")[0]
            rules = "".join(f",hostfwd=tcp:127.0.0.1:{port}-{to}" for port, to in self._forward.items())
            last = int(self._host.rpartition(".")[2])
            argv += [
                "-netdev",
                f"user,id=host,restrict=on,net={network}.0/24,host={self._host},dns={network}.{last - 8},"
                f"dhcpstart={network}.{last - 16}{rules}",
            ]
            argv += ["-netdev", "hubport,id=hosthub,hubid=0,netdev=host"]
        return argv

    # --- what a person does to it -------------------------------------------------------------------
    def monitor(self, command: str) -> str:
        """The answer of the emulator's monitor to one command."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(20)
            line.connect(str(self.folder / "monitor"))
            said = _until(line, PROMPT)
            line.sendall(command.encode() + b"\n")
            said = _until(line, PROMPT)
        return said.decode(errors="replace").partition("\n")[2].rpartition("(qemu) ")[0]

    def press_power(self) -> None:
        self.monitor("system_powerdown")

    def plug(self, port: int, plugged: bool) -> None:
        """The cable of port 0 (LAN) or 1 (WAN)."""
        self.monitor(f"set_link nic{port} {'on' if plugged else 'off'}")

    def leds(self) -> dict[int, int]:
        """The levels of the GPIO controller's outputs, by their line, as seen from outside the guest."""
        found: dict[int, int] = {}
        with contextlib.suppress(FileNotFoundError):
            for line, level in re.findall(
                r"pl061_set_output .*?output (\d+) to (\d+)", self._gpio.read_text()
            ):
                found[int(line)] = int(level)
        return found

    def led_changes(self) -> str:
        """The trace itself, one line a change."""
        return self._gpio.read_text() if self._gpio.exists() else ""

    # --- the serial line and the workbench ----------------------------------------------------------
    def said(self) -> str:
        """What came over the serial line since power-on."""
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def wait_said(self, pattern: str, seconds: float) -> re.Match[str]:
        """Waits for a text on the serial line."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.said())
            if found:
                return found
            if not self.running:
                raise MachineError(f"{self.name}: the emulator ended: {self._last_words()}")
            if time.monotonic() > deadline:
                raise MachineError(f"{self.name}: not within {seconds:g} s: {pattern}: {self.said()[-1500:]}")
            time.sleep(0.2)

    def _last_words(self) -> str:
        return (self.folder / "emulator.log").read_text(errors="replace")[-800:]

    def run(self, command: str, seconds: float = 60.0) -> tuple[int, str]:
        """A shell command in the guest: its exit code and output (both streams)."""
        mark = f"QX{time.monotonic_ns()}"
        line = self._bench()
        line.settimeout(seconds)
        line.sendall(f"{{ {command}\n}} 2>&1; echo {mark[:2]}''{mark[2:]} $?\n".encode())
        try:
            said = _until(line, re.compile(re.escape(mark).encode() + rb" (\d+)\r?\n"))
        except TimeoutError:
            self._hang_up()
            raise MachineError(f"{self.name}: {command}: no end within {seconds:g} s") from None
        text, _, code = said.decode(errors="replace").replace("\r", "").rpartition(mark)
        return int(code), text

    def _bench(self) -> socket.socket:
        if self._shell is None:
            shell = socket.socket(socket.AF_UNIX)
            try:
                shell.connect(str(self.folder / "workbench"))
            except OSError:
                shell.close()
                raise
            shell.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                while shell.recv(4096):
                    pass
            self._shell = shell
        return self._shell

    def _hang_up(self) -> None:
        if self._shell is not None:
            self._shell.close()
            self._shell = None

    def _close(self) -> None:
        self._hang_up()
        for name in ("line", "monitor", "workbench"):
            (self.folder / name).unlink(missing_ok=True)


def _until(line: socket.socket, end: re.Pattern[bytes]) -> bytes:
    said = b""
    while not end.search(said):
        part = line.recv(4096)
        if not part:
            raise MachineError(f"the line was closed; it said {said[-200:]!r}")
        said += part
    return said
