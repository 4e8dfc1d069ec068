# SPDX-License-Identifier: Apache-2.0
"""lockout: how long somebody who typed wrong passwords has to wait (R25). Pure: time comes in.

Failures are counted for each account and for each address. A few are free; each one after them doubles the
wait. An account's wait stays short, so that nobody keeps its owner out for long from another machine; an
address's grows, so that guessing many names from one place ends as well. The serial console is a place of its
own: what is tried over the network never locks an account there.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

CONSOLE = "console"  # the address of the serial line
KEPT = 1024  # accounts, and addresses, that are remembered; the longest untouched are forgotten first


class Limits(NamedTuple):
    free: int  # failures without a wait
    first: float  # seconds after the next one
    most: float  # seconds; doubled until then
    forget: float  # seconds without a failure after which all is forgotten


ACCOUNT = Limits(free=4, first=5.0, most=60.0, forget=900.0)
ADDRESS = Limits(free=9, first=5.0, most=900.0, forget=3600.0)


@dataclass(slots=True)
class _Count:
    failures: int = 0
    last: float = 0.0
    until: float = 0.0


@dataclass(slots=True)
class _Counts:
    """The failures of one kind of key."""

    limits: Limits
    _kept: OrderedDict[str, _Count] = field(default_factory=OrderedDict[str, _Count])

    def wait(self, key: str, now: float) -> float:
        count = self._kept.get(key)
        return max(count.until - now, 0.0) if count else 0.0

    def failed(self, key: str, now: float) -> float:
        """Counts one more; the seconds that the key waits from now on, 0 for none."""
        count = self._kept.pop(key, None)
        if count is None or now - count.last > self.limits.forget:
            count = _Count()
        self._kept[key] = count
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        count.failures, count.last = count.failures + 1, now
        over = count.failures - self.limits.free
        if over <= 0:
            return 0.0
        wait = min(self.limits.first * 2.0 ** min(over - 1, 32), self.limits.most)
        count.until = now + wait
        return wait

    def forgive(self, key: str, most: int | None = None) -> int:
        """Forgets that many of the key's failures, or all; how many it had."""
        count = self._kept.get(key)
        if count is None:
            return 0
        had = count.failures
        count.failures = 0 if most is None else max(0, had - most)
        if not count.failures:
            del self._kept[key]
        return had


class Lockout:
    """Who waits. `now` is CLOCK_MONOTONIC seconds."""

    def __init__(self, account: Limits = ACCOUNT, address: Limits = ADDRESS) -> None:
        self._accounts, self._addresses = _Counts(account), _Counts(address)

    def wait(self, user: str, address: str, now: float) -> float:
        """Seconds until this account may be tried again from this address; 0: it may."""
        return max(self._accounts.wait(_account(user, address), now), self._addresses.wait(address, now))

    def failed(self, user: str, address: str, now: float) -> float:
        """A wrong password. Seconds that the account or the address waits now; 0: they may go on."""
        account = self._accounts.failed(_account(user, address), now)
        return max(account, self._addresses.failed(address, now))

    def succeeded(self, user: str, address: str) -> None:
        """The right password: this account's failures are forgotten, at the address as well. Those for other
        accounts are not, or somebody with an account of his own could guess another's for ever."""
        self._addresses.forgive(address, self._accounts.forgive(_account(user, address)))


def _account(user: str, address: str) -> str:
    return f"{CONSOLE} {user}" if address == CONSOLE else user
