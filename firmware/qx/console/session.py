# SPDX-License-Identifier: Apache-2.0
"""session: a console from the login to the log-out, over and over: no login without a password, and whatever
is typed leads back to a prompt. Ends when the line hangs up; init starts the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..control import client
from ..errors import NoDaemon, NotProvisioned, Refusal
from ..trust.account import NAME_MAX
from ..trust.lockout import CONSOLE
from ..words import ENGLISH, Words, spoken
from . import pages
from .screen import Idle, Interrupted, Screen, refused
from .visit import Visit

if TYPE_CHECKING:
    from ..paths import Paths

TYPING = 60.0  # seconds for a password
IDLE = 600.0  # seconds without a key, then somebody who forgot to log out is logged out


class Entry(NamedTuple):
    title: str
    does: Callable[[Visit], None]
    changes: bool  # only an administrator may


MENU = (
    Entry("Status", pages.status, False),
    Entry("Redundancy Settings", pages.redundancy, False),
    Entry("Network", pages.network, False),
    Entry("Backup Device Mode", pages.mode, True),
    Entry("Swap Master Device", pages.swap, True),
    Entry("Events", pages.events, False),
    Entry("Restart", pages.restart, True),
    Entry("Change Password", pages.password, False),
    Entry("Factory Reset", pages.factory_reset, True),
)
AT_THE_DOOR = (
    Entry("Password Reset (needs the button on this device)", pages.password_reset, False),
    Entry("Factory Reset (needs the button on this device)", pages.factory_reset, False),
)


def run(paths: Paths, screen: Screen) -> None:
    """Until HungUp."""
    while True:
        try:
            screen.words = _words(paths)
            visit = _login(paths, screen)
            if visit:
                _work(visit)
        except Interrupted:
            screen.say()
        except Idle:
            screen.say("Nothing was typed for a while.")
        finally:
            screen.known = False
            screen.patience = IDLE


def _words(paths: Paths) -> Words:
    """The language of the pages is that of the console; English until the device can say it."""
    try:
        return spoken(client.call(paths, "langpack_catalogue"))
    except (Refusal, OSError, ValueError):
        return ENGLISH


def _login(paths: Paths, screen: Screen) -> Visit | None:
    """Who is there; None where nobody came in."""
    screen.patience = 365 * 86400.0  # a prompt may wait
    screen.say()
    user = screen.ask(lambda: screen.words("%(name)s login (? for help):", {"name": _name(paths)}) + " ")
    screen.patience = TYPING
    if not user:
        return None
    if user == "?":
        _choose(Visit(paths, screen), "Help", AT_THE_DOOR, once=True)
        return None
    if not (user.isascii() and user.isprintable()) or len(user) > NAME_MAX:
        screen.say(f"Expected a user name of at most {NAME_MAX} characters.")
        return None
    secret = screen.ask("Password: ", secret=True)
    visit = Visit(paths, screen, user)
    try:
        found = visit.call("login", {"user": user, "password": secret, "from": CONSOLE})
    except (NoDaemon, NotProvisioned) as error:
        screen.say(f"This device is not ready: {error}")
        return None
    except Refusal as error:
        screen.say(str(error).removeprefix("login: ").capitalize())
        return None
    screen.patience = IDLE
    if found["must_change"]:
        screen.say("This password has to be replaced before anything else.")
        if not pages.change_password(visit, secret):
            return None
    visit.role = found["role"]
    return visit


def _name(paths: Paths) -> str:
    try:
        told: dict[str, Any] = client.call(paths, "status")
    except Refusal:
        return "Device that is not ready,"
    return f"{str(told.get('model', '')).upper()} {told.get('serial', '')} ({told.get('role', '')})"


def _work(visit: Visit) -> None:
    visit.screen.known = True
    _choose(visit, "Main Menu", MENU)
    visit.screen.say("Logged out.")


def _choose(visit: Visit, title: str, menu: tuple[Entry, ...], *, once: bool = False) -> None:
    """Lets the user choose until he has enough; what a page was interrupted at is forgotten."""
    screen = visit.screen
    leave = f"0  {screen.words('Go Back' if once else 'Log Out')}"
    while True:
        try:
            visit.heading(title)
            for number, entry in enumerate(menu, 1):
                screen.say(f"{number}  {screen.words(entry.title)}")
            screen.say(leave)
            word = screen.ask("Choice: ")
            if word == "0":
                return
            if not word:
                continue
            if not (word.isdecimal() and 0 < int(word) <= len(menu)):
                screen.say(f"{word[:40]!r}: expected a number from 0 to {len(menu)}")
                continue
            entry = menu[int(word) - 1]
            if entry.changes and not visit.administrator:
                screen.say(f"{entry.title}: expected an administrator; {visit.user} is an operator")
                continue
            entry.does(visit)
            if once:
                return
        except Interrupted:
            if once:
                return
            screen.say()
        except Refusal as error:
            refused(screen, error)
            if once:
                return
