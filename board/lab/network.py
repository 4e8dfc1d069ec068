"""The lab's network: switch, WAN segment, links of units and PC, and the faults a cable or switch can have.

Faults are kept as a wish (`Faults`) and every change applies the whole wish to the ports that exist. So each
command is idempotent, and a unit that boots while its cable is out or the LAN is split finds it so.

    qx-a  lan ── lan-a ┐                      qx-a  wan ── wan-a ┐
    qx-b  lan ── lan-b ├ bridge qx-sw         qx-b  wan ── wan-b ├ bridge qx-wan     both in namespace qx-sw
    qx-pc lan ── lan-pc┘ (the LAN switch)     qx-pc wan ── wan-pc┘ (the provider)
"""

import contextlib
import json
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from . import namespace
from .namespace import LabError
from .unplugging import Plug

UNITS = ("a", "b")
HOSTS = ("a", "b", "pc")
BRIDGES = {"lan": "qx-sw", "wan": "qx-wan"}
PC_LAN = IPv4Interface("10.77.0.50/24")
PC_WAN = IPv4Interface("203.0.113.1/24")

# Drop a frame whose destination has the group bit, unless it is the broadcast address. Classic BPF with
# direct action, because it needs no tc action module and no package beside iproute2:
#   ld [0]; jeq #0xffffffff, pass; ldb [0]; jset #1, drop; pass: ret TC_ACT_UNSPEC; drop: ret TC_ACT_SHOT
_DROP_MULTICAST = (
    "pref 1 handle 1 protocol all bpf direct-action bytecode "
    '"6,32 0 0 0,21 2 0 4294967295,48 0 0 0,69 1 0 1,6 0 0 4294967295,6 0 0 2"'
)


@dataclass
class Faults:
    """What is wrong with the network at the moment. JSON keeps it between two commands."""

    cut: list[str] = field(default_factory=list[str])  # ports without carrier
    muted: list[str] = field(default_factory=list[str])  # units whose multicast is lost
    split: str = ""  # "", or whom the PC still reaches: a, b, both
    split_wan: bool = False  # the WAN segment is split as well

    def forget(self, unit: str, segment: str) -> None:
        """What `mend` repairs: this cable, and (with the LAN's) the mute of the unit."""
        self.cut = [port for port in self.cut if port != f"{segment}-{unit}"]
        if segment == "lan":
            self.muted = [name for name in self.muted if name != unit]


def _port_commands(port: str, faults: Faults) -> list[str]:
    """`ip` commands that bring a switch port into the state that the faults ask for."""
    segment, host = port.split("-")
    split = faults.split if host in UNITS and (segment == "lan" or faults.split_wan) else ""
    commands: list[str] = []
    if port in faults.cut:
        commands.append(f"link set {port} down")  # first: what is cut must not carry one frame more
    if split in UNITS and split != host:
        commands.append(f"link set {port} nomaster")  # carrier stays, nothing is forwarded
    else:
        isolated = "on" if split == "both" else "off"
        commands += [
            f"link set {port} master {BRIDGES[segment]}",
            f"link set {port} type bridge_slave isolated {isolated}",
        ]
    if port not in faults.cut:
        commands.append(f"link set {port} up")
    return commands


def _silent(interface: str) -> list[str]:
    """`ip` commands that keep an interface of the switch from speaking IPv6 itself; none without IPv6."""
    return [f"link set {interface} addrgenmode none"] if Path("/proc/net/if_inet6").exists() else []


