# SPDX-License-Identifier: Apache-2.0
"""vm_faults: the kinds of the plan, done to the emulated pair: `begin` breaks, what it returns mends."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from board.virt.machine import Machine, MachineError
from board.virt.vm import Pair

from emulated import BOOT, started, started_anew, wait_for

from .plan import Step
from .rack import Mend

VRRP_MAC = bytes.fromhex("01005e000012")  # 224.0.0.18
LAN, WAN = 0, 1  # ports of a unit
SECONDS = {"ten seconds back": -10, "an hour on": 3600, "a day on": 86400, "a year back": -365 * 86400}
LIFE = "cat /run/qx/daemon.pid && cat /proc/sys/kernel/random/boot_id"
LOOPS = "for n in 1 2 3 4 5 6 7 8; do (while :; do :; done) & echo $! >>/tmp/busy; done"


def begin(pair: Pair, ports: Mapping[int, str], step: Step, units: Sequence[str]) -> Mend:
    """Does the step's fault to these units. `ports`: units by the number of their port at the switch. What it
    returns is called once, when the fault has lasted."""
    if done := _NETWORK.get(step.kind.name):
        return _passes(pair, done(step, units[0]), ports)
    mends = [_FAULTS[step.kind.name](pair.machines[unit], step) for unit in units]

    def mend() -> None:
        for one in mends:
            one()

    return mend


def _nothing() -> None:
    """There is nothing to mend: the unit comes back by itself."""


def _done(machine: Machine, command: str, seconds: float = 120.0) -> str:
    code, said = machine.run(command, seconds)
    if code:
        raise MachineError(f"{machine.name}: {command}: {said.strip()}")
    return said.strip()


# --- the unit --------------------------------------------------------------------------------------------
def _power(machine: Machine, _: Step) -> Mend:
    machine.power_cut()
    return partial(_on, machine)


def _on(machine: Machine) -> None:
    machine.power_on()
    started(machine)


def _button(machine: Machine, _: Step) -> Mend:
    """Pressed as long as a person does: the unit shuts down, and is powered on again."""
    machine.press_power()
    wait_for(lambda: not machine.running, BOOT, f"{machine.name} is off")
    machine.power_cut()
    return partial(_on, machine)


def _panic(machine: Machine, _: Step) -> Mend:
    starts = machine.starts()
    _done(machine, "echo 1 >/proc/sys/kernel/sysrq")
    machine.begin("echo c >/proc/sysrq-trigger")
    return partial(started_anew, machine, starts)


def _freeze(machine: Machine, _: Step) -> Mend:
    machine.monitor("stop")
    return partial(machine.monitor, "cont")


def _clock(machine: Machine, step: Step) -> Mend:
    def set_by(seconds: int) -> None:
        _done(machine, f"date -s @$(($(date +%s) + {seconds}))")

    set_by(SECONDS[step.option])
    return partial(set_by, -SECONDS[step.option])


def _cut(machine: Machine, _: Step, port: int) -> Mend:
    machine.plug(port, False)
    return partial(machine.plug, port, True)


# --- what runs on it -------------------------------------------------------------------------------------
def _daemon(machine: Machine) -> str:
    return _done(machine, "cat /run/qx/daemon.pid")


def _life(machine: Machine) -> str:
    """The daemon's, by its process and the start of the machine: after one, another may have that number."""
    return _done(machine, LIFE)


def _another(machine: Machine, life: str) -> None:
    def new() -> bool:
        code, said = machine.run(LIFE)
        return code == 0 and said.strip() != life

    wait_for(new, BOOT, f"{machine.name} has another daemon", every=1)


def _kill(machine: Machine, _: Step) -> Mend:
    life = _life(machine)
    _done(machine, f"kill -KILL {_daemon(machine)}")
    return partial(_another, machine, life)


def _hang(machine: Machine, _: Step) -> Mend:
    pid = _daemon(machine)
    _done(machine, f"kill -STOP {pid}")
    return partial(machine.run, f"kill -CONT {pid}")  # which the guardian may have ended


def _disk_full(machine: Machine, _: Step) -> Mend:
    machine.run("dd if=/dev/zero of=/data/qx/ballast bs=64k")
    return partial(_done, machine, "rm /data/qx/ballast")


def _busy(machine: Machine, _: Step) -> Mend:
    _done(machine, LOOPS)
    return partial(_done, machine, "kill $(cat /tmp/busy); rm /tmp/busy")


# --- the product's own commands --------------------------------------------------------------------------
def _swap(machine: Machine, _: Step) -> Mend:
    life = _life(machine)
    _done(machine, "qx swap")
    return partial(_another, machine, life)


def _passive(machine: Machine, _: Step) -> Mend:
    _done(machine, "qx mode passive")
    return partial(_done, machine, "qx mode active")


def _restore(machine: Machine, _: Step) -> Mend:
    """A configuration backup of now, restored after what is written meanwhile."""
    _done(machine, "rm -f /tmp/backup; qx backup /tmp/backup")
    return partial(_done, machine, "qx restore /tmp/backup")


def _write(machine: Machine, _: Step) -> Mend:
    return _nothing  # every step writes; this one does nothing else


# --- the LAN -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Crossing:
    """A frame that would go from one unit to another; an empty name is whoever else is there."""

    frame: bytes
    source: str
    to: str


Rule = Callable[[Crossing], bool]  # does it go on?


def _passes(pair: Pair, rule: Rule, ports: Mapping[int, str]) -> Mend:
    lan = pair.lan
    assert lan
    lan.passes = lambda frame, source, to: rule(Crossing(frame, ports.get(source, ""), ports.get(to, "")))

    def mend() -> None:
        lan.passes = None

    return mend


def _split(_: Step, _unit: str) -> Rule:
    """The units do not hear one another; everybody else hears both."""
    return lambda way: not (way.source and way.to)


def _one_way(step: Step, unit: str) -> Rule:
    if step.option == "to":
        return lambda way: way.to != unit
    return lambda way: way.source != unit


def _mute(_: Step, unit: str) -> Rule:
    """Of multicast its advertisements alone."""
    return lambda way: way.frame[:6] != VRRP_MAC or way.source != unit


def _loss(step: Step, unit: str) -> Rule:
    """One frame in ten, in both directions."""
    chance = random.Random(str(step))
    return lambda way: unit not in (way.source, way.to) or chance.random() >= 0.1


_NETWORK: dict[str, Callable[[Step, str], Rule]] = {
    "split": _split,
    "one way": _one_way,
    "mute": _mute,
    "loss": _loss,
}
_FAULTS: dict[str, Callable[[Machine, Step], Mend]] = {
    "power": _power,
    "button": _button,
    "panic": _panic,
    "freeze": _freeze,
    "clock": _clock,
    "cut": partial(_cut, port=LAN),
    "cut wan": partial(_cut, port=WAN),
    "kill": _kill,
    "hang": _hang,
    "disk full": _disk_full,
    "busy": _busy,
    "swap": _swap,
    "passive": _passive,
    "restore": _restore,
    "write": _write,
}
