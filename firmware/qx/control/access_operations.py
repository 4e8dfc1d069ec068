# SPDX-License-Identifier: Apache-2.0
"""access_operations: who may log in (R25): passwords checked and changed, those who guess locked out.

A password is hashed in a process of its own (`qx hash`): Argon2id takes 12 MiB for a moment, which in the
daemon would stay. One at a time, a few may wait, and who is locked out is refused before anything is hashed,
so that any number of logins costs a unit one process. Sessions are the faces' own.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import time
from typing import Any
from weakref import WeakKeyDictionary

from .. import child
from ..errors import Refusal
from ..packing import pack, unpack
from ..settings.store import Store
from ..trust import account
from ..trust.account import Account
from ..trust.lockout import CONSOLE, Lockout
from . import asked
from .store_operations import Changes
from .unit import Unit
from .writing import write

QUEUE = 8  # passwords that wait for the one that is being checked
HASH_TIME = 20.0  # seconds for one of them on a busy unit
FROM_MAX = 64  # characters
# What the password of a user who is not there is compared with: an answer takes as long as for one who is.
NOBODY = "$argon2id$v=19$m=12288,t=3,p=1$Nomaoq2/FcWG62PSdVikzg$H1/5gYSSNbu5NuGILpU1uuqjWZ59faizxh09ofyO57Q"


class Locked(Refusal):
    """Refused before the password was looked at."""

    reason = "locked"


class Busy(Refusal):
    """As many wait as may wait."""

    reason = "busy"


class WrongPassword(Refusal):
    reason = "wrong"


class Access:
    """What one unit remembers of logins."""

    def __init__(self) -> None:
        self.lockout = Lockout()
        self._one = asyncio.Lock()
        self._waiting = 0

    async def hashing(self, request: dict[str, Any], before: Any = None) -> Any:
        """The answer of `qx hash`. `before()` is called when its turn has come. Raises Busy."""
        if self._waiting > QUEUE:
            raise Busy(f"login: busy: {QUEUE} wait already; try again in a moment")
        self._waiting += 1
        try:
            async with self._one:
                if before:
                    before()
                return unpack(await child.ask("hash", pack(request), HASH_TIME))
        finally:
            self._waiting -= 1


_access: WeakKeyDictionary[Any, Access] = WeakKeyDictionary()


def _of(unit: Unit) -> Access:
    return _access.setdefault(unit, Access())


async def login(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """args: user; password; from, the address or "console". Result: {role: administrator or operator,
    must_change: is it the factory's password, or one to be replaced?}. Refusals have a reason: wrong, locked
    (before the password was looked at) or busy."""
    user, text, where = _person(arguments), asked.text(arguments, "password"), _from(arguments)
    found = await _check(unit, user, text, where)
    # A Backup's users are the Master's: there is nothing to be changed here (R19).
    here = unit.status().get("role") != "backup"
    return {"role": found.role, "must_change": found.must_change and here}


async def password(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """A user changes his own. args: user; old; new; from. Result: see `committed`; refusals as of `login`."""
    user, old, new = _person(arguments), asked.text(arguments, "old"), asked.text(arguments, "new")
    _fit(unit, user, new)
    if hmac.compare_digest(old.encode(), new.encode()):
        raise Refusal("new password: it is the old one; expected another one")
    await _check(unit, user, old, _from(arguments))
    return await _store(unit, user, new, change=False, who=user)


async def password_set(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """An administrator gives a user a password. args: user; new; change, must it be changed at the next login
    (true if left out)?; who. Result: see `committed`."""
    user, new = _person(arguments), asked.text(arguments, "new")
    _fit(unit, user, new)
    change = arguments.get("change", True) is not False
    return await _store(unit, user, new, change=change, who=asked.who(arguments))


async def _check(unit: Unit, user: str, text: str, where: str) -> Account:
    """The account, if that is its password. Raises Locked, Busy, WrongPassword."""
    access = _of(unit)

    def let_in() -> None:
        wait = access.lockout.wait(user, where, time.monotonic())
        if wait > 0:
            raise Locked(f"login: locked after wrong passwords; expected a pause of {math.ceil(wait)} s")

    let_in()
    found = await unit.run_in_store(lambda store: account.find(store.settings, user))
    # Looked at again when its turn has come: the ones before it may have been wrong.
    good = await access.hashing(
        {"do": "check", "text": text[: account.LENGTH_MAX + 1], "hashed": (found and found.hashed) or NOBODY},
        let_in,
    )
    if found is not None and not found.hashed:
        good = hmac.compare_digest(text.encode(), _factory(unit).encode())
    if found is None or good is not True:
        _failed(unit, access, user, where)
        raise WrongPassword("login: wrong user name or password")
    access.lockout.succeeded(user, where)
    return found


def _failed(unit: Unit, access: Access, user: str, where: str) -> None:
    wait = access.lockout.failed(user, where, time.monotonic())
    if wait > 0:
        place = "on the serial console" if where == CONSOLE else f"from {where or 'this device'}"
        unit.events.add(
            "warning",
            "Login lockout",
            f"{user!r} {place}: wrong password; locked for {wait:.0f} s",
            "Security",
        )


async def _store(unit: Unit, user: str, new: str, *, change: bool, who: str) -> dict[str, Any]:
    hashed = await _of(unit).hashing({"do": "make", "text": new})
    if not isinstance(hashed, str):
        raise Refusal("new password: not hashed; the daemon's log has it")

    def changes(store: Store) -> Changes:
        here = store.settings.explicit(f"users.{user}.change_password")
        flag = True if change else (None if not here else False)
        return {f"users.{user}.password": hashed, f"users.{user}.change_password": flag}

    return await write(unit, changes, {"who": who}, "password")


def _fit(unit: Unit, user: str, new: str) -> None:
    why = account.unfit(new, user, _factory(unit))
    if why:
        raise Refusal(f"new password: {why}")


def _factory(unit: Unit) -> str:
    """The password of `admin` until he has one of his own: on the label."""
    return str(unit.status().get("serial", ""))


def _person(arguments: dict[str, Any]) -> str:
    user = asked.text(arguments, "user")
    if not 0 < len(user) <= account.NAME_MAX or not user.isprintable():
        raise Refusal(f"user: expected a name of 1 to {account.NAME_MAX} characters")
    return user


def _from(arguments: dict[str, Any]) -> str:
    where = asked.text(arguments, "from")
    if len(where) > FROM_MAX or not where.isprintable():
        raise Refusal(f"from: expected an address of at most {FROM_MAX} characters")
    return where


OPERATIONS = {"login": login, "password": password, "password_set": password_set}
