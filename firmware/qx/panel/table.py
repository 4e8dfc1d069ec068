# SPDX-License-Identifier: Apache-2.0
"""table: the front panel's states, which of them counts, and what the LEDs do in each. Pure data and rules.

One two-coloured status LED answers "am I protected?", and a yellow one, where the model has it, blinks until
an event is read (R36). Colours and rates: green is well, amber (green and red together) is worth a look, red
needs a hand; a light that changes says the same to somebody who does not see colours, because no two states
of different meaning share a rhythm. docs/leds.md is generated from here. Runs under MicroPython.
"""

from collections import namedtuple

from .pattern import OFF, ON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Shown = dict[tuple[str, str], tuple[int, ...]]  # (LED, colour of one of its lights): pattern

STATUS, ALERT = "status", "alert"
LIGHTS = {STATUS: ("green", "red"), ALERT: ("yellow",)}  # of each LED
MIXED = {"green": ("green",), "red": ("red",), "amber": ("green", "red"), "yellow": ("yellow",)}

State = namedtuple("State", ("name", "led", "colour", "pattern", "meaning"))

HURRIED = (125, 125)
FAST = (250, 250)
SECOND = (500, 500)
DOUBLE = (150, 150, 150, 1550)

# The first that holds is shown.
STATES = (
    State("fault", STATUS, "red", HURRIED, "This device is in fault; the pages and `qx status` say why."),
    State("takeover", STATUS, "green", FAST,
          "Takeover or start of service under way: applications are being started."),
    State("starting", STATUS, "green", (100, 900), "The device starts, or waits for its network port."),
    State("unprotected", STATUS, "amber", SECOND,
          "No Backup would take over: it is down, still copies, or this Backup is not fit."),
    State("passive", STATUS, "amber", (2000, 2000), "The Backup is passive: it takes over by a swap only."),
    State("mismatch", STATUS, "amber", (150, 150, 150, 150, 150, 1250),
          "The two devices differ: firmware, keys, language pack or a parameter."),
    State("stale", STATUS, "amber", DOUBLE,
          "What the Backup has is older than three Synchronization Intervals."),
    State("master", STATUS, "green", ON, "Master, protected by an active Backup."),
    State("backup", STATUS, "green", (200, 1800), "Backup, active and ready to take over."),
    State("standalone", STATUS, "green", (3800, 200), "Standalone: serves alone, without redundancy."),
)  # fmt: skip

# Beside whatever the status LED shows.
UNREAD = State("alert", ALERT, "yellow", SECOND,
               "An event with the action Flash LED waits to be read (not on QX2000).")  # fmt: skip

# What the choice needs to know, as plain values.
#   role        standalone, starting, master, backup or fault
#   ready       the peer (of a Master), or this unit (a Backup), is an active Backup that would take over
#   passive     the Backup of the pair is passive
#   starting    an application that the role wants is not up yet
#   mismatch    the two units differ
#   stale       the Backup's state is too old
Situation = namedtuple("Situation", ("role", "ready", "passive", "starting", "mismatch", "stale"))


def holds(name: str, now: Situation) -> bool:
    """Is this state true of the situation? That a state before it is true as well is not its concern."""
    serving = now.role in ("master", "standalone")
    paired = now.role in ("master", "backup")
    return {
        "fault": now.role == "fault",
        "takeover": serving and now.starting,
        "starting": now.role == "starting",
        "unprotected": paired and not now.ready and not now.passive,
        "passive": paired and now.passive,
        "mismatch": paired and now.mismatch,
        "stale": paired and now.stale,
        "master": now.role == "master",
        "backup": now.role == "backup",
        "standalone": now.role == "standalone",
    }[name]


def choose(now: Situation) -> State:
    """The state that the status LED shows. A role of a later firmware counts as starting."""
    for state in STATES:
        if holds(state.name, now):
            return state
    return next(state for state in STATES if state.name == "starting")


def shown(state: State, alert: bool, leds: "tuple[str, ...]") -> "Shown":
    """The pattern of each light of the LEDs that the front panel has."""
    found = {(led, light): OFF for led in leds for light in LIGHTS[led]}
    for one in (state, UNREAD) if alert else (state,):
        for light in MIXED[one.colour]:
            if (one.led, light) in found:
                found[one.led, light] = one.pattern
    return found


def situation(status: "dict[str, Any]", interval: float) -> Situation:
    """The situation in a `status` (see control.unit). `interval`: the Synchronization Interval in seconds."""
    role, peer, sync = status.get("role"), status.get("peer") or {}, status.get("sync") or {}
    age = sync.get("age_s")
    if role == "master":
        backup = peer.get("state") == "backup"
        passive = backup and peer.get("mode") == "passive"
        ready = backup and not passive and peer.get("armed") is not False
    else:
        passive = status.get("mode") == "passive"
        ready = role == "backup" and not passive and not status.get("why")
    return Situation(
        role,
        ready,
        passive,
        any(one.get("state") == "starting" for one in status.get("applications") or ()),
        bool(status.get("mismatches")),
        role in ("master", "backup") and age is not None and age > 3 * interval,
    )
