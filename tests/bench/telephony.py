# SPDX-License-Identifier: Apache-2.0
"""What a power cut costs the phones of a Master that serves: SIPp is all of them, Kamailio the service (R22).

Every extension of the model is registered, some are in calls. The time is that between the service address's
first answer to the PC's pings and the service's first answer to its OPTIONS, both after the cut.
"""

import contextlib
import re
from collections.abc import Iterator

import pytest
from board.lab.namespace import LabError
from board.lab.probe import Probe

from pbx.phones import Prober, Sipp, accounts, calls_of, register
from pbx.service import calls_up, located, reads, registered
from qx.control.client import call
from qx.paths import Paths

from . import cost, takeover
from .figures import PRODUCT, Sample
from .pair import Pair, other, wait_for
from .setting import SERVICE

FIRST = 10000  # extension
PC = "10.77.0.50"
CALLER, CALLEE = 5061, 5062  # ports
HOLD = 8000  # ms that a call is up before it is changed
PATIENCE = 20.0
_ROWS = re.compile(r"registrations handed on in ([0-9.]+) ms")

Found = dict[str, dict[str, list[Sample]]]


def takeovers(pair: Pair, phones: int, calls: int, rounds: int) -> Found:
    """`sip-service`: ms; `sip-rows`: of them those in which all registrations are written for Kamailio;
    `sip-lost`: of `calls`, those that the new Master could not change and end; `sip-memory`: MiB of its
    daemon."""
    found: Found = {key: {PRODUCT: []} for key in ("sip-service", "sip-rows", "sip-lost", "sip-memory")}
    everyone = range(FIRST, FIRST + phones)
    with _failing():
        _register(pair, everyone)
        for _ in range(rounds):
            for key, value in _takeover(pair, everyone, calls).items():
                found[key][PRODUCT].append(Sample(value))
    return found


def _register(pair: Pair, everyone: range) -> None:
    master = pair.ready()
    wanted = ["phone_reboot.policy=none", "call.register_time=3600", *accounts(everyone)]
    changes = dict(one.split("=", 1) for one in wanted)
    call(Paths(pair.lab.units[master].root), "set", {"changes": changes, "who": "bench"}, 60.0)
    reads(pair.lab, master, everyone[-1], PATIENCE)
    register(pair.lab, everyone, 5070, CALLEE, rate=400, address=PC)


def _takeover(pair: Pair, everyone: range, calls: int) -> dict[str, float]:
    lab, master = pair.lab, pair.ready()
    backup = other(master)
    wait_for(lambda: registered(lab, backup) == len(everyone), PATIENCE, "all are on the Backup", 0.1)
    log = lab.units[backup].log
    said = log.stat().st_size
    with (
        Prober(lab, address=PC) as prober,
        Probe(lab.network.name("pc"), SERVICE) as pings,
        Sipp(lab, "callee-ends", CALLEE, calls, media=20000, ring=100, address=PC) as called,
        Sipp(lab, "caller-changes", CALLER, calls, media=40000, hold=HOLD, after=0, rate=20, address=PC,
             rows=calls_of(everyone[:calls], everyone[calls : 2 * calls])) as calling,
    ):  # fmt: skip
        wait_for(lambda: calls_up(lab, backup) == calls, PATIENCE, "the calls are up", 0.1)
        moment = takeover.power_cut(pair, master)
        if not takeover.answered(pings, moment + 0.05):
            raise LabError(f"nobody answers at {SERVICE}")
        back = prober.back_after(moment, PATIENCE)
        moved = next(reply / 1e9 for reply in pings.replies() if reply / 1e9 > moment + 0.05)
        if located(lab, backup) != len(everyone):
            raise LabError("the service answers without all registrations")
        kept = min(calling.outcome().successful, called.outcome().successful)
    rows = _ROWS.search(log.read_bytes()[said:].decode(errors="replace"))
    if not rows:
        raise LabError("the new Master does not tell how long its registrations took")
    return {
        "sip-service": 1e3 * (back - moved),
        "sip-rows": float(rows[1]),
        "sip-lost": float(calls - kept),
        "sip-memory": cost.memory(pair.contestant.processes(backup)["engine"])["rss"],
    }


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """What the tests' phones say of a failure, as the bench takes it."""
    try:
        yield
    except (AssertionError, pytest.fail.Exception) as failure:
        raise LabError(str(failure)) from None
