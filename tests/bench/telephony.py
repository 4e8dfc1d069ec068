# SPDX-License-Identifier: Apache-2.0
"""What a power cut costs the phones of a Master that serves: SIPp is all of them, Kamailio the service (R22).

Every extension of the model is registered, some are in calls. The product starts its Kamailio at the
takeover; keepalived's (standby.py) runs on both units all the time. The time is that between the service
address's first answer to the PC's pings and the service's first answer to its OPTIONS, both after the cut.
"""

import re

from board.lab import namespace
from board.lab.namespace import LabError
from board.lab.probe import Probe

from pbx.phones import Prober, Sipp, accounts, calls_of, register
from pbx.service import dialogs, located, reads, registered
from qx.control.client import call
from qx.paths import Paths

from . import cost, takeover
from .failing import failing
from .figures import PRODUCT, Sample
from .pair import Pair, other, wait_for
from .setting import SERVICE
from .standby import extensions

PC = "10.77.0.50"
CALLER, CALLEE = 5061, 5062  # ports
HOLD = 8000  # ms that a call is up before it is changed
PATIENCE = 20.0
_ROWS = re.compile(r"registrations handed on in ([0-9.]+) ms")


def power_cut(pair: Pair, calls: int) -> dict[str, list[Sample]]:
    """`service`: ms, every registration known; `lost`: of `calls`, those that could not be changed and ended
    through the new Master; `memory`: MiB, proportional share of all its processes. Of the product `rows`, ms
    of the first until every registration is written for Kamailio, and `daemon`, MiB of it resident."""
    everyone = extensions(pair.setting.phones)
    with failing():
        _register(pair, everyone)
        found = _power_cut(pair, calls, everyone)
    return {figure: [Sample(value)] for figure, value in found.items()}


def _register(pair: Pair, everyone: range) -> None:
    lab, master = pair.lab, pair.ready()
    if pair.contestant.name == PRODUCT:
        wanted = ["phone_reboot.policy=none", "call.register_time=3600", *accounts(everyone)]
        changes = dict(one.split("=", 1) for one in wanted)
        call(Paths(lab.units[master].root), "set", {"changes": changes, "who": "bench"}, 60.0)
    reads(lab, master, everyone[-1], PATIENCE)
    register(lab, everyone, 5070, CALLEE, rate=400, address=PC)


def _power_cut(pair: Pair, calls: int, everyone: range) -> dict[str, float]:
    lab, master = pair.lab, pair.ready()
    backup, ours = other(master), pair.contestant.name == PRODUCT
    known = registered if ours else located
    wait_for(lambda: known(lab, backup) == len(everyone), PATIENCE, "all are on the Backup", 0.1)
    with (
        Prober(lab, address=PC) as prober,
        Probe(lab.network.name("pc"), SERVICE) as pings,
        Sipp(lab, "callee-ends", CALLEE, calls, media=20000, ring=100, address=PC) as called,
        Sipp(lab, "caller-changes", CALLER, calls, media=40000, hold=HOLD, after=0, rate=20, address=PC,
             rows=calls_of(everyone[:calls], everyone[calls : 2 * calls])) as calling,
    ):  # fmt: skip
        wait_for(lambda: dialogs(lab, master) == calls, PATIENCE, "the calls are up", 0.1)
        moment = takeover.power_cut(pair, master)
        if not takeover.answered(pings, moment + 0.05):
            raise LabError(f"nobody answers at {SERVICE}")
        back = prober.back_after(moment, PATIENCE)
        moved = next(reply / 1e9 for reply in pings.replies() if reply / 1e9 > moment + 0.05)
        if located(lab, backup) != len(everyone):
            raise LabError("the service answers without all registrations")
        kept = min(calling.outcome().successful, called.outcome().successful)
    running = namespace.processes(lab.network.name(backup))
    found = {
        "service": max(0.0, 1e3 * (back - moved)),
        "lost": float(calls - kept),
        "memory": sum(cost.memory(pid)["pss"] for pid in running),
    }
    if ours:
        rows = _ROWS.findall(lab.units[backup].log.read_text(errors="replace"))
        daemon = cost.memory(pair.contestant.processes(backup)["engine"])
        found |= {"rows": float(rows[-1]), "daemon": daemon["rss"]}
    return found