class Network:
    """The namespaces of one lab. `segments` is ("lan", "wan"), or ("lan",) for a model without a WAN port."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def name(self, host: str) -> str:
        """Namespace of a, b, pc or sw."""
        return f"{self.prefix}-{host}"

    def powered(self, host: str) -> bool:
        return namespace.exists(self.name(host))

    # ── building and removing ──

    def build(self, service: IPv4Interface | None, faults: Faults) -> None:
        """Switch, WAN segment and PC. The units come with `plug`, when they are powered on."""
        switch, pc = self.name("sw"), self.name("pc")
        namespace.batch([f"netns add {switch}", f"netns add {pc}", *self._link("pc", ("lan", "wan"))])
        namespace.batch(
            [
                "link set lo up",
                *(
                    f"link add {bridge} index {10 + number} type bridge stp_state 0 forward_delay 0"
                    " mcast_snooping 0"
                    for number, bridge in enumerate(BRIDGES.values())
                ),
                *(
                    line
                    for bridge in BRIDGES.values()
                    for line in (*_silent(bridge), f"link set {bridge} up")
                ),
                *self._attach("pc", ("lan", "wan"), faults),
            ],
            switch,
        )
        lan = [PC_LAN]
        if service and service.ip not in PC_LAN.network:
            lan.append(IPv4Interface((service.network.network_address + 50, service.network.prefixlen)))
        namespace.batch(
            [
                "link set lo up",
                "link set lan up",
                "link set wan up",
                *(f"address add {address} brd + dev lan" for address in lan),
                f"address add {PC_WAN} brd + dev wan",
            ],
            pc,
        )

    def plug(self, unit: str, segments: Iterable[str], faults: Faults) -> None:
        """Give a unit its namespace and links, as they are after its boot loader: up, without addresses."""
        segments = tuple(segments)
        namespace.batch([f"netns add {self.name(unit)}", *self._link(unit, segments)])
        namespace.batch((f"link set {name} up" for name in ("lo", *segments)), self.name(unit))
        namespace.batch(self._attach(unit, segments, faults), self.name("sw"))
        if unit in faults.muted:
            self._mute(unit, segments, True)

    def unplug(self, unit: str) -> float:
        """Power cut. Returns CLOCK_MONOTONIC seconds just before the network goes (it takes some 10 ms).

        The order is the point. The processes are stopped, so that none sees or says anything of what follows;
        one netlink call takes all links of the unit; only then the processes are killed, for a dying process
        has its connections closed by the kernel, and a unit without power says no goodbye.
        """
        name = self.name(unit)
        with Plug(self.name("sw"), self._group(unit)) as plug:
            namespace.signal_all(namespace.processes(name), signal.SIGSTOP)
            moment = time.monotonic()
            plug.pull()
        namespace.remove([name])
        return moment

    def remove(self) -> None:
        """Take away what is there of this lab, whoever left it. Units first, as in a power cut."""
        for unit in UNITS:
            if self.powered(unit) and self.powered("sw"):
                with contextlib.suppress(LabError):  # half a lab of a crash: its links go with the namespaces
                    self.unplug(unit)
        namespace.remove(self.name(host) for host in (*HOSTS, "sw"))

    @staticmethod
    def _group(host: str) -> int:
        return 1 + HOSTS.index(host)

    def _link(self, host: str, segments: Iterable[str]) -> list[str]:
        """Commands for the host's namespace that make its links.

        The interface numbers are given because they must differ between the two ends: the kernel holds back
        the news of a lost carrier for up to a second when an interface's number equals that of its lower one
        (net/core/link_watch.c, linkwatch_urgent_event), which in two namespaces would happen by chance.
        """
        number = self._group(host)
        return [
            f"link add {segment} index {2 + place} netns {self.name(host)}"
            f" address 02:51:58:00:0{number}:0{place + 1}"
            f" type veth peer name {segment}-{host} index {20 + 10 * place + number}"
            f" netns {self.name('sw')} address 02:51:58:ff:0{number}:0{place + 1}"
            for place, segment in enumerate(BRIDGES)
            if segment in segments
        ]

    def _attach(self, host: str, segments: Iterable[str], faults: Faults) -> list[str]:
        """Commands for the switch's namespace that connect the host's ports."""
        commands = [f"link set {segment}-{host} group {self._group(host)}" for segment in segments]
        for segment in segments:
            commands += _silent(f"{segment}-{host}") + _port_commands(f"{segment}-{host}", faults)
        return commands

    # ── faults ──

    def apply(self, faults: Faults, segments: Iterable[str]) -> None:
        """Bring every port of the powered units into the state that the faults ask for."""
        segments = tuple(segments)
        units = [unit for unit in UNITS if self.powered(unit)]
        commands = [
            line
            for unit in units
            for segment in segments
            for line in _port_commands(f"{segment}-{unit}", faults)
        ]
        if commands:
            namespace.batch(commands, self.name("sw"))

    def mute(self, faults: Faults, segments: Iterable[str]) -> None:
        """Install or remove the multicast filters that the faults ask for."""
        for unit in UNITS:
            if self.powered(unit):
                self._mute(unit, tuple(segments), unit in faults.muted)

    def _mute(self, unit: str, segments: tuple[str, ...], muted: bool) -> None:
        commands: list[str] = []
        for segment in segments:
            port = f"{segment}-{unit}"
            commands += [
                f"qdisc replace dev {port} clsact",
                f"filter replace dev {port} ingress {_DROP_MULTICAST}"
                if muted
                else f"qdisc del dev {port} clsact",
            ]
        namespace.batch(commands, self.name("sw"), "tc")

    # ── looking ──

    def interfaces(self, host: str) -> list[dict[str, Any]]:
        """The interfaces of a host as `ip -json address` shows them, without lo."""
        told = namespace.run(["ip", "-n", self.name(host), "-json", "address"])
        shown: list[dict[str, Any]] = json.loads(told)
        return [interface for interface in shown if interface.get("ifname") not in (None, "lo")]
