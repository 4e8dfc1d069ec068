# SPDX-License-Identifier: Apache-2.0
"""`cext/fsm.c` with a made-up clock: one method an event, which returns the actions by name, in order."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

from _qx import ffi, lib

MS = 1_000_000
SECOND = 1000 * MS

INITIALIZE, BACKUP, MASTER = lib.QX_INITIALIZE, lib.QX_BACKUP, lib.QX_MASTER
ACTIONS = {
    lib.QX_SEND_ADVERT: "advert",
    lib.QX_SEND_RELEASE: "release",
    lib.QX_ADDRESSES_UP: "up",
    lib.QX_ADDRESSES_DOWN: "down",
    lib.QX_ANNOUNCE: "announce",
    lib.QX_INQUIRE: "inquire",
}
ADVERT, RELEASE, UP, DOWN, ANNOUNCE, INQUIRE = ACTIONS.values()
BECOME_MASTER = [ADVERT, UP, ANNOUNCE]


def number(address: str) -> int:
    return int(IPv4Address(address))


class Machine:
    """One virtual router. `now` is the clock: nanoseconds, moved by the tests only."""

    def __init__(
        self,
        *,
        version: int = 2,
        priority: int = 100,
        interval: int = SECOND,
        preempt: bool = False,
        answer_lower: bool = False,
        primary: str = "10.0.0.2",
        now: int = 5 * SECOND,
    ) -> None:
        self.now = now
        self.c: Any = ffi.new("struct qx_fsm *")
        self.c.version = version
        self.c.priority = priority
        self.c.interval = interval
        self.c.preempt = preempt
        self.c.answer_lower = answer_lower
        self.c.primary = number(primary)

    @property
    def state(self) -> int:
        return self.c.state

    @property
    def waits(self) -> int | None:
        """Until the timer fires, in ns; None: no timer runs."""
        return self.c.deadline - self.now if self.c.deadline else None

    def _event(self, call: Callable[..., None], *arguments: int) -> list[str]:
        actions = ffi.new("struct qx_actions *")
        call(self.c, self.now, *arguments, actions)
        assert actions.count <= lib.QX_ACTIONS_MAX
        return [ACTIONS[actions.kind[i]] for i in range(actions.count)]

    def startup(self) -> list[str]:
        return self._event(lib.qx_fsm_startup)

    def shutdown(self) -> list[str]:
        return self._event(lib.qx_fsm_shutdown)

    def timer(self) -> list[str]:
        return self._event(lib.qx_fsm_timer)

    def promote(self) -> list[str]:
        return self._event(lib.qx_fsm_promote)

    def give_way(self) -> list[str]:
        return self._event(lib.qx_fsm_yield)

    def advert(self, priority: int, source: str = "10.0.0.1", interval: int = SECOND) -> list[str]:
        return self._event(lib.qx_fsm_advert, priority, number(source), interval)

    def wait(self, duration: int) -> Machine:
        self.now += duration
        return self

    def wait_for_timer(self) -> Machine:
        self.now = self.c.deadline
        return self


def initialize(**fields: Any) -> Machine:
    return Machine(**fields)


def backup(**fields: Any) -> Machine:
    machine = Machine(**fields)
    assert machine.startup() == []
    assert machine.state == BACKUP
    return machine


def master(**fields: Any) -> Machine:
    """Master since `now`, as Master_Down_Timer makes one."""
    machine = backup(**fields).wait_for_timer()
    assert machine.timer() == BECOME_MASTER
    assert machine.state == MASTER
    return machine
