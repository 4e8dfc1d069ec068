# SPDX-License-Identifier: Apache-2.0
"""pages: the menu's other entries: status, mode, swap, events, restart, password, factory reset."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..control import client
from ..control.render import event_text, mode_line, status_text
from ..errors import Refusal
from ..trust.lockout import CONSOLE
from . import settings_page
from .screen import refused
from .words import COLUMNS

if TYPE_CHECKING:
    from .visit import Visit

LOOK = 2.0  # seconds between two looks of the live status
ANY_KEY = "Any key to go back."
# With what the lines begin that a dumb terminal is not told anew: counters and ages change all the time.
RESTLESS = ("VRRP", "sync", ANY_KEY)
EVENTS = 12  # a page of them
SAID = ("severity", "state", "name", "description")  # of an event, in the language of the console


def status(visit: Visit) -> None:
    """Live until a key is pressed: a VT100's rows are written anew where they changed, a dumb terminal is
    told what changed."""
    screen = visit.screen
    if screen.vt100:
        screen.clear()
    restless = tuple(map(screen.words, RESTLESS))
    shown: list[str] = []
    while True:
        lines = [line[:COLUMNS] for line in _now(visit).splitlines()]
        lines += ["", screen.words(ANY_KEY)]
        if screen.vt100:
            for row, line in enumerate(lines):
                if shown[row : row + 1] != [line]:
                    screen.at(row + 1, line)
            screen.below(len(lines) + 1)
            shown = lines
        else:
            steady = [line for line in lines if not line.startswith(restless)]
            new = [line for line in steady if line not in shown]
            if new:
                screen.table("\n".join(lines if not shown else [time.strftime("%H:%M:%S"), *new]))
            shown = steady
        if screen.pressed(LOOK):
            screen.say()
            return


def _now(visit: Visit) -> str:
    words = visit.screen.words
    try:
        return status_text(client.call(visit.paths, "status"), words)
    except Refusal as error:
        return words(str(error))


def _told(visit: Visit) -> dict[str, Any]:
    """The status, of which the user is told the mode."""
    found: dict[str, Any] = visit.call("status")
    visit.screen.say(mode_line(found))
    return found


def redundancy(visit: Visit) -> None:
    _told(visit)
    settings_page.show(visit, "Redundancy Settings", ["redundancy"])


def network(visit: Visit) -> None:
    settings_page.show(visit, "Network", ["network", "time"])


def mode(visit: Visit) -> None:
    screen, found = visit.screen, _told(visit)
    if found.get("role") != "backup":
        screen.say("Only a Backup device is active or passive.")
        return
    other = "active" if found.get("mode") == "passive" else "passive"
    if other == "passive":
        screen.say("A passive Backup does not take over by itself: the pair is unprotected.")
    if screen.confirmed(f"Set the Backup Device Mode to {other}?"):
        visit.call("mode", {"mode": other})
        screen.say(f"The Backup Device Mode is {other}.")


def swap(visit: Visit) -> None:
    screen, found = visit.screen, _told(visit)
    if found.get("role") != "master":
        screen.say("Only the Master can be swapped.")
        return
    screen.say("The Backup device becomes Master, and this device restarts as Backup.")
    if screen.confirmed("Swap Master Device?"):
        screen.say(visit.call("swap"))


def events(visit: Visit) -> None:
    """The last ones, and older ones for as long as the user wants."""
    screen = visit.screen
    found: list[dict[str, Any]] = list(visit.call("events", {"last": 1000}))
    end = len(found)
    while end:
        page = found[max(0, end - EVENTS) : end]
        for event in page:
            told = {**event, **{name: screen.words(event[name]) for name in SAID}}
            screen.say(event_text(told))
        end -= len(page)
        if not end or screen.ask("o for older ones, Enter to go back: ").lower() not in ("o", "older"):
            return
    if not found:
        screen.say("No events.")


def restart(visit: Visit) -> None:
    """Asks what becomes of the role where an active Backup would take over (R41)."""
    screen = visit.screen
    if not screen.confirmed("Restart this device?"):
        return
    _asking(visit, "reboot", {}, ("hold", "swap", "now"))


def password(visit: Visit) -> None:
    change_password(visit, visit.screen.ask("Old password: ", secret=True))


def change_password(visit: Visit, old: str) -> bool:
    """Was it changed?"""
    screen = visit.screen
    new = screen.ask("New password: ", secret=True)
    if screen.ask("Once more: ", secret=True) != new:
        screen.say("Typed differently the second time; it stays as it was.")
        return False
    try:
        visit.call("password", {"user": visit.user, "old": old, "new": new, "from": CONSOLE})
    except Refusal as error:
        refused(screen, error)
        return False
    screen.say("The password is changed.")
    return True


def factory_reset(visit: Visit) -> None:
    """By an administrator with his password, or by whoever stands at the unit's button."""
    screen = visit.screen
    screen.say(
        "Settings, feature keys, voice data and events are removed from this device; its firmware stays."
    )
    serial = screen.ask("Serial number of this device (Enter cancels): ")
    if not serial:
        return
    values: dict[str, Any] = {"serial": serial}
    if visit.administrator:
        secret = screen.ask("Your password: ", secret=True)
        values |= {"user": visit.user, "password": secret, "from": CONSOLE}
    else:
        values["presence"] = True
    _asking(visit, "factory-reset", values, ("swap", "now"))


def password_reset(visit: Visit) -> None:
    """Before anybody is logged in."""
    screen = visit.screen
    seconds = visit.call("presence")["seconds"]
    if not seconds:
        screen.say("Press the button on this device, then choose this again within two minutes.")
        return
    if screen.confirmed("Give admin the factory's password (the serial number on the label) again?"):
        visit.call("password-reset", {"presence": True})
        screen.say("Log in as admin with the serial number on the label.")


WHICH = {
    "hold": "the Backup waits until this device is back, at most 10 minutes",
    "swap": "the Backup becomes Master first",
    "now": "the Backup takes over when this device is gone",
    "cancel": "nothing is done",
}


def _asking(visit: Visit, operation: str, values: dict[str, Any], hows: tuple[str, ...]) -> None:
    screen = visit.screen
    try:
        screen.say(visit.call(operation, {**values, "how": ""}))
        return
    except Refusal as error:
        if error.reason != "ask":
            raise
    screen.say("The Backup device would take over:")
    choices = (*hows, "cancel")
    screen.table("\n".join(f"  {how:<7} {screen.words(WHICH[how])}" for how in choices))
    word = screen.ask(f"Which ({hows[0]})? ").lower() or hows[0]
    chosen = [how for how in choices if how.startswith(word)]
    if len(chosen) != 1 or chosen == ["cancel"]:
        screen.say("Cancelled; nothing was done.")
        return
    screen.say(visit.call(operation, {**values, "how": chosen[0]}))
