# SPDX-License-Identifier: Apache-2.0
"""One unit of the simulated pair: `cext/group.c`, and around it what the engine is to it.

The engine's loop without sockets: woken, hear what waits, look at the timers, carry the actions out. It
probes for the service address with `cext/probe.c`, says hello twice a second, at each change of state and
when it has found its Master, and its control plane renews the lease. Nothing is decided here. The LAN and the
clock are in pair_simulator.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from machine import (
    ACTIONS,
    ADVERT,
    BACKUP,
    DOWN,
    INITIALIZE,
    INQUIRE,
    MASTER,
    MS,
    RELEASE,
    SECOND,
    UP,
    number,
)

from _qx import ffi, lib

if TYPE_CHECKING:
    from pair_simulator import Pair

LEASE = 10 * SECOND
HELLO_EVERY = SECOND // 2
BOOT = SECOND  # the probes for the unit's own Virtual IP
SEATS = {
    lib.QX_SEAT_NONE: None,
    lib.QX_SEAT_RETURNED: "returned",
    lib.QX_SEAT_STARTUP: "startup",
    lib.QX_SEAT_TAKEOVER: "takeover",
    lib.QX_SEAT_CONFIRMED: "confirmed",
}


class Unit:
    def __init__(self, lan: Pair, name: str, address: str, peer: str, settings: dict[str, Any]) -> None:
        self.lan, self.name = lan, name
        self.address, self.peer_address = number(address), number(peer)
        self.version, self.interval, self.vrid = settings["version"], settings["interval"], settings["vrid"]
        self.service = settings["service"]
        self.wan_tracking = settings["wan_tracking"]
        self.group: Any = ffi.new("struct qx_group *")
        self.actions: Any = ffi.new("struct qx_actions *")
        self.probe: Any = ffi.new("struct qx_probe *")
        self.powered = False
        self.carrier = True
        self.wan_carrier = True
        self.passes_from = 0  # its switch port passes no frame before
        self.loss = 0.0  # of its advertisements
        self.mute = False  # its advertisements are lost, its hellos are not
        self.armed = True
        self.keyed = False  # it can ask the other whether it is alive
        self.asked = 0
        self.passive = False
        self.control = True  # the control plane renews the lease
        self.holds = False
        self.frozen_until = 0
        self.waiting: list[Callable[[], None]] = []  # in the receive queue of a frozen unit
        self.log: list[tuple[int, int, int]] = []  # (time, state, cause)
        self.sent: list[tuple[int, int]] = []  # (time, priority)
        self.hello_at = 0
        self.answered = 0  # when it last answered a lower advertisement
        self.generation = 0

    @property
    def state(self) -> int:
        return self.group.fsm.state

    @property
    def is_master(self) -> bool:
        return self.powered and self.state == MASTER

    @property
    def is_backup(self) -> bool:
        return self.powered and self.state == BACKUP

    @property
    def seat(self) -> str | None:
        return SEATS[self.group.seat]

    @property
    def priority(self) -> int:
        return lib.qx_group_priority(self.group, self.lan.now)

    @property
    def awake(self) -> bool:
        return self.powered and self.lan.now >= self.frozen_until

    # --- the loop ---------------------------------------------------------------------------------------
    def happens(self, *events: Callable[[], None]) -> None:
        """One turn of the loop: woken, what is in the queue, what is due."""
        now = self.lan.now
        if not self.powered:
            return
        if now < self.frozen_until:
            self.waiting += events
            return
        lib.qx_group_wake(self.group, now)
        for event in events:
            self._round(event)
        if self.control:
            lib.qx_group_lease(self.group, now + LEASE, self.armed)
        else:
            lib.qx_group_lease(self.group, self.group.lease_until, self.armed)
        lib.qx_group_keyed(self.group, self.keyed)
        self._round(lambda: lib.qx_group_timer(self.group, now, self.actions))
        assert lib.qx_group_deadline(self.group, now) > now, (
            "a loop that sleeps until the deadline would spin"
        )
        if now >= self.hello_at:
            self._say_hello()
        self._look_for_holder()
        self._sleep()

    def _round(self, event: Callable[[], None]) -> None:
        before = self.state
        self.actions.count = 0
        event()
        for i in range(self.actions.count):
            self._carry_out(ACTIONS[self.actions.kind[i]])
        if self.state == before:
            return
        assert self.state != MASTER or self.group.link, "a unit without link never becomes Master"
        self.log.append((self.lan.now, self.state, self.group.cause))
        lib.qx_probe_stop(self.probe)
        if self.state == BACKUP and not self.group.heard:
            lib.qx_probe_start(self.probe, number(self.service), True, self.lan.now, 0)
        self._say_hello()

    def _carry_out(self, action: str) -> None:
        now = self.lan.now
        if action in (ADVERT, RELEASE) and self.group.link:
            lib.qx_group_sent(self.group, now)
            priority = 0 if action == RELEASE else self.priority
            self.sent.append((now, priority))
            self.lan.carry_advert(self, priority)
        elif action in (UP, DOWN):
            self.holds = action == UP
        elif action == INQUIRE:
            self.asked += 1
            self.lan.carry_question(self)
        elif action == "announce":
            assert self.holds, "an address is announced only where it is"

    def _look_for_holder(self) -> None:
        was = self.probe.state
        if lib.qx_probe_timer(self.probe, self.lan.now):
            other = self.lan.other(self)
            if self.lan.carries(self, other) and other.holds and other.service == self.service:
                lib.qx_probe_heard(self.probe, self.lan.now, number(self.service), 0, b"\0\0\x5e\0\1\x12")
                lib.qx_group_service(self.group, self.lan.now, lib.QX_SERVICE_TAKEN)
        if was == lib.QX_PROBE_RUNNING and self.probe.state == lib.QX_PROBE_CLEAR:
            lib.qx_group_service(self.group, self.lan.now, lib.QX_SERVICE_FREE)

    def _sleep(self) -> None:
        self.generation += 1
        generation = self.generation
        due = min(
            lib.qx_group_deadline(self.group, self.lan.now), self.hello_at, self.probe.due or self.hello_at
        )

        def wake() -> None:
            if generation == self.generation:
                self.happens()

        self.lan.at(max(due, self.lan.now), wake)

    # --- what a unit says -------------------------------------------------------------------------------
    def _say_hello(self) -> None:
        group, now = self.group, self.lan.now
        self.hello_at = now + HELLO_EVERY
        if not (group.ready and group.link):
            return
        hello = ffi.new("struct qx_hello *")
        hello.state, hello.priority = self.state, self.priority
        hello.vrid, hello.version, hello.interval_cs = self.vrid, self.version, self.interval // (10 * MS)
        hello.armed = (
            lib.qx_group_armed(group, now)
            and (group.parameter == lib.QX_SAME or now >= group.parameter_until)
            and (group.heard or group.service != lib.QX_SERVICE_TAKEN)
        )
        hello.passive, hello.wan_link = group.passive, group.wan_link
        self.lan.carry_hello(self, hello)

    def hears_advert(self, sender: Unit, priority: int) -> None:
        """As the ladder judges it: another group, version or (in version 2) interval is refused."""
        differs: tuple[int, int] | None = None
        if sender.vrid != self.vrid:
            differs = lib.QX_DIFFERS_GROUP, sender.vrid
        elif sender.version != self.version:
            differs = lib.QX_DIFFERS_VERSION, sender.version
        elif sender.interval != self.interval and self.version == 2:
            differs = lib.QX_DIFFERS_INTERVAL, sender.interval // (10 * MS)

        def heard() -> None:
            group, now, actions = self.group, self.lan.now, self.actions
            if differs:
                lib.qx_group_refused(group, now, *differs, priority, sender.interval, actions)
                return
            # RFC 9568: a Master answers a lower one, and the engine sees to it that it is not for ever.
            group.fsm.answer_lower = self.version == 3 and now - self.answered > self.interval // 2
            found = not group.heard
            lib.qx_group_advert(group, now, priority, sender.address, sender.interval, actions)
            if found and group.heard:
                self._say_hello()
            if group.fsm.state == MASTER and priority and actions.count:
                self.answered = now

        self.happens(heard)

    def hears_question(self, sender: Unit) -> None:
        self.happens(lambda: self.lan.carry_answer(self, sender))

    def hears_answer(self, state: int) -> None:
        self.happens(lambda: lib.qx_group_answered(self.group, state))

    # --- what happens to a unit -------------------------------------------------------------------------
    def boot(self, *, ready_after: int = BOOT, resume: bool = False) -> None:
        self.powered, self.frozen_until, self.waiting = True, 0, []
        ffi.memmove(self.group, bytes(ffi.sizeof("struct qx_group")), ffi.sizeof("struct qx_group"))
        lib.qx_probe_stop(self.probe)
        group, now = self.group, self.lan.now
        group.fsm.version, group.fsm.interval, group.fsm.primary = self.version, self.interval, self.address
        group.vrid, group.peer, group.wan_tracking = self.vrid, self.peer_address, self.wan_tracking
        lib.qx_group_reset(group, now)
        group.passive, group.wan_link = self.passive, self.wan_carrier
        self.hello_at = now
        if ready_after == 0:
            lib.qx_group_ready(group, True)
        else:
            self.lan.at(now + ready_after, self._ready)
        if self.carrier:
            lib.qx_group_link(group, now, True, self.actions)
        self.happens(lambda: lib.qx_group_start(group, now, resume, self.actions))

    def _ready(self) -> None:
        self.happens(lambda: lib.qx_group_ready(self.group, True))

    def power_off(self) -> None:
        """Everything ends at once; nobody says anything."""
        self.powered = self.holds = False
        self.waiting = []
        self.generation += 1
        self.log.append((self.lan.now, INITIALIZE, lib.QX_CAUSE_NONE))

    def die(self) -> None:
        """The daemon is killed, and the guardian releases in its stead."""
        master = self.is_master
        self.power_off()
        if master and self.carrier:
            self.sent.append((self.lan.now, 0))
            self.lan.carry_advert(self, 0)

    def set_carrier(self, up: bool) -> None:
        self.carrier = up
        self.happens(lambda: lib.qx_group_link(self.group, self.lan.now, up, self.actions))

    def set_wan_carrier(self, up: bool) -> None:
        self.wan_carrier = up
        self.happens(lambda: lib.qx_group_wan(self.group, self.lan.now, up))

    def set_passive(self, passive: bool) -> None:
        self.passive = passive
        self.happens(lambda: lib.qx_group_passive(self.group, self.lan.now, passive, self.actions))

    def release(self) -> None:
        self.happens(lambda: lib.qx_group_release(self.group, self.lan.now, lib.QX_CAUSE_ORDER, self.actions))

    def promote(self) -> None:
        self.happens(lambda: lib.qx_group_promote(self.group, self.lan.now, self.actions))

    def freeze(self, duration: int) -> None:
        """Its processes do not run; the kernel keeps addresses and fills the receive queue."""
        self.frozen_until = self.lan.now + duration
        self.generation += 1
        self.lan.at(self.frozen_until, self._thaw)

    def _thaw(self) -> None:
        if self.powered and self.lan.now >= self.frozen_until:
            waiting, self.waiting = self.waiting, []
            self.happens(*waiting)
