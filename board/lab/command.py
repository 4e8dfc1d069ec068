"""The lab's command line: a thin face over `Lab`."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from .demo import PLANS, Demo
from .namespace import LabError
from .network import UNITS
from .pair import DEFAULT_PREFIX, Lab
from .probe import Probe
from .view import watch


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab", description="Two units on this computer, in network namespaces."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="build the lab (a former one goes) and start both units")
    up.add_argument("--model", default=Demo.model, help="qx50, qx200 (default), qx2000 or qxisdn4+")
    up.add_argument(
        "--plan",
        choices=PLANS,
        default=Demo.plan,
        help="service address in the Virtual IPs' subnet, or in another",
    )
    up.add_argument("--version", type=int, choices=(2, 3), help="VRRP version")
    up.add_argument("--interval", metavar="SECONDS", help="advertisement interval")
    up.add_argument("--no-virtual-mac", action="store_true")
    up.add_argument("--no-config", action="store_true", help="provision only")
    up.add_argument("--no-licence", action="store_true", help="no feature keys")
    up.add_argument("--no-pbx", action="store_true", help="no SIP registrar and proxy on the Master")
    up.add_argument("--no-pages", action="store_true", help="do not forward pages to 127.0.0.1:8080 to 8082")
    up.add_argument("--fresh", action="store_true", help="blank both units first (their data is lost)")
    up.add_argument("--off", action="store_true", help="network and roots, units powered off")
    up.add_argument("--bare", action="store_true", help="network only: units have links and no firmware")
    up.add_argument("--watch", action="store_true", help="show both units live, take the lab down at the end")

    commands.add_parser("down", help="end the lab's processes and remove its network; roots stay")
    status = commands.add_parser("status", help="power, link, addresses and status of both units")
    status.add_argument("--json", action="store_true")
    execute = commands.add_parser("exec", help="run a command on a unit, the PC or the switch")
    execute.add_argument("unit", choices=(*UNITS, "pc", "sw"))
    execute.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD…")
    kill = commands.add_parser("kill", help="SIGKILL to the unit's daemon")
    press = commands.add_parser("press", help="press the unit's button, as for a password reset")
    power = commands.add_parser("power", help="power cut, or cold boot from the same root")
    cut = commands.add_parser("cut", help="pull the unit's cable: carrier is lost")
    mend = commands.add_parser("mend", help="plug it in again; ends mute as well")
    mute = commands.add_parser("mute", help="lose the multicast frames that the unit sends")
    unmute = commands.add_parser("unmute", help="the same as mend")
    for command in (kill, press, power, cut, mend, mute, unmute):
        command.add_argument("unit", choices=UNITS)
    power.add_argument("to", choices=("on", "off"))
    power.add_argument("--bare", action="store_true", help="links only, no firmware")
    for command in (cut, mend):
        command.add_argument("--wan", action="store_true", help="the WAN cable instead of the LAN's")
    split = commands.add_parser("split", help="units do not hear each other, carrier stays")
    split.add_argument("--pc", choices=(*UNITS, "both"), default="both", help="whom the PC still reaches")
    split.add_argument("--wan", action="store_true", help="split the WAN segment as well")
    commands.add_parser("heal", help="end the split")
    probe = commands.add_parser("probe", help="1,000 pings a second from the PC; says the longest silence")
    probe.add_argument("address")
    probe.add_argument("--seconds", type=float, help="default: until Ctrl-C")
    probe.add_argument("--json", action="store_true")
    return parser


def _up(lab: Lab, options: argparse.Namespace) -> None:
    demo = Demo(
        model=options.model,
        plan=options.plan,
        version=options.version,
        interval=options.interval,
        virtual_mac=not options.no_virtual_mac,
        configure=not options.no_config,
        licence=not options.no_licence,
        pbx=not options.no_pbx,
        phones=not options.no_pbx,
        pages=not options.no_pages,
    )
    chosen = options.version or options.interval or options.no_virtual_mac or options.plan != Demo.plan
    pages = lab.prefix == DEFAULT_PREFIX and not (options.no_pages or options.bare)
    lab.up(
        demo,
        power=not options.off,
        bare=options.bare,
        fresh=options.fresh,
        reconfigure=bool(chosen),
        pages=pages,
    )
    if options.watch:
        watch(lab)


def _status(lab: Lab, as_json: bool) -> None:
    found = {unit: lab.status(unit) for unit in UNITS}
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for unit, state in found.items():
        qx: dict[str, Any] = state["qx"] or {}
        mode = f" ({qx['mode']})" if qx.get("mode") else ""
        links = ", ".join(f"{name} {'up' if carrier else 'down'}" for name, carrier in state["link"].items())
        held = ", ".join(f"{address} on {name}" for address, name in state["service_addresses"].items())
        print(
            f"{unit}: {'on' if state['powered'] else 'off'}"
            + (
                f"; {links}; {qx.get('role') or state['error']}{mode}; holds {held or 'no service address'}"
                if state["powered"]
                else ""
            )
        )


def _probe(lab: Lab, options: argparse.Namespace) -> None:
    shown = None
    with Probe(lab.network.name("pc"), options.address) as probe:  # which sends by now
        end = None if options.seconds is None else time.monotonic() + options.seconds
        try:
            while end is None or time.monotonic() < end:
                time.sleep(0.1 if end is None else max(min(0.1, end - time.monotonic()), 0))
                outage = probe.last_outage()
                if outage and outage.over and outage != shown and not options.json:
                    print(f"silent for {outage.ms:.1f} ms", flush=True)
                    shown = outage
        except KeyboardInterrupt:
            pass
        probe.stop()
        report = probe.report()
    if options.json:
        print(json.dumps({"address": options.address, **report.as_dict()}))
    else:
        print(
            f"{options.address}: {report.replies} of {report.sent} answered, longest silence "
            f"{report.silence_ms:.1f} ms; asked {report.rate_hz:.0f} times a second, longest pause of "
            f"the probe itself {report.longest_send_gap_ms:.1f} ms"
        )


def _exec(lab: Lab, options: argparse.Namespace) -> None:
    argv: list[str] = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if not argv:
        raise LabError("exec: which command? lab exec UNIT -- CMD…")
    command = lab.exec_argv(options.unit, argv)
    os.execvp(command[0], command)


def _run(lab: Lab, options: argparse.Namespace) -> None:
    unit: str = getattr(options, "unit", "")
    segment = "wan" if getattr(options, "wan", False) else "lan"
    match options.command:
        case "up":
            _up(lab, options)
        case "down":
            lab.down()
        case "status":
            _status(lab, options.json)
        case "exec":
            _exec(lab, options)
        case "kill":
            lab.kill(unit)
        case "press":
            lab.units[unit].press()
        case "power" if options.to == "on":
            lab.power_on(unit, options.bare)
        case "power":
            lab.power_off(unit)
        case "cut":
            lab.cut(unit, segment)
        case "mend" | "unmute":
            lab.mend(unit, segment)
        case "mute":
            lab.mute(unit)
        case "split":
            lab.split(options.pc, options.wan)
        case "heal":
            lab.heal()
        case _:
            _probe(lab, options)


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 done, 1 refused or failed (one line says why), 2 wrong usage."""
    try:
        options = _parser().parse_args(arguments)
        if os.geteuid() != 0:
            raise LabError("network namespaces need root")
        _run(Lab(), options)
        return 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # `lab status | head`: nobody reads on, nothing to say
        return 0
    except (LabError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
